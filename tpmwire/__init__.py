"""TPM 2.0 in pure Python: commands, responses, sessions, policies and key files. Knows nothing of AWS."""

__version__ = "0.1.0"
