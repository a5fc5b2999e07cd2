"""Records the run in docs/tour/: commands and responses of a real TPM (swtpm), and the values that the host chose.

The run starts from the state and key files in fixtures/keys, so keys and Names are the same in every run. The
nonces, the salt and the values derived from them are new each time.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

from sigv4.request import Request
from sigv4.signer import Signer
from sigv4.sts import GetSessionToken
from tests.support.swtpm import Swtpm
from tpmwire import calls
from tpmwire.channel import create_primary
from tpmwire.crypto.formulas import kdfe
from tpmwire.crypto.pure.curves import P256
from tpmwire.keys.keyfile import parse
from tpmwire.keys.templates import h2_primary, srk_rsa
from tpmwire.policy.pcr_selection import parse_pcrs
from tpmwire.policy.statements import PolicyPCR
from tpmwire.secret import Secret
from tpmwire.sessions import SessionStart
from tpmwire.spec.commands.objects import Load, ReadPublic
from tpmwire.spec.commands.policies import PolicyGetDigest
from tpmwire.spec.commands.symmetric import HMAC
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPM_SE
from tpmwire.spec.structures import TPMS_ECC_POINT, TPMT_SYM_DEF
from tpmwire.tpm import Tpm
from tpmwire.transport import open_transport

__all__ = ["record"]

KEYS = Path(__file__).parents[1] / "fixtures" / "keys"
NOON = 1795521600.0
"""2026-11-24 12:00:00 UTC, in seconds since 1970."""

KEY, SRK, MESSAGE = 0x81010002, 0x81000001, b"20261124"
PASSWORD, SECRET = b"swordfish", b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Recorder:
    """A transport that stores a command and its response under `name`, if a name is set."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self.values: dict[str, str] = {}
        self.name = ""

    def transceive(self, command: bytes) -> bytes:
        """Sends a command, and stores the command and the response. Returns the response."""
        response: bytes = self._transport.transceive(command)
        if self.name:
            self.values[f"{self.name}_command"] = command.hex()
            self.values[f"{self.name}_response"] = response.hex()
            # A TPM may ask for the same bytes again (TPM_RC_RETRY).
            if response[6:10] == bytes(4):
                self.name = ""
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def record() -> dict[str, str]:
    """Runs the tour, and returns bytes in hex by name: NAME_command, NAME_response, and the host's secrets.

    Raises SwtpmError if swtpm fails.
    """
    with Swtpm(state=KEYS / "swtpm-state") as swtpm:
        recorder: Any = Recorder(open_transport(swtpm.path, 30.0))
        with Tpm(recorder) as tpm:
            _record_plain(tpm, recorder)
            _policy(tpm, recorder)
            _record_salted(tpm, recorder)
            _file(tpm, recorder)
            _request(tpm, recorder)
            _record_bound(tpm, recorder)
    return dict(recorder.values)


def _record_plain(tpm: Tpm, recorder: Recorder) -> None:
    recorder.name = "hmac"
    tpm.execute(HMAC(KEY, MESSAGE))


def _policy(tpm: Tpm, recorder: Recorder) -> None:
    file = parse((KEYS / "hmac-pcr.pem").read_bytes())
    parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
    key = tpm.execute(Load(parent.handle, file.private, file.public))
    tpm.flush(parent.handle)
    recorder.values["policy_public"] = file.public.build().hex()
    recorder.name = "policy_start"
    session = tpm.start_session(SessionStart(TPM_SE.POLICY))
    recorder.name = "policy_pcr"
    tpm.execute(PolicyPCR(b"", parse_pcrs("sha256:23")).command(session.handle))
    recorder.name = "policy_digest"
    tpm.execute(PolicyGetDigest(session.handle))
    recorder.name = "policy_hmac"
    tpm.execute(HMAC(key.object_handle, MESSAGE), session.use(keep=False))
    tpm.flush(key.object_handle)


