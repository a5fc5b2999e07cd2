"""What a TPM has: capabilities, PCR values, NV indices."""
