"""The interface that field readers use: earlier results, files, and objects of the TPM."""

from typing import Any, Protocol

from tpmwire.spec.structures import TPMT_PUBLIC

from .sources import Files
from .values import Values

__all__ = ["ScriptScope"]


class ScriptScope(Protocol):
    """Earlier results, files, and entities of the TPM.

    `public` means that other users can read the text, as on a command line: secret fields are then accepted as
    @FILE only. `dry` means that the TPM is not asked: what it would return is UNKNOWN.
    """

    values: Values
    files: Files
    public: bool
    dry: bool

    def load(self, data: bytes, where: str) -> int:
        """Loads a context file of tpm2-tools, and returns the handle."""

    def name_of(self, handle: int) -> Any:
        """Returns the Name of the entity at a handle."""

    def public_of(self, handle: int) -> TPMT_PUBLIC | None:
        """Returns the public area of a loaded object; None if it is not known."""

    def nv_public_of(self, handle: int) -> Any:
        """Returns the public area of an NV index; None if it is not known."""

    def find_name(self, name: bytes, where: str) -> int:
        """Returns the handle of the object with this Name."""

    def is_open(self, handle: int) -> bool:
        """Returns whether the TPM still has this transient object or session."""

    def policy_digest(self, text: str, where: str) -> Any:
        """Returns the policy digest of policy steps such as `pcr:sha256:7`; None if the text is not one."""
