"""What reads octets from outside, each as a function that any octets may be given to.

A target returns where the octets were read or refused as documented, and raises anything else.
"""

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sigv4.config import load_config
from sigv4.errors import SigV4Error
from sigv4.sts import GetSessionToken
from sigv4.xml import parse_xml
from tests.differential.jobs import pairs
from tests.support.scripted import STS_ANSWER
from tpmwire.errors import DecodeError, KeyFileError
from tpmwire.keys.keyfile import parse as parse_key
from tpmwire.keys.keyfile import parse_der
from tpmwire.wire import parse_command, parse_response

__all__ = ["TARGETS", "Target"]

PAIRS = pairs()
KEYS = Path(__file__).parents[2] / "fixtures" / "keys"


class Target(NamedTuple):
    """A reader, and what it is known to read: cases start from there. `size_at` is where a message's size is."""

    read: Callable[[bytes], None]
    seeds: list[bytes]
    size_at: int | None = None

    def fitted(self, data: bytes) -> bytes:
        """The octets with the message's size made true, or else all but a few cases would end at it."""
        if self.size_at is None or len(data) < self.size_at + 4:
            return data
        size = len(data) - self.size_at + 2
        return data[: self.size_at] + size.to_bytes(4, "big") + data[self.size_at + 4 :]


def command(data: bytes) -> None:
    """A command: the same octets back, or DecodeError inside the octets."""
    try:
        message = parse_command(data)
    except DecodeError as error:
        _refused(error, data)
        return
    assert message.build() == data


def response(data: bytes) -> None:
    """A response; the first four octets say to which command."""
    code, octets = int.from_bytes(data[:4], "big"), data[4:]
    try:
        message = parse_response(octets, code)
    except DecodeError as error:
        _refused(error, octets)
        return
    assert message.build() == octets


def _refused(error: DecodeError, data: bytes) -> None:
    assert 0 <= error.offset <= len(data)
    _one_line(error)


def _one_line(error: Exception) -> None:
    assert str(error).isprintable(), error


def key_pem(data: bytes) -> None:
    """A key file, as users give it."""
    try:
        key = parse_key(data)
    except KeyFileError as error:
        _one_line(error)
        return
    assert parse_key(key.to_pem()) == key


def key_der(data: bytes) -> None:
    """A key file without its armour."""
    try:
        key = parse_der(data)
    except KeyFileError as error:
        _one_line(error)
        return
    assert parse_der(key.to_der()) == key


def xml(data: bytes) -> None:
    """An answer of STS."""
    try:
        GetSessionToken().result(parse_xml(data))
    except SigV4Error as error:
        _one_line(error)


PLACE = tempfile.TemporaryDirectory(prefix="tpmwire-fuzz-")
FILES = {
    "AWS_CONFIG_FILE": os.path.join(PLACE.name, "config"),
    "AWS_SHARED_CREDENTIALS_FILE": os.path.join(PLACE.name, "credentials"),
}


def aws_config(data: bytes) -> None:
    """The AWS config and credentials files, both of the same octets."""
    for path in FILES.values():
        Path(path).write_bytes(data)
    try:
        config = load_config(FILES)
        for name in config:
            config.chain(name)
    except SigV4Error as error:
        _one_line(error)


CONFIG = b"""\
[default]
region = eu-west-3
[profile one]
role_arn = arn:aws:iam::123456789012:role/demo
source_profile = two
s3 =
  addressing_style = path
[profile "with blank"]
duration_seconds = 3600
[services mine]
sts =
  endpoint_url = http://sts.example
"""

NAMES = [entry["name"] for entry in json.loads((KEYS / "manifest.json").read_text())]
PEMS = [(KEYS / f"{name}.pem").read_bytes() for name in NAMES]

TARGETS = {
    "command": Target(command, sorted({sent for sent, _ in PAIRS}), 2),
    "response": Target(response, sorted({sent[6:10] + answer for sent, answer in PAIRS}), 6),
    "key-pem": Target(key_pem, PEMS),
    "key-der": Target(key_der, [parse_key(text).to_der() for text in PEMS]),
    "xml": Target(xml, [f"<?xml version='1.0'?>\n{STS_ANSWER}".encode()]),
    "aws-config": Target(aws_config, [CONFIG]),
}
