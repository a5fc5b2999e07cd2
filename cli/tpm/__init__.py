"""Opens the TPM that the options select; reads passwords and pins; lists what the TPM contains."""
