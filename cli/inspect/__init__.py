"""Reads recordings, captures, and commands that the user types."""
