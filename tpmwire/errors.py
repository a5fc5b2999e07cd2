"""The one error family of tpmwire. Whose fault it is decides the class; the message says what to do next."""

from typing import TYPE_CHECKING

from .constructs import construct

if TYPE_CHECKING:
    from .spec.constants import TPM_CC

__all__ = [
    "LOST",
    "CertificateError",
    "DecodeError",
    "DeviceBusyError",
    "EncodeError",
    "KeyFileError",
    "NoCertificateError",
    "NvError",
    "PolicyError",
    "SessionError",
    "TpmError",
    "TpmwireError",
    "TransportClosedError",
    "TransportError",
    "TransportTimeoutError",
    "UnusableCertificateError",
    "WireError",
]


class TpmwireError(Exception):
    """Base of every error that tpmwire raises on purpose."""


class WireError(TpmwireError, construct.ConstructError):  # type: ignore[misc]
    """Bytes and values do not fit together. For construct, in which wires nest, it is an error of its own."""


class EncodeError(WireError):
    """Our side's fault: a value has no wire form. `path` names the field."""

    def __init__(self, reason: str, path: tuple[str, ...] = ()) -> None:
        Exception.__init__(self, reason, path)
        self.reason = reason
        self.path = path

    def within(self, name: str) -> "EncodeError":
        """The same error seen from one structure further out."""
        return EncodeError(self.reason, (name, *self.path))

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}: {self.reason}" if self.path else self.reason


class DecodeError(WireError):
    """The peer's fault: the bytes are not what the standard says.

    `path` names the field, `offset` is where it starts (bytes from the start of what was parsed) and
    `left` how many bytes there were from there on.
    """

    def __init__(self, reason: str, offset: int = 0, left: int = 0, path: tuple[str, ...] = ()) -> None:
        Exception.__init__(self, reason, offset, left, path)
        self.reason = reason
        self.offset = offset
        self.left = left
        self.path = path

    def within(self, name: str, base: int = 0) -> "DecodeError":
        """The same error seen from one structure further out, which starts `base` octets earlier."""
        return DecodeError(self.reason, self.offset + base, self.left, (name, *self.path) if name else self.path)

    def __str__(self) -> str:
        where = f"{'.'.join(self.path)}: " if self.path else ""
        return f"{where}{self.reason} (at byte {self.offset}, {self.left} left)"


class TransportError(TpmwireError):
    """The way to the TPM does not work: no device, connection refused, a broken answer."""


class TransportTimeoutError(TransportError):
    """The TPM did not answer in time."""


class TransportClosedError(TransportError):
    """The other side closed the connection."""


class DeviceBusyError(TransportError):
    """Another process holds the device file (EBUSY) until the deadline."""


class SessionError(TpmwireError):
    """A response is not authentic: its HMAC does not hold, or its sessions are missing. Never retried."""


class KeyFileError(TpmwireError):
    """A key file is not a TSS2 PRIVATE KEY, or not one that can be used here."""


class CertificateError(TpmwireError):
    """A certificate of an endorsement key is broken, not trusted, or not this TPM's."""


class UnusableCertificateError(CertificateError):
    """A certificate is unreadable, expired, of an unsupported key or an unknown issuer: no sign of an attack."""


class NoCertificateError(CertificateError):
    """There is no certificate where one was looked for."""


class NvError(TpmwireError):
    """An NV index cannot be read: it was never written, is locked, or wants a policy."""


class PolicyError(TpmwireError):
    """A policy cannot be built, read, or satisfied."""


LOST = "after a clear the secret is gone: create a new access key, or other secret, and import it"
"""What to do about a key that was in the TPM and is no longer, or whose parent is not."""

_WRAPPED_FOR_ANOTHER = (
    "the TPM was cleared since its public key was exported (TPM2_Clear, a firmware reset), or the key was wrapped "
    "for another TPM or parent",
    "wrap the secret again, for the key that `tpmwire export-public` prints now",
)

_OF_COMMAND = {
    # TPM2_Clear and a firmware reset change the seed of parents: what was their child cannot be loaded again.
    (0x157, 0x09F): (
        "the TPM was cleared since the key was made (TPM2_Clear, a firmware reset), or the key belongs to another "
        "TPM or parent",
        LOST,
    ),
    # An RSA parent that is another cannot open the seed: libtpms says TPM_RC_FAILURE then, and goes on working.
    **dict.fromkeys(((0x156, 0x09F), (0x156, 0x084), (0x156, 0x101)), _WRAPPED_FOR_ANOTHER),
    (0x161, 0x09F): ("the TPM was reset or cleared since the context was saved", "make or load the object again"),
    (0x131, 0x0A2): (
        "",
        "check the key's or hierarchy's password; a TPM that was cleared has none, and lost its keys",
    ),
    # TPM2_PolicyPCR with a digest that the PCRs do not have now, as key files carry it: to the TPM a wrong value.
    (0x17F, 0x084): ("", "the PCR values differ from those the key was made for"),
    # To TPM2_Startup alone TPM_RC_INITIALIZE means the opposite (Part 3, §9.3).
    (0x144, 0x100): ("the TPM was started already", "nothing is left to do"),
}
"""What a code means, and what to do, where a command gives it another sense; empty where it does not."""


class TpmError(TpmwireError):
    """The TPM refused a command (TPM 2.0 Part 2, §6.6).

    `rc` is the whole response code as sent; `code` is the TPM's part of it without the format-one number, for
    comparison with `TPM_RC`. `layer` is the layer above the TPM that answered, such as 11 for the kernel's
    resource manager, or 0. `handle`, `parameter` and `session` are numbers from 1, or None; `handles` are the
    command's, where they are known. `hint` says what to do.
    """

    def __init__(self, rc: int, command: "TPM_CC | int | None" = None, handles: tuple[int, ...] = ()) -> None:
        super().__init__(rc, command, handles)
        from .spec.response_texts import explain

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
        """Adds to the message that the object at the refused handle is gone, as after TPM2_Clear."""
        self.description = (
            "no object at this handle: the TPM was cleared, or the key was evicted or never stored there"
        )
        self.hint = f"{LOST}; `tpmwire list` shows what the TPM holds"

    def _code_as_sent(self) -> str:
        if not self.layer:
            return f"0x{self.rc:03x}"
        from .spec.tss2_codes import LAYERS

        return f"0x{self.rc:08x} from {LAYERS[self.layer].purpose}"
