"""Reads recordings, captures, and commands typed by hand."""
