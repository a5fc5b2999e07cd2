"""Parses and builds files of tpm2-tools: pairs of tpm2_create, and saved contexts."""

from typing import Any

from ..errors import DecodeError, KeyFileError
from ..keys.context_file import build_context_file, parse_context_file
from ..primary import Loaded, read_loaded
from ..spec.structures import TPM2B_PRIVATE, TPM2B_PUBLIC
from ..tpm import Tpm
from .arguments import Item, reach
from .objects import Blob, load_context, save_context

__all__ = ["build_tools_pair", "load_context_file", "parse_tools_pair", "save_context_file"]

_PRIVATE: Any = TPM2B_PRIVATE


def parse_tools_pair(public: bytes, private: bytes) -> Blob:
    """Returns the object in the files of `tpm2_create -u PUBLIC -r PRIVATE`.

    Raises KeyFileError if a file is not valid.
    """
    try:
        return Blob(TPM2B_PUBLIC.parse(public), _PRIVATE.parse(private))
    except DecodeError as error:
        raise KeyFileError(f"not a pair of TPM2B_PUBLIC and TPM2B_PRIVATE: {error}") from error


def build_tools_pair(blob: Blob) -> tuple[bytes, bytes]:
    """Returns (content of PUBLIC, content of PRIVATE) for `tpm2_load -u PUBLIC -r PRIVATE`."""
    return TPM2B_PUBLIC.build(blob.public), _PRIVATE.build(blob.private)


def load_context_file(tpm: Tpm, data: bytes) -> Loaded:
    """Loads the object of a context file of tpm2-tools (`-c key.ctx`).

    Raises KeyFileError if the file is not valid.
    """
    return load_context(tpm, parse_context_file(data))


def save_context_file(tpm: Tpm, item: Item) -> bytes:
    """Returns the content of a context file of an object, for option `-c FILE` of tpm2-tools.

    The object stays loaded. The context cannot be loaded after a TPM reset.
    """
    with reach(tpm, item) as (handle, _):
        loaded = item if isinstance(item, Loaded) else read_loaded(tpm, handle)
        return build_context_file(save_context(tpm, loaded), loaded.name, loaded.public)
