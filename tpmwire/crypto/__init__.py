"""The formulas of TPM 2.0 Part 1, session salts, and arithmetic in pure Python. No TPM is needed."""
