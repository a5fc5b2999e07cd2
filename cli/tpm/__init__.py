"""Opens the TPM; passwords, pins, inventory and cleanup."""
