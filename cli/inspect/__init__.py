"""Recordings, captures, and commands typed by hand."""
