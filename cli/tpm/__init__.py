"""TPM access: open, passwords, pins, inventory and cleanup."""
