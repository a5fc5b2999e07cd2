"""Reads and writes the JSON of tpmcopy (github.com/salrashid123/tpmcopy): a wrapped key and its parent's kind.

The JSON contains an importable TSS2 key file; the file's own `parent` is ignored.
"""

import json

from tpmwire.crypto.formulas import name_of
from tpmwire.keys.keyfile import KeyFile
from tpmwire.spec.structures import TPMT_PUBLIC
from tpmwire.use.ecdsa import is_p256_key

from ..terminal.messages import UsageError

__all__ = ["parent_kind", "to_tpmcopy_json"]

PARENTS = {
    "EndoresementECC": "ek-ecc",
    "EndorsementRSA": "ek-rsa",
    "H2": "h2",
    "ECCSRK": "srk",
    "RSASRK": "srk-rsa",
}
"""Values of tpmcopy's `parentKeyType`. Protocol buffers omit the first value, which is zero."""


def parent_kind(data: bytes) -> str | None:
    """Returns the kind of parent in tpmcopy's JSON, as a name of `tpmwire.use.parents`; None for other files.

    Raises UsageError for an unknown kind.
    """
    if data.lstrip()[:1] != b"{":
        return None
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or "key" not in fields or not {"parentName", "parentKeyType"} & set(fields):
        return None
    named = str(fields.get("parentKeyType", "EndoresementECC"))
    if named not in PARENTS:
        raise UsageError(f"unknown parentKeyType {named[:40]!r}; expected one of {', '.join(PARENTS)}")
    return PARENTS[named]


def to_tpmcopy_json(file: KeyFile, host: str, kind: str, parent: TPMT_PUBLIC) -> str:
    """Returns a wrapped key as JSON for `tpmcopy --mode import`.

    `kind` is the parent's kind, a name of `tpmwire.use.parents`, and `parent` the parent's public area. Raises
    UsageError for a kind that tpmcopy does not support.
    """
    named = next((named for named, one in PARENTS.items() if one == kind), None)
    if named is None:
        raise UsageError(f"tpmcopy does not support a parent of the kind {kind}; remove --format")
    fields = {
        "name": host,
        "version": 1,
        "type": "ECC" if is_p256_key(file.public) else "HMAC",
        "parentKeyType": named,
        "parentName": name_of(parent).hex(),
        "key": file.to_pem(),
    }
    return json.dumps(fields) + "\n"
