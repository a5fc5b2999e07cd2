"""Turns the settings of a run into temporary credentials on standard output."""
