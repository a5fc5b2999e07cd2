"""The key file's ASN.1 once more, for asn1crypto: another reader and writer of the same octets."""

from typing import Any

from asn1crypto import core, pem  # type: ignore[import-untyped]

__all__ = ["LABEL", "TPMKey", "fields_of", "pem_text"]

LABEL = "TSS2 PRIVATE KEY"


class TPMPolicy(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("command_code", core.Integer, {"explicit": 0}),
        ("command_policy", core.OctetString, {"explicit": 1}),
    ]


class TPMPolicies(core.SequenceOf):  # type: ignore[misc]
    _child_spec = TPMPolicy


class TPMAuthPolicy(core.Sequence):  # type: ignore[misc]
    _fields = [  # noqa: RUF012
        ("name", core.UTF8String, {"explicit": 0, "optional": True}),
        ("policy", TPMPolicies, {"explicit": 1}),
    ]


class TPMAuthPolicies(core.SequenceOf):  # type: ignore[misc]
    _child_spec = TPMAuthPolicy


class TPMKey(core.Sequence):  # type: ignore[misc]
    """Bottomley, "ASN.1 Specification for TPM 2.0 Key Files", TPMKey."""

    _fields = [  # noqa: RUF012
        ("type", core.ObjectIdentifier),
        ("empty_auth", core.Boolean, {"explicit": 0, "optional": True}),
        ("policy", TPMPolicies, {"explicit": 1, "optional": True}),
        ("secret", core.OctetString, {"explicit": 2, "optional": True}),
        ("auth_policy", TPMAuthPolicies, {"explicit": 3, "optional": True}),
        ("description", core.UTF8String, {"explicit": 4, "optional": True}),
        ("rsa_parent", core.Boolean, {"explicit": 5, "optional": True}),
        ("parent", core.Integer),
        ("pubkey", core.OctetString),
        ("privkey", core.OctetString),
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def fields_of(data: bytes) -> dict[str, Any]:
    """Every field of a key file in DER, octets as hex, as asn1crypto reads it."""
    fields: dict[str, Any] = _plain(TPMKey.load(data, strict=True).native)
    return fields


def pem_text(data: bytes) -> bytes:
    """DER as text, as asn1crypto writes it."""
    text: bytes = pem.armor(LABEL, data)
    return text
