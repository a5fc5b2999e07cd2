"""The commands of TPM 2.0 Part 3, one module for each chapter. A run imports only the chapters that it uses."""

CHAPTERS = (
    "startup",
    "testing",
    "sessions",
    "objects",
    "duplication",
    "asymmetric",
    "symmetric",
    "random",
    "sequences",
    "attestation",
    "ephemeral",
    "signing",
    "audit",
    "pcr",
    "policies",
    "hierarchy",
    "dictionary",
    "management",
    "context",
    "clock",
    "capability",
    "nv",
    "components",
)
"""The names of the modules, in the order of Part 3."""
