"""What a TPM holds, by tpm2-tools: handles and Names; and things that careless programs leave."""

import re
from pathlib import Path

from tests.support.swtpm import Swtpm, tpm2
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.sequences import HMAC_Start
from tpmwire.spec.constants import TPM_CC, TPM_SE
from tpmwire.tpm import Tpm

__all__ = ["handles", "is_command", "leave_things", "name_at"]


def name_at(swtpm: Swtpm, handle: str, directory: Path) -> str:
    """Returns the Name of the object at a handle, in hex."""
    tpm2(swtpm, "readpublic", "-c", handle, "-n", directory / "name")
    return (directory / "name").read_bytes().hex()


def is_command(octets: bytes, code: TPM_CC) -> bool:
    return octets[6:10] == code.to_bytes(4, "big")


def handles(swtpm: Swtpm, kind: str) -> list[str]:
    """Returns the handles that tpm2-tools list, as `tpmwire list` prints them."""
    listed = re.findall(r"0x[0-9A-Fa-f]+", tpm2(swtpm, "getcap", f"handles-{kind}").decode())
    return [f"0x{int(handle, 16):08x}" for handle in listed]


def leave_things(swtpm: Swtpm, directory: Path) -> None:
    """What careless programs leave behind: two objects, two loaded sessions, two saved ones."""
    for number in range(2):
        tpm2(swtpm, "startauthsession", "-S", directory / f"saved{number}.ctx")
    tpm = Tpm.open(swtpm.path, 20)
    tpm.start_session(SessionStart())
    tpm.start_session(SessionStart(TPM_SE.POLICY))
    # A sequence object has no public area.
    tpm.execute(HMAC_Start(0x81010009))
    tpm.transport.close()
    tpm2(swtpm, "createprimary", "-c", directory / "primary.ctx")
