"""A key argument on the command line: a persistent handle, a key file, or a context file of tpm2-tools."""

import contextlib
import os
from collections.abc import Iterator
from typing import TypeVar

from tpmwire.errors import KeyFileError
from tpmwire.keys.context_file import parse_context_file
from tpmwire.keys.keyfile import parse
from tpmwire.keys.tools_files import MAGIC
from tpmwire.secret import EMPTY_AUTH, Secret
from tpmwire.spec.commands.context import ContextLoad
from tpmwire.spec.structures import TPMS_CONTEXT
from tpmwire.tpm import Tpm
from tpmwire.use.key import Key

from ..terminal.files import read_small
from ..terminal.messages import UsageError

__all__ = ["KEY_FORMS", "NamedKey", "parse_handle", "use_key"]

KEY_FORMS = "a handle such as 0x81010003, a key file, or a context file of tpm2-tools"

K = TypeVar("K", bound=Key)


class NamedKey:
    """A key argument, whose file is read before the TPM is opened.

    Raises UsageError if the argument is not a key, KeyFileError if the file is not valid.
    """

    def __init__(self, text: str) -> None:
        self.handle: int | None = None
        self.context: TPMS_CONTEXT | None = None
        self.file = None
        if not os.path.exists(text):
            self.handle = parse_handle(text)
            if self.handle is None:
                raise UsageError(f"{text!r} is not an existing file; expected {KEY_FORMS}")
            return
        data = read_small(text)
        try:
            if data.startswith(MAGIC):
                self.context = parse_context_file(data)
            else:
                self.file = parse(data)
        except KeyFileError as error:
            hint = str(error).replace("`tpmwire import`", "`tpmwire ak`")  # an attestation key is not imported
            error.args = (f"{text}: {hint}",)
            raise


def parse_handle(text: str) -> int | None:
    """Returns the handle in a text such as 0x81010003, or None if the text is not a handle."""
    try:
        value = int(text, 0)
    except ValueError:
        return None
    return value if 0 < value <= 0xFFFFFFFF else None


@contextlib.contextmanager
def use_key(
    tpm: Tpm,
    named: NamedKey,
    kind: type[K],
    auth: Secret = EMPTY_AUTH,
    parent_auth: Secret = EMPTY_AUTH,
    *,
    protected: bool = False,
) -> Iterator[K]:
    """Yields the key as an object of class `kind`. Flushes the object of a context file at the end.

    `auth` is the key's password, `parent_auth` the password of its parent or hierarchy. A salted session protects
    passwords. If `protected` is true, it also encrypts parameters when no password is given.
    """
    protected = protected or bool(auth or parent_auth)
    handle = named.handle
    if named.context is not None:
        handle = tpm.execute(ContextLoad(named.context)).loaded_handle
    try:
        yield kind(file=named.file, handle=handle, auth=auth, parent_auth=parent_auth, protected=protected)
    finally:
        if named.context is not None and handle is not None:
            tpm.flush(handle)
