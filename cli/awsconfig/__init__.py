"""Finds and edits profiles in the files under ~/.aws."""
