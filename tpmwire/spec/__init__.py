"""The standard as data (TPM 2.0 Library, Parts 2 and 3): no I/O, no state, no cryptography."""
