"""Temporary credentials from IAM Roles Anywhere, for a certificate whose private key is in the TPM."""
