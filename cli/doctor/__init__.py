"""Checks of `tpmwire doctor`: the TPM, the profiles that use it, and the machine."""
