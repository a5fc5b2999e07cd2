"""A body in a file: signed as its octets are, read in blocks, and never more or less than was signed."""

import io
import tempfile
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sigv4.errors import RequestError
from sigv4.request import FileBody, Request
from sigv4.signer import Signer, hmac_from_secret

SIGNER = Signer("AKIATESTTESTTEST", hmac_from_secret("made-up"))


@given(data=st.binary(max_size=3000), before=st.binary(max_size=9), size=st.integers(1, 4000), s3=st.booleans())
def test_it_is_signed_as_its_octets(data: bytes, before: bytes, size: int, s3: bool) -> None:
    file = io.BytesIO(before + data)
    file.seek(len(before))
    body = FileBody(file)
    service = "s3" if s3 else "dynamodb"
    signed = [
        SIGNER.sign(Request("PUT", "https://a.example/b", (), each), "us-east-1", service, 1e9)
        for each in (body, data)
    ]
    assert signed[0].headers == signed[1].headers
    assert len(body) == len(data)
    assert body.sha256() == sha256(data).hexdigest()
    blocks = []
    while block := body.read(size):
        blocks.append(block)
    assert b"".join(blocks) == data
    assert all(len(block) <= size for block in blocks)
    body.rewind()
    assert body.read() == data


def test_a_file_that_changes() -> None:
    """What was appended is not sent; where something is missing, that is said."""
    with tempfile.TemporaryFile() as file:
        file.write(b"0123456789")
        file.seek(2)
        body = FileBody(file)
        assert body.sha256() == sha256(b"23456789").hexdigest()
        file.seek(0, 2)
        file.write(b"more")
        body.rewind()
        assert body.read() == b"23456789"
        body.rewind()
        assert body.read(4) == b"2345"
        file.truncate(6)
        with pytest.raises(RequestError, match="was truncated"):
            body.read(4)


def test_a_repr_shows_no_content() -> None:
    assert repr(FileBody(io.BytesIO(b"secret"))) == "<FileBody of 6 bytes>"
