"""Enrols a profile's key in the TPM, and rotates it."""
