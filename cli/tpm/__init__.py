"""The open TPM: passwords, pins, inventory, cleanup."""
