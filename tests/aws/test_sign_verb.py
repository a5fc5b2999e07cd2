"""`tpmwire sign` and `presign` beside botocore's signers, and before servers that verify signatures."""

import datetime
import io
import json
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit
from urllib.request import Request, urlopen

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.toolbox import main
from tests.support import keys
from tests.support.programs import KEY_ID, SECRET, Machine, left_behind
from tests.support.swift import REGION, SwiftS3
from tests.support.verbs import Tool

pytestmark = pytest.mark.box(SECRET)

letters = st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="?#%\\[]")
path = st.lists(
    st.one_of(st.sampled_from(["a b", "ä", "%2F", "%20", "a+b", "~", "", "..", ".", "x=y"]), st.text(letters)),
    max_size=3,
).map(lambda parts: "".join("/" + part for part in parts))
value = st.text(letters, min_size=1, max_size=5).map(lambda text: quote(text, safe="-._~"))
query = st.dictionaries(st.sampled_from(["prefix", "list-type", "Action", "ä".encode().hex(), "acl"]), value)
header = st.dictionaries(
    st.sampled_from(["X-Amz-Meta-A", "Content-Type", "x-amz-target", "User-Agent", "Range"]),
    st.sampled_from(["a", "a   b", '"q"', "bytes=0-1", "ü"]),
)
host = st.sampled_from(
    [
        ("s3.eu-central-1.amazonaws.com", "s3", "eu-central-1"),
        ("bucket.s3.us-west-2.amazonaws.com", "s3", "us-west-2"),
        ("dynamodb.us-east-1.amazonaws.com", "dynamodb", "us-east-1"),
        ("abc.execute-api.eu-west-1.amazonaws.com", "execute-api", "eu-west-1"),
        ("email.eu-west-1.amazonaws.com", "ses", "eu-west-1"),
        ("iam.amazonaws.com", "iam", "us-east-1"),
        ("sts.cn-north-1.amazonaws.com.cn", "sts", "cn-north-1"),
    ]
)


def _key(box: Machine) -> list[str]:
    words = [f"--aws-access-key-id={KEY_ID}", f"--persistentHandle={keys.PLAIN_HANDLE:#x}"]
    return [*words, f"--tpm-path={box.swtpm.path}", "--timeout=20s"]


def _printed(*words: str, stdin: bytes = b"") -> str:
    """What a verb prints that ends well."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryFile() as file:
        file.write(stdin)
        file.seek(0)
        out = io.TextIOWrapper(io.BytesIO(), "utf-8")
        patch.setattr(sys, "stdin", io.TextIOWrapper(file))
        patch.setattr(sys, "stdout", out)
        assert main(list(words)) == 0
        out.flush()
        text = out.buffer.getvalue().decode()  # type: ignore[attr-defined]
    return str(text)


def _theirs(kind: type, request: AWSRequest, place: tuple[str, str], stamp: str, **options: int) -> AWSRequest:
    """The request as botocore signs it at that moment."""
    moment = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda *_: moment)
        kind(Credentials(KEY_ID, SECRET), *place, **options).add_auth(request)
    return request


def _wire(url: str, service: str) -> str:
    """The URL that is sent: ASCII; for S3 in the form in which botocore itself would send an object's name."""
    if service != "s3":
        return quote(url, safe="%!#$&'()*+,/:;=?@[]~")
    parts = urlsplit(url)
    return parts._replace(path=quote(unquote(parts.path), safe="/~") or "/").geturl()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "PUT", "DELETE", "PATCH"]),
    host=host,
    path=path,
    query=query,
    headers=header,
    body=st.none() | st.binary(min_size=1, max_size=9),
)
def test_signed_as_botocore_signs(
    box: Machine,
    method: str,
    host: tuple[str, str, str],
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes | None,
) -> None:
    url = f"https://{host[0]}{path}" + ("?" if query else "") + "&".join(f"{k}={v}" for k, v in query.items())
    given = [f"--header={name}: {value}" for name, value in headers.items()]
    sent = ["-T", "-"] if body else []
    words = ["sign", "--output=json", "-X", method, *given, *sent, url, *_key(box)]
    ours = json.loads(_printed(*words, stdin=body or b""))
    wire = _wire(url, host[1])
    request = AWSRequest(method=method, url=wire, data=body or b"", headers=headers)
    kind = botocore.auth.S3SigV4Auth if host[1] == "s3" else botocore.auth.SigV4Auth
    theirs = _theirs(kind, request, host[1:], ours["headers"]["X-Amz-Date"])
    assert ours == {"method": method, "url": wire, "headers": dict(theirs.headers.items())}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "PUT"]),
    host=host,
    path=path,
    query=query,
    headers=header,
    expires=st.integers(1, 604800),
)
def test_presigned_as_botocore_does(
    box: Machine,
    method: str,
    host: tuple[str, str, str],
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    expires: int,
) -> None:
    url = f"https://{host[0]}{path}" + ("?" if query else "") + "&".join(f"{k}={v}" for k, v in query.items())
    given = [f"--header={name}: {value}" for name, value in headers.items()]
    words = ["presign", "-X", method, *given, f"--expires={expires}", url, *_key(box)]
    ours = _printed(*words).removesuffix("\n")
    stamp = parse_qs(urlsplit(ours).query)["X-Amz-Date"][0]
    request = AWSRequest(method=method, url=_wire(url, host[1]), headers=headers)
    kind = botocore.auth.S3SigV4QueryAuth if host[1] == "s3" else botocore.auth.SigV4QueryAuth
    assert ours == _theirs(kind, request, host[1:], stamp, expires=expires).url


