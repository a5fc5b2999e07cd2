"""Signed requests to AWS: sign, presign, curl and the token verbs."""
