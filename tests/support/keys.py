"""HMAC keys made as the Go program's README tells its users to: by tpm2-tools."""

import tempfile
from pathlib import Path

from tests.support.swtpm import Swtpm, tpm2

__all__ = ["PASSWORD", "PASSWORD_HANDLE", "PCR_HANDLE", "PLAIN_HANDLE", "make_keys"]

PLAIN_HANDLE, PCR_HANDLE, PASSWORD_HANDLE, BOTH_HANDLE = 0x81010002, 0x81010003, 0x81010004, 0x81010005
SRK_HANDLE = 0x81000001
PASSWORD = "testpwd"
ATTRIBUTES = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt"


def make_keys(swtpm: Swtpm, secret: str, out: Path) -> None:
    """Puts `"AWS4" + secret` into the TPM: plain, bound to PCR 23, with a password, and bound with a password.

    Persistent at the handles above, and as plain.pem, pcr.pem, password.pem, both.pem in `out`; plain-srk.pem is
    under a persistent parent, the storage root key at SRK_HANDLE.
    """
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "hmac.key").write_text("AWS4" + secret)
        (directory / "unique.dat").write_bytes(bytes(2))

        def run(*args: str) -> None:
            tpm2(swtpm, *args, cwd=directory)

        def free() -> None:
            # tpm2_import leaves its session behind.
            run("tpm2_flushcontext", "-t")
            run("tpm2_flushcontext", "-l")

        primary = ("tpm2_createprimary", "-C", "o", "-G", "ecc", "-g", "sha256")
        run(*primary, "-c", "h2.ctx", "-a", ATTRIBUTES, "-u", "unique.dat")
        free()
        run("tpm2_createprimary", "-C", "o", "-G", "ecc256", "-c", "srk.ctx")
        run("tpm2_evictcontrol", "-C", "o", "-c", "srk.ctx", f"{SRK_HANDLE:#x}")
        free()
        for policy in ("pcr", "authvalue"):
            run("tpm2_startauthsession", "-S", "session.dat")
            run("tpm2_policypcr", "-S", "session.dat", "-l", "sha256:23", "-L", f"{policy}.policy")
            if policy == "authvalue":
                run("tpm2_policyauthvalue", "-S", "session.dat", "-L", f"{policy}.policy")
            run("tpm2_flushcontext", "session.dat")
        for file, parent, handle, options in (
            ("plain", "h2.ctx", PLAIN_HANDLE, ()),
            ("pcr", "h2.ctx", PCR_HANDLE, ("-L", "pcr.policy", "-a", "sign|noda")),
            ("password", "h2.ctx", PASSWORD_HANDLE, ("-p", PASSWORD)),
            ("both", "h2.ctx", BOTH_HANDLE, ("-p", PASSWORD, "-L", "authvalue.policy", "-a", "sign|noda")),
            ("plain-srk", f"{SRK_HANDLE:#x}", None, ()),
        ):
            areas = ("-u", f"{file}.pub", "-r", f"{file}.priv")
            run("tpm2_import", "-C", parent, "-G", "hmac", "-i", "hmac.key", *areas, *options)
            free()
            run("tpm2_encodeobject", "-C", parent, *areas, "-o", str(out / f"{file}.pem"))
            free()
            if handle is not None:
                run("tpm2_load", "-C", parent, *areas, "-c", "key.ctx")
                run("tpm2_evictcontrol", "-C", "o", "-c", "key.ctx", f"{handle:#x}")
                free()
