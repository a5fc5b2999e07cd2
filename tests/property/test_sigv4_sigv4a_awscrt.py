"""SigV4A beside AWS's own implementation in C (awscrt): its signatures, under our key and over our octets.

awscrt shows no key and no canonical request; a signature of its that verifies here says that both are equal.
"""

import datetime
import re
from urllib.parse import parse_qsl, urlsplit

import pytest
from awscrt import auth, http
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from sigv4.canonical import S3, Rules, rules_for
from sigv4.request import Request
from sigv4.sigv4a import Sigv4aSigner, private_key

HEADER = auth.AwsSignatureType.HTTP_REQUEST_HEADERS
QUERY = auth.AwsSignatureType.HTTP_REQUEST_QUERY_PARAMS

key_ids = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=16, max_size=32).map("AKIA".__add__)
secrets = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60)
tokens = st.none() | st.just("FwoGZXIvYXdz//+=")
regions = st.sampled_from(["*", "us-east-1", "us-*,eu-west-1", "a,b,c"])
services = st.sampled_from(["sts", "s3", "execute-api"])
times = st.integers(0, 4102444800)
segments = st.sampled_from(["", ".", "..", "a", "b-c.~_", "%20", "%2F", "%C3%A4"])
paths = st.lists(segments, max_size=5).map(lambda parts: "/" + "/".join(parts))
pairs = st.lists(
    st.tuples(st.sampled_from(["a", "A", "b", "a%20b", "%C3%A4"]), st.sampled_from(["", "1", "2", "%2B", "~"])),
    max_size=4,
    unique=True,
)
headers = st.lists(
    st.tuples(
        st.sampled_from(["Content-Type", "My-HEADER", "x-amz-meta-a"]), st.sampled_from(["v", " a   b ", "1;2"])
    ),
    max_size=3,
)


class Asked:
    """Takes down the digest that our signer wants signed."""

    def __init__(self) -> None:
        self.digest = b""

    def __call__(self, digest: bytes) -> bytes:
        self.digest = digest
        return b"\x30\x00"


def theirs(
    request: Request,
    key_id: str,
    secret: str,
    token: str | None,
    region: str,
    service: str,
    time: int,
    kind: "auth.AwsSignatureType",
    rules: Rules,
) -> http.HttpRequest:
    """The request, signed by awscrt."""
    hashed = auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256 if rules.hash_header else None
    config = auth.AwsSigningConfig(
        algorithm=auth.AwsSigningAlgorithm.V4_ASYMMETRIC,
        signature_type=kind,
        credentials_provider=auth.AwsCredentialsProvider.new_static(key_id, secret, token),
        region=region,
        service=service,
        date=datetime.datetime.fromtimestamp(time, datetime.UTC),
        use_double_uri_encode=rules.encode_path,
        should_normalize_uri_path=rules.normalize_path,
        signed_body_header_type=hashed or auth.AwsSignedBodyHeaderType.NONE,
        signed_body_value="UNSIGNED-PAYLOAD" if kind == QUERY and rules.presign_unsigned else None,
        expiration_in_seconds=3600 if kind == QUERY else None,
    )
    parts = urlsplit(request.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    made = http.HttpRequest(request.method, target, http.HttpHeaders([("Host", parts.netloc), *request.headers]))
    return auth.aws_sign_request(made, config).result(30)


def signed_by(key_id: str, secret: str, signature: str, digest: bytes) -> None:
    """Raises InvalidSignature where it is not that of the digest by the key that we derive."""
    public = private_key(key_id, secret).public_key()
    public.verify(bytes.fromhex(signature), digest, ec.ECDSA(Prehashed(SHA256())))


@given(key_ids, secrets)
def test_the_key_is_theirs(key_id: str, secret: str) -> None:
    request, asked = Request("GET", "https://h.example/"), Asked()
    made = theirs(request, key_id, secret, None, "*", "sts", 0, HEADER, rules_for("sts"))
    Sigv4aSigner(key_id, asked).sign(request, "*", "sts", 0)
    value = str(made.headers.get("Authorization"))
    signature = value.partition("Signature=")[2]
    signed_by(key_id, secret, signature, asked.digest)
    with pytest.raises(InvalidSignature):
        signed_by(key_id, secret + "x", signature, asked.digest)


@given(paths, pairs, headers, tokens, regions, services, times)
def test_header_signing(
    path: str,
    query: list[tuple[str, str]],
    given_headers: list[tuple[str, str]],
    token: str | None,
    region: str,
    service: str,
    time: int,
) -> None:
    url = f"https://h.example{path}" + ("?" + "&".join(f"{k}={v}" for k, v in query) if query else "")
    request, asked, rules = Request("GET", url, given_headers), Asked(), rules_for(service)
    ours = Sigv4aSigner("AKIATEST", asked, token).sign(request, region, service, time)
    made = theirs(request, "AKIATEST", "secret", token, region, service, time, HEADER, rules)
    value = str(made.headers.get("Authorization"))
    shape = "Signature=[0-9a-f]+"
    assert re.sub(shape, "", value) == re.sub(shape, "", str(ours.header("Authorization")))
    added = {name.lower(): field for name, field in ours.headers if name.lower().startswith("x-amz-")}
    given_names = {name.lower() for name, _ in given_headers}
    for name in added.keys() - given_names:
        assert made.headers.get(name) == added[name]
    signed_by("AKIATEST", "secret", value.partition("Signature=")[2], asked.digest)


@given(paths, pairs, tokens, regions, services, times)
def test_presigning(
    path: str, query: list[tuple[str, str]], token: str | None, region: str, service: str, time: int
) -> None:
    url = f"https://h.example{path}" + ("?" + "&".join(f"{k}={v}" for k, v in query) if query else "")
    request, asked, rules = Request("GET", url), Asked(), rules_for(service)
    ours = Sigv4aSigner("AKIATEST", asked, token).presign(request, region, service, time)
    made = theirs(
        request,
        "AKIATEST",
        "secret",
        token,
        region,
        service,
        time,
        QUERY,
        Rules(normalize_path=rules.normalize_path, encode_path=rules.encode_path, presign_unsigned=rules is S3),
    )
    fields = dict(parse_qsl(urlsplit(made.path).query, keep_blank_values=True))
    signature = fields.pop("X-Amz-Signature")
    mine = dict(parse_qsl(urlsplit(ours).query, keep_blank_values=True))
    mine.pop("X-Amz-Signature")
    assert fields == mine
    signed_by("AKIATEST", "secret", signature, asked.digest)
