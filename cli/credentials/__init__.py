"""From the settings of a run to temporary credentials on stdout."""
