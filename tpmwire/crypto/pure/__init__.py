"""Public-key arithmetic with Python's integers, for salts. The package imports hashlib only.

Nothing in this package runs in constant time. That is acceptable only because each secret is random and used once;
see `curves` and docs/security.md.
"""
