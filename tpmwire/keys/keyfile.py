"""TPM keys in files, TSS2 PRIVATE KEY (Bottomley, "ASN.1 Specification for TPM 2.0 Key Files").

    TPMKey ::= SEQUENCE {
        type        OBJECT IDENTIFIER,
        emptyAuth   [0] EXPLICIT BOOLEAN OPTIONAL,
        policy      [1] EXPLICIT SEQUENCE OF TPMPolicy OPTIONAL,
        secret      [2] EXPLICIT OCTET STRING OPTIONAL,
        authPolicy  [3] EXPLICIT SEQUENCE OF TPMAuthPolicy OPTIONAL,
        description [4] EXPLICIT UTF8String OPTIONAL,
        rsaParent   [5] EXPLICIT BOOLEAN OPTIONAL,
        parent      INTEGER,
        pubkey      OCTET STRING,   -- TPM2B_PUBLIC
        privkey     OCTET STRING }  -- TPM2B_PRIVATE

"later specifications" may add OPTIONAL elements before `parent`: [6] and up are kept unchanged, and
`KeyFile.unknown` names them. The text encoding follows RFC 7468, with the label TSS2 PRIVATE KEY.

Files of other programs are parsed too. Parent 0 (tpm2tss-genkey before 2020) stands for the owner hierarchy. A
firmware-limited hierarchy (0x40000140, go-tpm's programs) stands for the hierarchy itself. A negative parent is a
handle of 32 bits. The text can be indented, or a string in JSON.
"""

from __future__ import annotations

import binascii
import re

from ..crypto import der
from ..errors import CREATE_ONE, DecodeError, EncodeError, KeyFileError
from ..spec.constants import TPM_HT, TPM_RH
from ..spec.structures import TPM2B_ENCRYPTED_SECRET, TPM2B_PRIVATE, TPM2B_PUBLIC, TPMT_PUBLIC, TPMU_HA
from ..wires import Fixed, wire_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

__all__ = ["IMPORTABLE", "LOADABLE", "MAX_SIZE", "SEALED", "AuthPolicy", "KeyFile", "Step", "parse", "parse_der"]

LOADABLE = "2.23.133.10.1.3"
"""The type of a key for TPM2_Load."""

IMPORTABLE = "2.23.133.10.1.4"
"""The type of a key for TPM2_Import, with the encrypted seed of its outer wrapper in `secret`."""

SEALED = "2.23.133.10.1.5"
"""The type of sealed data, for TPM2_Load and TPM2_Unseal."""

MAX_SIZE = 64 * 1024
"""Bytes of a file. A key has a few hundred to a few thousand."""

Step = tuple[int, bytes]
"""A policy command: its code, and its parameters in the encoding of the TSS2 key file draft (TPMPolicy)."""

AuthPolicy = tuple[str | None, tuple[Step, ...]]
"""A signed alternative to the policy: its name, and its steps (TPMAuthPolicy)."""

_LABEL = "TSS2 PRIVATE KEY"
_BEGIN = f"-----BEGIN {_LABEL}-----"
_END = f"-----END {_LABEL}-----"
_WHITE = " \t\r\n\v\f"
_HIERARCHIES = (TPM_RH.OWNER, TPM_RH.ENDORSEMENT, TPM_RH.PLATFORM, TPM_RH.NULL)
_DAMAGED = "the file is damaged: copy it again, or create a new key"

_POLICY = der.SequenceOf(
    der.Sequence(
        ("commandCode", der.Explicit(0, der.INTEGER)),
        ("commandPolicy", der.Explicit(1, der.OCTET_STRING)),
        ("later", der.Later(2)),
        optional=("later",),
    )
)
_AUTH_POLICY = der.SequenceOf(
    der.Sequence(
        ("name", der.Explicit(0, der.UTF8_STRING)),
        ("policy", der.Explicit(1, _POLICY)),
        ("later", der.Later(2)),
        optional=("name", "later"),
    )
)
_KEY = der.Sequence(
    ("type", der.OBJECT_IDENTIFIER),
    ("emptyAuth", der.Explicit(0, der.BOOLEAN)),
    ("policy", der.Explicit(1, _POLICY)),
    ("secret", der.Explicit(2, der.OCTET_STRING)),
    ("authPolicy", der.Explicit(3, _AUTH_POLICY)),
    ("description", der.Explicit(4, der.UTF8_STRING)),
    ("rsaParent", der.Explicit(5, der.BOOLEAN)),
    ("later", der.Later(6)),
    ("parent", der.INTEGER),
    ("pubkey", der.OCTET_STRING),
    ("privkey", der.OCTET_STRING),
    optional=("emptyAuth", "policy", "secret", "authPolicy", "description", "rsaParent", "later"),
)


