"""Public-key arithmetic with Python's integers, for what a salt needs; hashlib is all that it imports.

Nothing here runs in constant time. That is tolerable only because each secret that enters is random and used once:
see `curves` and docs/security.md.
"""
