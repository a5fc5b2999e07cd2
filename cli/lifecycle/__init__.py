"""A profile's key: enrolled in the TPM and rotated."""
