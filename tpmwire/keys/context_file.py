"""Context files of tpm2-tools (`-c key.ctx`): a saved context with a header."""

from ..errors import KeyFileError
from ..spec.structures import TPMS_CONTEXT, TPMT_PUBLIC
from .tools_files import IESYS_CONTEXT_DATA, IESYS_METADATA, IESYS_RESOURCE, MAGIC, ObjectContextFile

__all__ = ["build_context_file", "parse_context_file"]


def parse_context_file(data: bytes) -> TPMS_CONTEXT:
    """Returns the context in a file of `tpm2_load -c` or `tpm2_createprimary -c`.

    The file contains the fields of TPMS_CONTEXT in a different order. tpm2-tss adds 4 zero bytes and a size before
    the TPM's data, and metadata after them. Raises KeyFileError if the file is not valid.
    """
    size = int.from_bytes(data[24:26], "big")
    if data[:8] != MAGIC + b"\0\0\0\1" or len(data) != 26 + size:
        raise KeyFileError("not a context file of tpm2-tools (version 1)")
    hierarchy, handle, sequence = (int.from_bytes(data[a:b], "big") for a, b in ((8, 12), (12, 16), (16, 24)))
    blob = data[26:]
    inner = blob[6 : 6 + int.from_bytes(blob[4:6], "big")] if blob.startswith(bytes(4)) else blob
    return TPMS_CONTEXT(sequence, handle, hierarchy, inner)


def build_context_file(context: TPMS_CONTEXT, name: bytes, public: TPMT_PUBLIC) -> bytes:
    """Returns a context file of an object with this Name and public area, for tools with libtss2-esys."""
    resource = IESYS_RESOURCE(context.saved_handle, name, 1, public)
    blob = IESYS_CONTEXT_DATA(0, context.context_blob, IESYS_METADATA(0, resource))
    return ObjectContextFile(MAGIC, 1, context.hierarchy, context.saved_handle, context.sequence, blob).build()