def _record_salted(tpm: Tpm, recorder: Recorder) -> None:
    recorder.name = "salted_srk"
    srk = tpm.execute(ReadPublic(SRK)).out_public.unique
    assert isinstance(srk, TPMS_ECC_POINT)
    scalar = P256.random_scalar()
    x, y = (number.to_bytes(32, "big") for number in P256.multiply(scalar, P256.g))
    shared = P256.multiply(scalar, (int.from_bytes(srk.x, "big"), int.from_bytes(srk.y, "big")))[0]
    salt = Secret(kdfe(TPM_ALG.SHA256, shared.to_bytes(32, "big"), b"SECRET", x, srk.x, 256))
    recorder.values["salted_scalar"] = scalar.to_bytes(32, "big").hex()
    recorder.name = "salted_start"
    session = tpm.start_session(
        SessionStart(
            symmetric=TPMT_SYM_DEF(TPM_ALG.XOR, TPM_ALG.SHA256),
            tpm_key=SRK,
            salt=salt,
            encrypted_salt=TPMS_ECC_POINT(x, y).build(),
        )
    )
    # Reads the key's public area, for its Name.
    recorder.name = "salted_key"
    tpm.name(KEY)
    recorder.name = "salted_hmac"
    tpm.execute(HMAC(KEY, MESSAGE), session.use(keep=False, decrypt=True, encrypt=True))


def _file(tpm: Tpm, recorder: Recorder) -> None:
    file = parse((KEYS / "hmac.pem").read_bytes())
    parent = create_primary(tpm, TPM_RH.OWNER, h2_primary())
    recorder.name = "file_load"
    key = tpm.execute(Load(parent.handle, file.private, file.public))
    recorder.name = "file_hmac"
    tpm.execute(HMAC(key.object_handle, MESSAGE))


def _request(tpm: Tpm, recorder: Recorder) -> None:
    """Signs the last request of the tour with sigv4's signer and an HMAC key in the TPM.

    The recorder stores the parts of the request.
    """
    signer = Signer("AKIAIOSFODNN7EXAMPLE", lambda message: tpm.execute(HMAC(KEY, message)).out_hmac)
    form = ("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
    request = Request("POST", "https://sts.amazonaws.com/", [form], GetSessionToken(duration_seconds=3600).form())
    signed = signer.sign(request, "us-east-1", "sts", NOON)
    text = "\n".join(f"{name}: {value}" for name, value in signed.headers)
    recorder.values["request_headers"] = text.encode().hex()
    assert isinstance(signed.body, bytes)
    recorder.values["request_body"] = signed.body.hex()


def _record_bound(tpm: Tpm, recorder: Recorder) -> None:
    """Uses a key with a password in a session that is bound to it, salted to an RSA key, and encrypts with AES."""
    tpm.flush_opened()
    parent = calls.create_primary(tpm, srk_rsa())
    blob = calls.create(tpm, parent, "hmac", auth=PASSWORD, data=b"AWS4" + SECRET)
    key = calls.load(tpm, parent, blob)
    salt, seed = os.urandom(32), os.urandom(32)
    modulus = parent.public.unique
    assert isinstance(modulus, bytes)
    encrypted = pow(int.from_bytes(_encode_oaep(salt, seed), "big"), 65537, int.from_bytes(modulus, "big"))
    recorder.values["bound_modulus"] = modulus.hex()
    recorder.values["bound_name"] = key.name.hex()
    recorder.values["bound_salt"], recorder.values["bound_seed"] = salt.hex(), seed.hex()
    recorder.name = "bound_start"
    session = tpm.start_session(
        SessionStart(
            symmetric=TPMT_SYM_DEF(TPM_ALG.AES, 128, TPM_ALG.CFB),
            tpm_key=parent.handle,
            salt=Secret(salt),
            encrypted_salt=encrypted.to_bytes(256, "big"),
            bind=key.handle,
            bind_name=key.name,
            bind_auth=Secret(PASSWORD),
        )
    )
    recorder.name = "bound_hmac"
    tpm.execute(HMAC(key.handle, MESSAGE), session.use(PASSWORD, keep=False, decrypt=True, encrypt=True))


def _encode_oaep(message: bytes, seed: bytes) -> bytes:
    """Returns the OAEP encoding with SHA-256 and the label SECRET, for a key of 2048 bits (RFC 8017, §7.1.1)."""
    block = hashlib.sha256(b"SECRET\0").digest() + bytes(256 - 2 - 64 - len(message)) + b"\1" + message
    masked = _xor(block, _mgf1(seed, len(block)))
    return b"\0" + _xor(seed, _mgf1(masked, len(seed))) + masked


def _mgf1(seed: bytes, size: int) -> bytes:
    blocks = (hashlib.sha256(seed + n.to_bytes(4, "big")).digest() for n in range(size // 32 + 1))
    return b"".join(blocks)[:size]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
