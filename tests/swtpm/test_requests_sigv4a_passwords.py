"""A listener on the bus while a request is signed by SigV4A: no password goes by, not even the parent's."""

from pathlib import Path

from tests.support.interposer import Interposer
from tests.support.swtpm import Swtpm, tpm2
from tests.support.verbs import Tool

KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
OWNER = "the-owners-own"


def test_the_owners_password_stays_off_the_bus(tool: Tool, tmp_path: Path) -> None:
    """The key itself has none: what is to be hidden is that of the hierarchy above it."""
    hmac, v4a, word = (tmp_path / name for name in ("hmac.pem", "v4a.pem", "owner"))
    word.touch(0o600)
    word.write_text(OWNER)
    with Swtpm() as swtpm, Interposer(swtpm.path) as bus:
        tpm2(swtpm, "changeauth", "-c", "owner", OWNER)
        made = tool(
            *("import", "--out", hmac, "--sigv4a-out", v4a, "--aws-access-key-id", KEY_ID),
            *("--parent-auth-file", word, "--tpm-path", bus.path),
            stdin=SECRET,
        )
        assert made.code == 0, made.err
        before = len(bus.codes)
        signed = tool(
            *("presign", "--sigv4a", v4a, "--region-set", "*", f"--parentPass-file={word}", "--timeout", "20s"),
            *(f"--aws-access-key-id={KEY_ID}", f"--credential-file={hmac}", f"--tpm-path={bus.path}"),
            "https://bucket.s3.us-east-1.amazonaws.com/report.pdf",
        )
        assert signed.code == 0, signed.err
        assert "AWS4-ECDSA-P256-SHA256" in signed.out
        salt = ["ReadPublic", "CreatePrimary", "StartAuthSession", "FlushContext"]
        assert bus.codes[before:] == [*salt, "CreatePrimary", "Load", "Sign", "FlushContext", "FlushContext"]
        assert OWNER.encode() not in bus.octets
