"""TPM 2.0 Part 3, a module a chapter. A run imports only the chapters it uses; decoding loads them all."""

CHAPTERS = (
    "startup",
    "testing",
    "sessions",
    "objects",
    "duplication",
    "symmetric",
    "random",
    "sequences",
    "pcr",
    "policies",
    "dictionary",
    "hierarchy",
    "context",
    "capability",
    "nv",
)
"""In the order of Part 3."""
