"""The use of a key in the TPM: loading, authorization, HMACs and signatures."""
