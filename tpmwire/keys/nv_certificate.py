"""Reads certificates as TPMs store them in NV memory: with a header, wrapped in an OCTET STRING, or padded."""

from ..errors import UnusableCertificateError

__all__ = ["without_padding"]

_STORED_CERT = b"\x10\x01\x00"
"""TCG_PCCLIENT_STORED_CERT with a full certificate (PC Client specification for TPM 1.2, §7.3.2)."""

_FULL_CERT = b"\x10\x02"

_SEQUENCE, _OCTET_STRING = 0x30, 0x04


def without_padding(data: bytes) -> bytes:
    """Returns the DER certificate at the beginning of an NV index's data.

    Some TPMs pad the index with 0x00 or 0xff. Some put the certificate into an OCTET STRING. Some put the header
    of the PC Client specification before the certificate. Raises UnusableCertificateError if the data does not
    begin with a certificate, or if the certificate is truncated.
    """
    if data.startswith(_STORED_CERT):
        data = data[5:].removeprefix(_FULL_CERT)
    start, end = _value(data)
    if data[:1] == bytes([_OCTET_STRING]):
        data = data[start:end]
        start, end = _value(data)
    if data[0] != _SEQUENCE:
        raise UnusableCertificateError("not a certificate: it does not begin with a DER SEQUENCE")
    return data[:end]


def _value(data: bytes) -> tuple[int, int]:
    """Returns (start, end): the position of the contents of the DER value at the beginning of `data`."""
    if len(data) < 2 or data[0] not in (_SEQUENCE, _OCTET_STRING) or data[1] == 0x80:
        raise UnusableCertificateError("not a certificate: it does not begin with a DER SEQUENCE")
    start, size = 2, data[1]
    if size >= 0x80:
        start += size & 0x7F
        size = int.from_bytes(data[2:start], "big")
    if start + size > len(data):
        raise UnusableCertificateError(
            f"the certificate is truncated: expected {start + size} bytes, got {len(data)}"
        )
    return start, start + size
