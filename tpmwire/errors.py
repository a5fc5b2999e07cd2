"""The exceptions of tpmwire. Each class stands for one kind of cause; each message names the next step."""

from __future__ import annotations

from .constructs import construct
from .spec.codes import (
    TPM_RC_BAD_AUTH,
    TPM_RC_FAILURE,
    TPM_RC_INITIALIZE,
    TPM_RC_INTEGRITY,
    TPM_RC_SIZE,
    TPM_RC_VALUE,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # late: spec.constants imports record, which imports this module
    from .spec.constants import TPM_CC

__all__ = [
    "CREATE_ONE",
    "LOST",
    "AttestationError",
    "CertificateError",
    "DecodeError",
    "DeviceBusyError",
    "EncodeError",
    "InputError",
    "InvalidAddressError",
    "KeyFileError",
    "NoCertificateError",
    "NvError",
    "PolicyError",
    "SessionError",
    "SignatureError",
    "TpmError",
    "TpmwireError",
    "TransportClosedError",
    "TransportError",
    "TransportTimeoutError",
    "UnusableCertificateError",
    "WireError",
    "WrongPathError",
]


class TpmwireError(Exception):
    """Base class of the errors that tpmwire raises deliberately."""


class WireError(TpmwireError, construct.ConstructError):  # type: ignore[misc]
    """Bytes cannot be parsed, or values cannot be built, as declared.

    WireError is also a ConstructError, because tpmwire's constructs can nest in construct's classes.
    """


class EncodeError(WireError):
    """A value cannot be encoded, which is the caller's fault. `path` names the field."""

    def __init__(self, reason: str, path: tuple[str, ...] = ()) -> None:
        Exception.__init__(self, reason, path)
        self.reason = reason
        self.path = path

    def within(self, name: str) -> EncodeError:
        """Returns a copy of the error with `name` before the path.

        `name` is the field or structure that encloses the path.
        """
        return EncodeError(self.reason, (name, *self.path))

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.reason}" if self.path else self.reason


class DecodeError(WireError):
    """Bytes do not follow the standard, which is the sender's fault.

    `path` names the field. `offset` is the error's position in the parsed bytes, and `left` the number of bytes
    from this position to the end.
    """

    def __init__(self, reason: str, offset: int = 0, left: int = 0, path: tuple[str, ...] = ()) -> None:
        Exception.__init__(self, reason, offset, left, path)
        self.reason = reason
        self.offset = offset
        self.left = left
        self.path = path

    def within(self, name: str, base: int = 0) -> DecodeError:
        """Returns a copy of the error with `name` before the path, and `base` added to the offset.

        `name` is the field or structure that encloses the path; an empty name is not added. `base` is the number
        of bytes before the parsed bytes in the enclosing structure.
        """
        return DecodeError(self.reason, self.offset + base, self.left, (name, *self.path) if name else self.path)

    def __str__(self) -> str:
        where = f"{'.'.join(self.path)}: " if self.path else ""
        return f"{where}{self.reason} (at byte {self.offset}, {self.left} left)"


class InputError(TpmwireError):
    """An input is damaged, or is not in a format that tpmwire reads."""


class TransportError(TpmwireError):
    """The TPM cannot be reached: missing device, refused connection, or invalid response.

    `setting` is "path" or "timeout" if a different value of this setting may help, else "". A program can then
    name its own option for the setting in the error message.
    """

    setting = ""


class WrongPathError(TransportError):
    """The path of the TPM is not the path of a TPM device or socket."""

    setting = "path"


class InvalidAddressError(InputError, TransportError):
    """The TPM's address is not a path, HOST:PORT, or another of the formats that `Tpm.open` accepts."""

    setting = "path"


class TransportTimeoutError(TransportError):
    """The TPM did not respond within the timeout."""

    setting = "timeout"


class TransportClosedError(TransportError):
    """The other side closed the connection."""


class DeviceBusyError(TransportError):
    """Another process had the device file open (EBUSY) until the deadline."""


class SessionError(TpmwireError):
    """A command cannot be protected by its sessions, or a response is not authentic. Never retried.

    For example, an HMAC is invalid, an authorization or a cipher is missing, or the salt key is weak or not the
    pinned one.
    """


class SignatureError(TpmwireError):
    """A signature is not valid for the key and the signed data."""


class AttestationError(TpmwireError):
    """An attestation is not acceptable: forged, for another nonce, or about an unexpected state.

    `check` names the failed check, such as "signature", "nonce" or "PCR values".
    """

    def __init__(self, check: str, reason: str) -> None:
        super().__init__(check, reason)
        self.check = check
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.check}: {self.reason}"


class KeyFileError(TpmwireError):
    """A file is not a TSS2 PRIVATE KEY, or contains no usable key."""


class CertificateError(TpmwireError):
    """A certificate of an endorsement or attestation key is invalid, not trusted, or of a different TPM."""


class UnusableCertificateError(CertificateError):
    """A certificate is unusable, but not a sign of an attack.

    The certificate is unreadable or expired, or has an unsupported key or an unknown issuer.
    """


class NoCertificateError(CertificateError):
    """The TPM has no certificate for the endorsement key."""


class NvError(TpmwireError):
    """An NV index cannot be read: it has not been written, is locked, or requires a policy."""


class PolicyError(TpmwireError):
    """A policy cannot be built, read, or satisfied."""


LOST = "a clear erases the secret: create a new access key, or a new secret, and import it"
"""Next step for a key that is no longer in the TPM, or whose parent is not."""

CREATE_ONE = "create a TPM key with `tpmwire import`"
"""Next step for a file that is not a TPM key."""

