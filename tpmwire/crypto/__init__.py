"""The formulas of TPM 2.0 Part 1, session salts, arithmetic in pure Python, and formats of public keys.

No TPM is needed.
"""
