"""The PEM text around a key file, and texts that are refused."""

import json

import pytest

from tests.support.key_files import HMAC, TEXT, fault
from tpmwire.keys import keyfile
from tpmwire.keys.keyfile import parse

TEXTS = {
    "text before": b"Key of a machine\n\n" + TEXT,
    "text after": TEXT + b"some text\n",
    "text in Latin-1": b"Schl\xfcssel\n" + TEXT,
    "certificate after": TEXT + b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n",
    "certificate before": b"-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n" + TEXT,
    "CR LF": TEXT.replace(b"\n", b"\r\n"),
    "CR": TEXT.replace(b"\n", b"\r"),
    "no final newline": TEXT.rstrip(b"\n"),
    "blank lines": TEXT.replace(b"\n", b"\n\n") + b"\n\n",
    "blanks at the end of lines": TEXT.replace(b"\n", b" \t\n"),
    "blanks before base64": TEXT.replace(b"\nM", b"\n  M"),
    "byte order mark": b"\xef\xbb\xbf" + TEXT,
    "indented": b"".join(b"      " + line for line in TEXT.splitlines(True)),
    "in YAML": b"key: |\n" + b"".join(b"  " + line for line in TEXT.splitlines(True)) + b"other: 1\n",
    "in JSON": json.dumps({"name": "k", "key": TEXT.decode(), "version": 1}).encode(),
    "in JSON, by PHP": json.dumps({"key": TEXT.decode()}).replace("/", "\\/").encode(),
    "in JSON, by .NET": json.dumps({"key": TEXT.decode()}).replace("+", "\\u002B").encode(),
    "in JSON in JSON": json.dumps(json.dumps({"key": TEXT.decode()})).encode(),
    "in JSON, CR LF": json.dumps({"key": TEXT.decode().replace("\n", "\r\n")}).encode(),
    "escaped ends of lines": b"KEY=" + TEXT.replace(b"\n", b"\\n"),
    "blanks for ends of lines": TEXT.replace(b"\n", b" "),
    "text in the label's line": b"x" + TEXT,
    "one line": b"-----BEGIN TSS2 PRIVATE KEY-----\n"
    + b"".join(TEXT.splitlines()[1:-1])
    + b"\n-----END TSS2 PRIVATE KEY-----",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_forms(text: bytes) -> None:
    assert parse(text) == HMAC


def test_text_as_str() -> None:
    assert parse("\ufeff" + TEXT.decode()) == HMAC


BODY = b"".join(TEXT.splitlines()[1:-1])


BAD_TEXTS: dict[str, tuple[bytes | str, str]] = {
    "empty": (b"", "missing -----BEGIN TSS2 PRIVATE KEY----- line"),
    "garbage": (b"\x00\xff" * 100, "missing -----BEGIN"),
    "PKCS #8": (TEXT.replace(b"TSS2 ", b""), "expected the label TSS2 PRIVATE KEY, got PRIVATE KEY"),
    "a certificate": (TEXT.replace(b"TSS2 PRIVATE KEY", b"CERTIFICATE"), "got CERTIFICATE"),
    "the old form": (TEXT.replace(b"PRIVATE KEY", b"KEY BLOB"), "early form"),
    "a label with an escape": (b"-----BEGIN \x1b[31m-----\n", "missing -----BEGIN"),
    "a label in small letters": (TEXT.lower(), "missing -----BEGIN"),
    "four dashes": (TEXT.replace(b"-----", b"----"), "missing -----BEGIN"),
    "another escape": (TEXT.replace(b"\n", b"\\x"), "invalid base64"),
    "no end": (
        TEXT.replace(b"-----END TSS2 PRIVATE KEY-----\n", b""),
        "missing -----END TSS2 PRIVATE KEY----- line",
    ),
    "another end": (TEXT.replace(b"END TSS2", b"END TSS3"), "not followed by -----END TSS2"),
    "end first": (b"-----END TSS2 PRIVATE KEY-----\n" + TEXT.rsplit(b"-----END")[0], "missing -----END"),
    "begin in begin": (TEXT.splitlines(True)[0] + b"-----BEGIN X-----\n" + TEXT, "several TPM keys"),
    "two keys": (TEXT + TEXT, "several TPM keys"),
    "headers": (TEXT.replace(b"\n", b"\nProc-Type: 4,ENCRYPTED\n\n", 1), "PEM block has headers"),
    "invalid base64": (TEXT.replace(b"M", b"!", 1), "invalid base64"),
    "URL-safe base64": (TEXT.replace(b"/", b"_"), "invalid base64"),
    "a character lost": (TEXT.replace(b"M", b"", 1), "invalid base64"),
    "padding lost": (
        b"-----BEGIN TSS2 PRIVATE KEY-----\nMAA\n-----END TSS2 PRIVATE KEY-----",
        "invalid base64",
    ),
    "padding in the middle": (TEXT.replace(b"\n" + BODY[:4], b"\nMA==" + BODY[:4]), "invalid base64"),
    "bits behind the last octet": (
        b"-----BEGIN TSS2 PRIVATE KEY-----\nMAB=\n-----END TSS2 PRIVATE KEY-----",
        "unused bits",
    ),
    "empty body": (
        b"-----BEGIN TSS2 PRIVATE KEY-----\n-----END TSS2 PRIVATE KEY-----",
        "expected SEQUENCE, got end of data",
    ),
    "UTF-16": (TEXT.decode().encode("utf-16"), "UTF-16"),
    "UTF-16, the other way": (b"\xfe\xff" + TEXT.decode().encode("utf-16-be"), "UTF-16"),
    "too long": (TEXT + b" " * keyfile.MAX_SIZE, "longer than 65536"),
    "too long in DER": (b"\x30\x82\xff\xff" + bytes(0xFFFF), "longer than 65536"),
    "not ASCII in base64": (TEXT.decode().replace("M", "é", 1), "invalid base64"),
}


@pytest.mark.parametrize(("text", "reason"), BAD_TEXTS.values(), ids=BAD_TEXTS)
def test_bad_text(text: bytes | str, reason: str) -> None:
    assert reason in fault(text)


def test_the_limit_is_the_limit() -> None:
    assert parse(TEXT + b" " * (keyfile.MAX_SIZE - len(TEXT))) == HMAC