_WRAPPED_FOR_ANOTHER = (
    "the TPM was cleared since its public key was exported (TPM2_Clear, a firmware reset), or the key was wrapped "
    "for a different TPM or parent",
    "wrap the secret again, for the key that `tpmwire export-public` prints now",
)

_CREDENTIAL_FOR_ANOTHER = (
    "the credential is for another TPM, another endorsement key, or another key",
    "compare the Names of both keys with those that `makecredential` got",
)

# Command codes. spec.constants has them, but imports this module.
_NV_DEFINE_SPACE, _CREATE_PRIMARY, _STARTUP, _ACTIVATE_CREDENTIAL = 0x12A, 0x131, 0x144, 0x147
_IMPORT, _LOAD, _CONTEXT_LOAD, _POLICY_PCR = 0x156, 0x157, 0x161, 0x17F

_UNDECRYPTABLE = (TPM_RC_INTEGRITY, TPM_RC_VALUE, TPM_RC_FAILURE)
"""Codes for a secret that was encrypted to another key."""

_OF_COMMAND = {
    # TPM2_Clear and a firmware reset change the seed of parents; their children can no longer be loaded.
    (_LOAD, TPM_RC_INTEGRITY): (
        "the TPM was cleared since the key was created (TPM2_Clear, a firmware reset), or the key belongs to "
        "another TPM or parent",
        LOST,
    ),
    # With another RSA parent, which cannot decrypt the seed, libtpms returns TPM_RC_FAILURE but keeps working.
    **{(_IMPORT, code): _WRAPPED_FOR_ANOTHER for code in _UNDECRYPTABLE},
    **{(_ACTIVATE_CREDENTIAL, code): _CREDENTIAL_FOR_ANOTHER for code in _UNDECRYPTABLE},
    (_CONTEXT_LOAD, TPM_RC_INTEGRITY): (
        "the TPM was reset or cleared since the context was saved",
        "create or load the object again",
    ),
    (_CREATE_PRIMARY, TPM_RC_BAD_AUTH): (
        "",
        "check the key's or hierarchy's password; a TPM that was cleared has neither passwords nor keys",
    ),
    # A key file's TPM2_PolicyPCR contains a digest. If the PCRs' digest differs, the TPM returns TPM_RC_VALUE.
    (_POLICY_PCR, TPM_RC_VALUE): ("", "the PCR values differ from those in the key's policy"),
    (_NV_DEFINE_SPACE, TPM_RC_SIZE): (
        "the NV index is larger than this TPM allows, or its size does not fit its type",
        "use at most TPM_PT_NV_INDEX_MAX bytes; a counter or bit field has 8",
    ),
    # For TPM2_Startup, TPM_RC_INITIALIZE has the opposite meaning (Part 3, §9.3).
    (_STARTUP, TPM_RC_INITIALIZE): ("the TPM has already executed TPM2_Startup", "nothing to do"),
}
"""Meaning and next step of codes with another sense for one command; an empty text keeps the general one."""


class TpmError(TpmwireError):
    """The TPM refused a command (TPM 2.0 Part 2, §6.6).

    `rc` is the complete response code. `code` is the response code without the numbers of handle, parameter or
    session, for comparison with `TPM_RC`. `layer` is the layer above the TPM that returned the code, such as 11
    for the kernel's resource manager, or 0 for the TPM. `handle`, `parameter` and `session` are numbers from 1, or
    None. `handles` are the command's handles, if known. `hint` is the next step for the user. `setting` is
    "policy" if the key's policy may be missing, else "".
    """

    def __init__(self, rc: int, command: TPM_CC | int | None = None, handles: tuple[int, ...] = ()) -> None:
        super().__init__(rc, command, handles)
        from .spec.response_texts import explain  # late: a run without errors must not load it

        meaning = explain(rc)
        self.rc = rc
        self.command = command
        self.code = meaning.code
        self.name = meaning.name
        own = _OF_COMMAND.get((command or 0, meaning.code), ("", meaning.hint))
        self.description = own[0] or meaning.description
        self.hint = own[1]
        self.handle = meaning.handle
        self.handles = handles
        self.parameter = meaning.parameter
        self.session = meaning.session
        self.warning = meaning.warning
        self.vendor = meaning.vendor
        self.layer = meaning.layer
        self.setting = "policy" if meaning.name == "TPM_RC_AUTH_UNAVAILABLE" else ""

    def __str__(self) -> str:
        where = ""
        if self.handle is not None:
            known = "" if self.refused_handle is None else f", 0x{self.refused_handle:08x}"
            where = f" (handle {self.handle}{known})"
        elif self.parameter is not None:
            where = f" (parameter {self.parameter})"
        elif self.session is not None:
            where = f" (session {self.session})"
        command = f"TPM2_{getattr(self.command, 'name', self.command)}: " if self.command is not None else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{command}{self.name}{where}: {self.description}{hint} [{self._code_as_sent()}]"

    @property
    def refused_handle(self) -> int | None:
        """Returns the command's handle that the TPM refused; None if the error is not about a handle."""
        known = self.handle is not None and self.handle <= len(self.handles)
        return self.handles[self.handle - 1] if known and self.handle is not None else None

    def say_gone(self) -> None:
        """Replaces description and hint: the refused handle has no object, for example because of TPM2_Clear."""
        self.description = (
            "no object at this handle: the TPM was cleared, or the key was evicted or never stored there"
        )
        self.hint = f"{LOST}; `tpmwire list` lists the objects in the TPM"

    def _code_as_sent(self) -> str:
        if not self.layer:
            return f"0x{self.rc:03x}"
        from .spec.tss2_codes import LAYERS  # late: a run without errors must not load it

        return f"0x{self.rc:08x} from {LAYERS[self.layer].purpose}"
