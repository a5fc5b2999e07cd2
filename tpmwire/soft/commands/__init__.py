"""Command handlers, one module for each chapter of Part 3. The modules are named as in `tpmwire.spec.commands`."""

CHAPTERS = (
    "asymmetric",
    "attestation",
    "audit",
    "capability",
    "clock",
    "context",
    "dictionary",
    "duplication",
    "ephemeral",
    "hierarchy",
    "management",
    "nv",
    "objects",
    "pcr",
    "policies",
    "random",
    "sequences",
    "sessions",
    "signing",
    "startup",
    "symmetric",
    "testing",
)
"""The modules; importing a module registers its handlers."""
