"""Public-key arithmetic with Python's integers, for salts; it imports hashlib only.

Nothing here runs in constant time. That is acceptable only because each secret is random and used once: see
`curves` and docs/security.md.
"""
