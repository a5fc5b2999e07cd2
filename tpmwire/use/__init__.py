"""A key in the TPM: reached, authorized, used."""
