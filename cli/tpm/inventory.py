"""Lists the contents of a TPM: handles by kind, with a description of each object from its public area."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from tpmwire.channel import read_loaded
from tpmwire.crypto.ml_keys import describe_ml_parameters
from tpmwire.errors import DecodeError, TpmError, WireError
from tpmwire.spec.codes import TPM_RC_SEQUENCE
from tpmwire.spec.commands.capability import GetCapability
from tpmwire.spec.commands.nv import NV_ReadPublic
from tpmwire.spec.constants import TPM_ALG, TPM_CAP, TPM_ECC, TPM_HT, TPM_NT, TPM_RH, TPMA_NV, TPMA_OBJECT
from tpmwire.spec.structures import (
    TPMS_ECC_PARMS,
    TPMS_KEYEDHASH_PARMS,
    TPMS_RSA_PARMS,
    TPMS_SYMCIPHER_PARMS,
    TPMT_PUBLIC,
)
from tpmwire.tpm import Tpm

__all__ = ["KINDS", "describe_public", "list_handles", "rows"]

KINDS = {
    "transient": 0x80000000,
    "persistent": 0x81000000,
    "loaded session": 0x02000000,
    "saved session": 0x03000000,
    "NV index": 0x01000000,
    "permanent": 0x40000000,
}
"""The first handle of each kind for TPM2_GetCapability (TPM 2.0 Part 3, §30.2.1)."""

PAGE = 254
"""Maximum number of handles in one response (MAX_CAP_HANDLES)."""


def list_handles(tpm: "Tpm", kind: str) -> list[int]:
    """Returns the TPM's handles of one kind, a key of `KINDS`.

    The first byte of a loaded session's handle tells an HMAC session from a policy session.
    """
    found: list[int] = []
    low = 0
    while True:
        answer = tpm.execute(GetCapability(TPM_CAP.HANDLES, KINDS[kind] | low, PAGE))
        page = [handle for handle in answer.capability_data.data if isinstance(handle, int)]
        found += page
        if not answer.more_data or not page:
            return found
        following = (page[-1] & 0xFFFFFF) + 1
        if following <= low or following > 0xFFFFFF:
            raise DecodeError("the TPM returned handles out of order")
        low = following


class Row(NamedTuple):
    """A description of a handle in the TPM. Values that do not apply are None.

    `problem` is the reason why the object could not be read.
    """

    kind: str
    handle: str
    type: str
    attributes: str | None = None
    name: str | None = None
    auth_policy: str | None = None
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Returns the row as a JSON object for `--json`, with the attributes as a list."""
        split = None if self.attributes is None else self.attributes.split("|")
        return {**self._asdict(), "attributes": split}


def rows(tpm: "Tpm") -> Iterator[Row]:
    """Yields a row for each handle that the TPM lists."""
    for kind in KINDS:
        for handle in list_handles(tpm, kind):
            yield from _row(tpm, kind, handle)


def _row(tpm: "Tpm", kind: str, handle: int) -> Iterator[Row]:
    """Yields the description of a handle, or nothing if the object no longer exists."""
    shown = f"0x{handle:08x}"
    try:
        if kind in ("transient", "persistent"):
            yield _object(tpm, kind, handle)
        elif kind == "NV index":
            yield _nv_index(tpm, handle)
        elif kind == "permanent":
            yield Row(kind, shown, TPM_RH(handle).name.lower(), name=f"{handle:08x}")
        else:
            # The TPM lists all saved sessions as HMAC sessions.
            known = "policy or trial session" if handle >> 24 == TPM_HT.POLICY_SESSION else "HMAC session"
            yield Row(kind, shown, known if kind == "loaded session" else "HMAC or policy session")
    except TpmError as error:
        if error.code == TPM_RC_SEQUENCE:
            yield Row(kind, shown, "hash or HMAC sequence", name="")
        elif error.handle is None:
            yield Row(kind, shown, "unknown", problem=str(error))
    except WireError as error:
        yield Row(kind, shown, "unknown", problem=str(error))


def _object(tpm: "Tpm", kind: str, handle: int) -> Row:
    found = read_loaded(tpm, handle)
    public = found.public
    return Row(
        kind,
        f"0x{handle:08x}",
        describe_public(public),
        public.object_attributes.described(),
        found.name.hex(),
        public.auth_policy.hex(),
    )


def _nv_index(tpm: "Tpm", handle: int) -> Row:
    name = tpm.name(handle)
    public = tpm.execute(NV_ReadPublic(handle)).nv_public
    kind = TPM_NT(public.attributes >> 4 & 0xF).name.lower().replace("_", " ")
    bare = TPMA_NV(public.attributes & ~0xF0)
    text = f"{kind}, {public.data_size} bytes"
    return Row("NV index", f"0x{handle:08x}", text, bare.described(), name.hex(), public.auth_policy.hex())


def describe_public(public: "TPMT_PUBLIC") -> str:
    """Returns a short description of an object from its public area, such as `HMAC key, SHA256`."""
    parameters, attributes = public.parameters, public.object_attributes
    if isinstance(parameters, TPMS_KEYEDHASH_PARMS):
        scheme = parameters.scheme
        if scheme.scheme == TPM_ALG.NULL:
            signs = attributes & (TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.DECRYPT)
            return "keyed-hash key, any scheme" if signs else "sealed data"
        hash_alg = scheme.details.hash_alg.name if scheme.details is not None else "?"
        return f"{scheme.scheme.name} key, {hash_alg}"
    if isinstance(parameters, TPMS_SYMCIPHER_PARMS):
        sym = parameters.sym
        return f"{sym.algorithm.name}-{sym.key_bits} key"
    if isinstance(parameters, TPMS_RSA_PARMS):
        kind = f"RSA {parameters.key_bits}"
    elif isinstance(parameters, TPMS_ECC_PARMS):
        kind = f"ECC {TPM_ECC(parameters.curve_id).name}"
    else:
        kind = describe_ml_parameters(parameters)
    storage = TPMA_OBJECT.RESTRICTED | TPMA_OBJECT.DECRYPT
    use = "storage key" if attributes & storage == storage else "key"
    return f"{kind} {use}"
