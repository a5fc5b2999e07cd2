"""Signature Version 4 and STS over a given HMAC function. Knows nothing of TPMs."""