_FIELDS = tuple("".join(f"_{c.lower()}" if c.isupper() else c for c in name) for name, _ in _KEY.fields)
"""The fields of a `KeyFile`, in the order of `_KEY`, such as empty_auth for emptyAuth."""


class KeyFile:
    """The content of a key file. Immutable, compared by value; its repr does not show the private area.

    `pubkey`, `privkey` and `secret` are bytes with their size in front, as in the file. `public`, `private` and
    `encrypted_seed` are the parameters of TPM2_Load and TPM2_Import. `empty_auth` is only a hint, because
    tpm2_encodeobject writes false for keys without a password. `parent` is a handle; see `hierarchy` and
    `persistent_parent`. `later` contains the elements of a later version of the format, each with its tag; they
    are preserved and not used.

    tpm2-tools 5.4 and tpm2-openssl 1.1 cannot read files with `policy`, `auth_policy`, `description` or
    `rsa_parent`. The TSS2 key file draft requires `policy` if the key has a policy. tpm2_load can load such a key
    from separate files with `pubkey` and `privkey`.

    Raises KeyFileError for values that a key file cannot have.
    """

    __slots__ = (*_FIELDS, "public")

    type: str
    empty_auth: bool | None
    policy: tuple[Step, ...] | None
    secret: bytes | None
    auth_policy: tuple[AuthPolicy, ...] | None
    description: str | None
    rsa_parent: bool | None
    later: tuple[bytes, ...]
    parent: int
    pubkey: bytes
    privkey: bytes
    public: TPMT_PUBLIC

    def __init__(
        self,
        *,
        parent: int,
        pubkey: bytes,
        privkey: bytes,
        type: str = LOADABLE,
        empty_auth: bool | None = None,
        policy: tuple[Step, ...] | None = None,
        secret: bytes | None = None,
        auth_policy: tuple[AuthPolicy, ...] | None = None,
        description: str | None = None,
        rsa_parent: bool | None = None,
        later: tuple[bytes, ...] = (),
    ) -> None:
        values = locals()
        for name in _FIELDS:
            object.__setattr__(self, name, values[name])
        _check_type(type, secret)
        _check_parent(parent)
        _check_codes(policy, auth_policy)
        object.__setattr__(self, "public", _public(pubkey))
        _check_private(privkey)

    @staticmethod
    def parse(text: bytes | str) -> KeyFile:
        """Parses the content of a key file, in PEM or DER. Raises KeyFileError if it is not valid."""
        return parse(text)

    @classmethod
    def of(cls, public: TPMT_PUBLIC, private: bytes, parent: int, **rest: Any) -> Self:
        """Returns a key file with the areas that TPM2_Create or TPM2_Import returned, and the fields in `rest`."""
        try:
            pubkey, privkey = wire_of(TPM2B_PUBLIC).build(public), wire_of(TPM2B_PRIVATE).build(private)
        except EncodeError as error:
            raise KeyFileError(f"the key cannot be written to a key file: {error}") from error
        return cls(parent=parent, pubkey=pubkey, privkey=privkey, **rest)

    @property
    def private(self) -> bytes:
        """The private area for TPM2_Load, or the duplicate for TPM2_Import, without its size."""
        return self.privkey[2:]

    @property
    def encrypted_seed(self) -> bytes:
        """The parameter `inSymSeed` of TPM2_Import; empty for a key that is not importable."""
        return (self.secret or b"")[2:]

    @property
    def is_importable(self) -> bool:
        """Returns whether the key needs TPM2_Import: an importable key, or sealed data with a seed."""
        return self.type == IMPORTABLE or (self.type == SEALED and self.secret is not None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The tags of the unknown fields in `later`, as text for messages, such as `[6]`."""
        return tuple(f"[{element[0] & 0x1F}]" for element in self.later)

    @property
    def persistent_parent(self) -> int | None:
        """The handle of a persistent parent; None if the parent is a primary key (see `hierarchy`)."""
        return self.parent if self.parent >> 24 == TPM_HT.PERSISTENT else None

    @property
    def endorsement_handle(self) -> int | None:
        """The persistent parent if its handle is reserved for an endorsement key (see `parents`), or None."""
        reserved = (1, 2, *range(0x12, 0x1A, 2), 0x1C, 0x1E)  # the handles of `endorsement.KINDS`
        return self.parent if self.parent - 0x81010000 in reserved else None

    @property
    def hierarchy(self) -> int | None:
        """The hierarchy whose standard primary key is the parent; None for a persistent parent.

        The standard primary key is `templates.h2_primary`, or `h1_primary` with `rsa_parent`. Files with a
        transient handle or 0 mean the owner hierarchy. A firmware-limited or SVN-limited hierarchy stands for the
        hierarchy that it belongs to, as in the programs that write such files.
        """
        if self.parent >> 24 == TPM_HT.TRANSIENT or self.parent == 0:
            return TPM_RH.OWNER
        if self.parent >> 24 != TPM_HT.PERMANENT:
            return None
        return _find_limited(self.parent) or self.parent

    def replace(self, **changes: Any) -> KeyFile:
        """Returns a copy with new values of the fields in `changes`. Raises KeyFileError for invalid values."""
        return type(self)(**{**dict(zip(_FIELDS, self._values(), strict=True)), **changes})

    def fields(self) -> dict[str, Any]:
        """Returns every field by name, for JSON: bytes in hex, absent fields as None."""
        return {
            "type": self.type,
            "empty_auth": self.empty_auth,
            "policy": None if self.policy is None else _steps(self.policy),
            "secret": None if self.secret is None else self.secret.hex(),
            "auth_policy": None
            if self.auth_policy is None
            else [{"name": name, "policy": _steps(steps)} for name, steps in self.auth_policy],
            "description": self.description,
            "rsa_parent": self.rsa_parent,
            **({"later": [element.hex() for element in self.later]} if self.later else {}),
            "parent": self.parent,
            "pubkey": self.pubkey.hex(),
            "privkey": self.privkey.hex(),
        }

    def to_der(self) -> bytes:
        """Returns the file in DER. Raises KeyFileError for values that DER cannot have."""
        try:
            data = der.build_element(_KEY, _to_file(dict(zip(_FIELDS, self._values(), strict=True))))
        except EncodeError as error:
            raise KeyFileError(f"the key cannot be written to a key file: {error}") from error
        if len(data) > MAX_SIZE * 3 // 4 - 1024:
            raise KeyFileError(f"the key file would exceed {MAX_SIZE} bytes; shorten the description")
        return data

    def to_pem(self) -> str:
        """Returns the file as text (RFC 7468), lines of 64 characters.

        Raises KeyFileError if a field is not valid.
        """
        body = binascii.b2a_base64(self.to_der(), newline=False).decode()
        lines = [body[start : start + 64] for start in range(0, len(body), 64)]
        return "\n".join([_BEGIN, *lines, _END, ""])

    def _values(self) -> tuple[Any, ...]:
        """Returns the fields as the tuple of values that `_KEY` encodes."""
        return tuple(getattr(self, name) for name in _FIELDS)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a KeyFile is immutable; use replace()")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a KeyFile is immutable; use replace()")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyFile) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash(self._values())

    def __repr__(self) -> str:
        return f"KeyFile(type={self.type!r}, parent=0x{self.parent:08x}, public={self.public!r}, private=<secret>)"


def parse(text: bytes | str) -> KeyFile:
    """Parses a key file in DER, or in PEM with the label TSS2 PRIVATE KEY.

    Other text can surround the key. DER of less than 128 bytes, without a real private area, is accepted by
    `parse_der` only. Raises KeyFileError for an invalid file.
    """
    if len(text) > MAX_SIZE:
        raise KeyFileError(f"the file is longer than {MAX_SIZE} bytes, so it is not a TPM key; {CREATE_ONE}")
    if isinstance(text, str):
        return parse_der(_extract_der(text.removeprefix("\ufeff")))
    # DER of 128 bytes or more, such as every key that a TPM created. Text cannot start like this: the second byte
    # does not begin a character in ASCII or UTF-8.
    if text[:1] == b"\x30" and text[1:2] >= b"\x80":
        return parse_der(text)
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise KeyFileError("the file is UTF-16 text; save it as ASCII or UTF-8")
    # Latin-1 accepts all bytes: text around the key can be in any encoding, and the key itself is ASCII.
    return parse_der(_extract_der(text.decode("latin-1").removeprefix("\xef\xbb\xbf")))


def parse_der(data: bytes) -> KeyFile:
    """Parses a key file in DER. Raises KeyFileError if the DER is not valid."""
    if len(data) > MAX_SIZE:
        raise KeyFileError(f"the file is longer than {MAX_SIZE} bytes, so it is not a TPM key; {CREATE_ONE}")
    # A private key in PKCS #1, PKCS #8 or RFC 5915 begins with SEQUENCE { INTEGER …, unlike TPMKey.
    if data[:1] == b"\x30" and data[der.header_size(data) :][:1] == b"\x02":
        raise KeyFileError(f"the file is a plain private key, not a TPM key; {CREATE_ONE}")
    try:
        values = der.parse_element(_KEY, data)
    except DecodeError as error:
        raise KeyFileError(f"not a TPM key: {error}; {_DAMAGED}") from error
    return KeyFile(**_from_file(dict(zip(_FIELDS, values, strict=True))))


def _from_file(values: dict[str, Any]) -> dict[str, Any]:
    """Converts values parsed by `_KEY` to the arguments of `KeyFile`."""
    policy, auth_policy, parent = values["policy"], values["auth_policy"], values["parent"]
    return {
        **values,
        "policy": policy and tuple(step[:2] for step in policy),
        "auth_policy": auth_policy
        and tuple((name, tuple(s[:2] for s in steps)) for name, steps, _ in auth_policy),
        "later": values["later"] or (),
        # Some programs write the handle as a signed 32-bit integer.
        "parent": parent + (1 << 32) if -(1 << 31) <= parent < 0 else parent,
    }


def _to_file(values: dict[str, Any]) -> tuple[Any, ...]:
    """Converts the attributes of a `KeyFile` to the values that `_KEY` encodes."""
    policy, auth_policy = values["policy"], values["auth_policy"]
    steps = policy and tuple((*step, None) for step in policy)
    named = auth_policy and tuple((name, tuple((*s, None) for s in each), None) for name, each in auth_policy)
    return tuple({**values, "policy": steps, "auth_policy": named}.values())


def _extract_der(text: str) -> bytes:
    """Returns the DER of a key in PEM (RFC 7468), which can be indented or in JSON.

    Raises KeyFileError if the PEM is not valid.
    """
    count = text.count(_BEGIN)
    if not count:
        raise KeyFileError(_explain_missing_label(text))
    if count > 1:
        raise KeyFileError("the file contains several TPM keys; save each in its own file")
    body, end, _ = text[text.index(_BEGIN) + len(_BEGIN) :].partition("-----")
    if not end:
        raise KeyFileError(f"missing {_END} line; {_DAMAGED}")
    if not text[text.index(_BEGIN) + len(_BEGIN) + len(body) :].startswith(_END):
        raise KeyFileError(f"{_BEGIN} is not followed by {_END}; {_DAMAGED}")
    if "\\" in body:
        body = re.sub(_ESCAPE, _unescape, body)
    if ":" in body:
        raise KeyFileError(f"the PEM block has headers, so this is not a TPM key; {CREATE_ONE}")
    for white in _WHITE:
        body = body.replace(white, "")
    try:
        data = binascii.a2b_base64(body, strict_mode=True)
    except ValueError as error:
        raise KeyFileError(f"invalid base64; {_DAMAGED}") from error
    if binascii.b2a_base64(data, newline=False).decode() != body:
        raise KeyFileError(f"invalid base64: nonzero unused bits, or too much padding; {_DAMAGED}")
    return data


_ESCAPE = r"\\+(?:([nrt])|u00([0-9a-fA-F]{2})|(/))"
"""An escaped character of PEM in a JSON or shell string, escaped once or several times."""


def _unescape(found: re.Match[str]) -> str:
    white, code, slash = found.groups()
    return "\n" if white else chr(int(code, 16)) if code else slash


def _explain_missing_label(text: str) -> str:
    """Returns the error message for a text without the PEM label, with a guess of the text's type."""
    found = re.search("-----BEGIN ([ -~]{1,64}?)-----", text)
    label = found and found[1]
    if label == "TSS2 KEY BLOB":
        return f"TSS2 KEY BLOB is an early format of TPM keys, without a parent; {CREATE_ONE}"
    if label is not None:
        return f"not a TPM key: expected the label {_LABEL}, got {label}; {CREATE_ONE}"
    return f"missing {_BEGIN} line, so this is not a TPM key; {CREATE_ONE}"


def _check_type(type: str, secret: bytes | None) -> None:
    if type not in (LOADABLE, IMPORTABLE, SEALED):
        raise KeyFileError(f"unknown type of TPM key {type}; {CREATE_ONE}")
    if secret is None:
        if type == IMPORTABLE:
            raise KeyFileError(f"missing field 'secret' of an importable key; {_DAMAGED}")
    elif type == LOADABLE:
        raise KeyFileError(
            f"unexpected field 'secret' in a loadable key ({type}); an importable key needs the type {IMPORTABLE}"
        )
    else:
        _parse_sized(TPM2B_ENCRYPTED_SECRET, secret, "secret")


def _check_parent(parent: int) -> None:
    shown = f"0x{parent:08x}" if parent >= 0 else str(parent)
    if not 0 <= parent <= 0xFFFFFFFF:
        raise KeyFileError(f"parent {shown} is not a valid handle; expected 0 to 0xffffffff; {_DAMAGED}")
    kind = TPM_HT(parent >> 24)
    if kind in (TPM_HT.TRANSIENT, TPM_HT.PERSISTENT) or parent in (0, *_HIERARCHIES) or _find_limited(parent):
        return
    what = f" ({kind.name.replace('_', ' ')})" if kind in tuple(TPM_HT) else ""
    raise KeyFileError(
        f"parent {shown}{what} cannot be the parent of a key; expected a hierarchy, such as 0x40000001, or a "
        "persistent handle, such as 0x81000001; check the program that wrote the file"
    )


def _find_limited(parent: int) -> TPM_RH | None:
    """Returns the base hierarchy of a firmware- or SVN-limited hierarchy, or None (Part 2, v1.84, §7.4)."""
    for number in (parent - TPM_RH.FW_OWNER, (parent - TPM_RH.SVN_OWNER_BASE) >> 16):
        if 0 <= number < len(_HIERARCHIES):
            return _HIERARCHIES[number]
    return None


def _check_codes(policy: tuple[Step, ...] | None, auth_policy: tuple[AuthPolicy, ...] | None) -> None:
    for code, _ in [*(policy or ()), *(step for _, steps in auth_policy or () for step in steps)]:
        if not 0 <= code <= 0xFFFFFFFF:
            raise KeyFileError(f"policy: {code} is not a valid command code; {_DAMAGED}")


def _public(pubkey: bytes) -> TPMT_PUBLIC:
    public: TPMT_PUBLIC = _parse_sized(TPM2B_PUBLIC, pubkey, "pubkey")
    digest = TPMU_HA.get(public.name_alg)
    if not isinstance(digest, Fixed):
        raise KeyFileError(f"pubkey: unsupported nameAlg {public.name_alg!r}")
    if public.auth_policy and len(public.auth_policy) != digest.size:
        size = len(public.auth_policy)
        raise KeyFileError(f"pubkey: expected an authPolicy of {digest.size} bytes, got {size}; {_DAMAGED}")
    return public


def _check_private(privkey: bytes) -> None:
    if not _parse_sized(TPM2B_PRIVATE, privkey, "privkey"):
        raise KeyFileError(f"privkey: the private area is empty; {_DAMAGED}")


def _parse_sized(wire: Any, data: bytes, name: str) -> Any:
    """Returns the content of the TPM2B that takes up all of `data`; `name` is the field, for errors."""
    try:
        return wire.parse(data)
    except DecodeError as error:
        raise KeyFileError(f"{error.within(name)}; {_DAMAGED}") from error


def _steps(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [{"command_code": code, "command_policy": parameters.hex()} for code, parameters in steps]
