"""Keys: created, stored in a file or a persistent handle, and wrapped for another TPM."""
