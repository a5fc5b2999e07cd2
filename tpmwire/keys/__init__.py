"""Key files, certificates, templates, and keys wrapped for a TPM. No TPM is needed."""
