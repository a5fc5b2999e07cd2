"""Obtains temporary credentials as the options request, and prints them."""
