"""A host's line may hold anything: the result is a key file or an error, and never an exception."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cli.keys.fleet.wrap import WrapOrder, wrap_host
from tests.support.makers import Issued, chain, pem
from tests.support.targets import SECRET, host
from tpmwire.keys.certificates import Certificate, Trust
from tpmwire.keys.keyfile import parse
from tpmwire.secret import Secret

FIELDS = (
    "host", "kind", "public", "parent", "name", "certificate",
    "secret", "aws_access_key_id", "pcrs", "policy", "password_file",
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(["[", "{}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
GOOD = host("good")
ROOT = chain()["root"]
TRUST = Trust([Certificate(Issued(ROOT, ROOT).der)])


@given(
    st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=12), VALUES, min_size=1, max_size=4), st.booleans()
)
def test_any_line_gives_a_file_or_an_error(changed: dict[str, Any], certified: bool) -> None:
    fields = json.loads(json.dumps({**GOOD, **changed}))
    entry = wrap_host(fields, WrapOrder(Secret(b"AWS4" + SECRET), trust=TRUST if certified else None))
    assert ("error" in entry) != ("pem" in entry)
    assert json.loads(json.dumps(entry)) == entry
    if "pem" in entry:
        assert parse(entry["pem"].encode())
    else:
        assert entry["error"]
        assert "\n" not in entry["error"]


@given(st.binary(max_size=200) | st.sampled_from([b"", b"-----BEGIN CERTIFICATE-----"]))
def test_any_certificate_is_told(data: bytes) -> None:
    certificate = pem(data).decode() if len(data) % 2 else data.decode("latin-1")
    entry = wrap_host({**GOOD, "certificate": certificate}, WrapOrder(Secret(b"AWS4" + SECRET), trust=TRUST))
    assert entry["error"]
