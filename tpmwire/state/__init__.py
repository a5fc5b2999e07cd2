"""The state of a TPM: capabilities, PCR values, NV indices."""
