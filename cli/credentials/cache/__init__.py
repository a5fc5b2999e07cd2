"""Credentials cached between runs, sealed by the TPM (docs/cache.md)."""