@pytest.fixture(scope="module")
def swift(box: Machine) -> Iterator[SwiftS3]:
    with SwiftS3(KEY_ID, SECRET) as running:
        _sent_by_curl(box, "-X", "PUT", f"{running.endpoint}/bucket")
        yield running


S3 = ["--service=s3", f"--region={REGION}"]


def _sent_by_curl(box: Machine, *words: str, stdin: bytes = b"") -> bytes:
    """`tpmwire sign` for these words, and then curl with the same."""
    lines = _printed("sign", *words, *S3, *_key(box), stdin=stdin)
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(lines)
        file.flush()
        command = ["curl", "-sS", "--fail", "-H", f"@{file.name}", *words]
        done = subprocess.run(command, check=False, input=stdin, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl_sends_what_is_signed(box: Machine, swift: SwiftS3, tmp_path: Path) -> None:
    """A server that is not ours takes it; and from a changed body it does not."""
    file = tmp_path / "file"
    file.write_bytes(b"content" * 1000)
    url = f"{swift.endpoint}/bucket/one%20%C3%A4"
    _sent_by_curl(box, "-T", str(file), url)
    assert _sent_by_curl(box, url) == file.read_bytes()
    _sent_by_curl(box, "-T", "-", url, stdin=b"from a pipe")
    assert _sent_by_curl(box, url) == b"from a pipe"
    file.write_bytes(b"other")
    lines = _printed("sign", "-T", str(file), url, *S3, *_key(box))
    file.write_bytes(b"Other")
    headers = [word for line in lines.splitlines() for word in ("-H", line)]
    refused = subprocess.run(
        ["curl", "-sS", *headers, "-T", str(file), url], check=True, capture_output=True, timeout=60
    )
    assert b"XAmzContentSHA256Mismatch" in refused.stdout or b"BadDigest" in refused.stdout
    assert left_behind(box.swtpm.path) == []


TYPED = {
    "": "<ListAllMyBucketsResult",
    "?max-keys=1": "<ListAllMyBucketsResult",
    "/bucket?prefix=one/&list-type=2": "<Prefix>one/</Prefix>",
    "/bucket?prefix=a+b": "<Prefix>a b</Prefix>",
    "/bucket?prefix=a%2bb:@&&max-keys=1&": "<Prefix>a+b:@</Prefix>",
    "/bucket?delimiter=/&prefix=%c3%a4": "<Prefix>\u00e4</Prefix>",
    "/bucket?prefix=b=c&acl": "<AccessControlPolicy",
    "/bucket/in/%70lain(1)+2%2f3,'100%.txt": "typed",
    "/bucket/in/plain(1)+2/3%2c'100%.txt": "typed",
}


@pytest.mark.parametrize("typed", TYPED)
def test_urls_as_people_type_them(box: Machine, swift: SwiftS3, typed: str) -> None:
    """The server decodes what curl sends, and reckons with what it encodes again."""
    _sent_by_curl(box, "-T", "-", f"{swift.endpoint}/bucket/in/plain(1)%2b2/3,'100%25.txt", stdin=b"typed")
    assert TYPED[typed] in _sent_by_curl(box, f"{swift.endpoint}{typed}").decode()
    link = _printed("presign", f"{swift.endpoint}{typed}", *S3, *_key(box)).strip()
    with urlopen(link, timeout=20) as answer:
        assert TYPED[typed] in answer.read().decode()


def test_the_whole_request(box: Machine, swift: SwiftS3) -> None:
    url = f"{swift.endpoint}/bucket/two"
    whole = _printed("sign", "--output=http", "-T", "-", url, *S3, *_key(box), stdin=b"by hand")
    with socket.create_connection(("127.0.0.1", swift.port), timeout=20) as sock:
        sock.sendall(whole.encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 200 ")
    assert _sent_by_curl(box, url) == b"by hand"


def test_links_work(box: Machine, swift: SwiftS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", swift.endpoint)
    url = "s3://bucket/a #b?%c/ä"
    put = _printed("presign", "-X", "PUT", "-H", "Content-Type: text/x-a", url, *S3, *_key(box)).strip()
    with urlopen(Request(put, b"by link", {"Content-Type": "text/x-a"}, method="PUT"), timeout=20) as answer:
        assert answer.status == 200
    get = _printed("presign", url, *S3, *_key(box)).strip()
    with urlopen(get, timeout=20) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"by link", "text/x-a")


def test_headers_and_method_as_they_are_signed(box: Machine, tmp_path: Path) -> None:
    """A folded header is one line for curl; a line separator in a file of headers ends none; capitals."""
    (tmp_path / "headers").write_text("B: one\u2028two\n\nC: d\r\n", encoding="utf-8")
    words = ["-X", "delete", "-H", "A: b\r\n  c", "-H", f"@{tmp_path}/headers", "https://iam.amazonaws.com/"]
    made = json.loads(_printed("sign", "--output=json", *words, *_key(box)))
    assert made["method"] == "DELETE"
    assert [made["headers"][name] for name in "ABC"] == ["b c", "one\u2028two", "d"]


def test_a_file_of_headers_names_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Least of all itself."""
    (tmp_path / "headers").write_text(f"@{tmp_path}/headers\n")
    assert main(["sign", "-H", f"@{tmp_path}/headers", "https://iam.amazonaws.com/"]) == 2
    assert "'Name: value'" in capsys.readouterr().err


def test_octets_that_are_no_text_stay_in_a_link(box: Machine) -> None:
    link = _printed("presign", "https://iam.amazonaws.com/?a=%ff%C3%A4", *_key(box))
    assert link.startswith("https://iam.amazonaws.com/?a=%FF%C3%A4&X-Amz-")


@pytest.mark.parametrize(
    ("url", "link", "scope"),
    [
        (
            "s3://b--usw2-az1--x-s3/a key",
            "https://b--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com/a%20key?",
            "us-west-2%2Fs3express",
        ),
        (
            "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/point/a/key",
            "https://point-123456789012.s3-accesspoint.eu-west-1.amazonaws.com/a/key?",
            "eu-west-1%2Fs3",
        ),
        (
            "s3://arn:aws:s3-outposts:eu-west-1:123456789012:outpost/op-01/accesspoint/point/key",
            "https://point-123456789012.op-01.s3-outposts.eu-west-1.amazonaws.com/key?",
            "eu-west-1%2Fs3-outposts",
        ),
    ],
)
def test_buckets_of_other_kinds(box: Machine, url: str, link: str, scope: str) -> None:
    made = _printed("presign", url, "--region=us-west-2", *_key(box))
    assert made.startswith(link)
    assert f"%2F{scope}%2Faws4_request" in made


def test_an_access_points_arn_says_its_region(box: Machine) -> None:
    made = _printed("presign", "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/point/key", *_key(box))
    assert ".s3-accesspoint.eu-west-1.amazonaws.com/key?" in made


def test_a_bucket_that_is_no_host(box: Machine) -> None:
    for bucket in ("under_score", "with.dots", "Capitals"):
        link = _printed("presign", f"s3://{bucket}/key", "--region=eu-west-1", *_key(box))
        assert link.startswith(f"https://s3.eu-west-1.amazonaws.com/{bucket}/key?")


REFUSED = {
    "no URL": (["sign", "example"], "must start with https://HOST"),
    "a host that says nothing": (["sign", "https://example/"], "give --service"),
    "no region": (["sign", "--service=s3", "https://example/"], "give --region"),
    "a service that is none": (
        ["sign", "--service=s 3", "--region=a", "https://example/"],
        "'s 3' is not a valid service",
    ),
    "a fragment": (["sign", "https://iam.amazonaws.com/#a"], "write %23"),
    "a user": (["presign", "https://me:secret@iam.amazonaws.com/"], "contains a user name"),
    "a host in another alphabet": (["sign", "https://ä.amazonaws.com/"], "IDNA"),
    "two bodies": (["sign", "-d", "a", "-T", "b", "https://iam.amazonaws.com/"], "give one body"),
    "no file": (["sign", "-T", "/dev/null/x", "https://iam.amazonaws.com/"], "/dev/null/x: Not a directory"),
    "a directory": (["sign", "-d", "@/tmp", "https://iam.amazonaws.com/"], "/tmp: Is a directory"),
    "no header": (["sign", "-H", "secret", "https://iam.amazonaws.com/"], "'Name: value'"),
    "an empty header": (["sign", "-H", "A:", "https://iam.amazonaws.com/"], "'A' has no value"),
    "a body of no name": (["sign", "-T", "", "https://iam.amazonaws.com/"], "the value must not be empty"),
    "data of no name": (["sign", "-d", "@", "https://iam.amazonaws.com/"], "the file name of the body is empty"),
    "a header in Latin-1": (["sign", "-H", "A: \udcff", "https://iam.amazonaws.com/"], "'A' is not UTF-8"),
    "a length of its own": (
        ["sign", "--output=http", "-H", "Transfer-Encoding: chunked", "https://iam.amazonaws.com/"],
        "Transfer-Encoding is derived from the body",
    ),
    "a header with two lines": (["sign", "-H", "A: b\nC: d", "https://iam.amazonaws.com/"], "line end"),
    "a method that is none": (["sign", "-X", "G T", "https://iam.amazonaws.com/"], "is not a valid HTTP method"),
    "an unsigned body": (
        ["sign", "--unsigned-payload", "https://iam.amazonaws.com/"],
        "is only for S3 over HTTPS",
    ),
    "an unsigned body in clear": (
        ["sign", "--unsigned-payload", *S3, "http://localhost/"],
        "is only for S3 over HTTPS",
    ),
    "a bucket that is none": (["presign", "s3://b/key"], "'b' is not a valid bucket name"),
    "no time": (["presign", "--expires=0", "https://iam.amazonaws.com/"], "1 to 604800 seconds"),
    "more than a week": (["presign", "--expires=604801", "https://iam.amazonaws.com/"], "1 to 604800 seconds"),
    "a time that is none": (["presign", "--expires=1h", "https://iam.amazonaws.com/"], "--expires '1h' is no"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_the_tpm_is_asked(case: str, without_tpm: Tool) -> None:
    words, text = REFUSED[case]
    told = without_tpm(*words)
    assert text in told.err
    assert (told.code, told.out, told.err.count("\n")) == (2, "", 1)
    assert "secret" not in told.err
