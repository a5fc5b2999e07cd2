"""Explains commands and responses byte by byte: as a tree, as text, as JSON.

>>> from tpmwire import explain
>>> tree = explain.explain_command(bytes.fromhex("80010000000c0000017b0010"))
>>> print(explain.as_text(tree).splitlines()[-1])
000a  00 10                       bytesRequested: 16  [UINT16]
"""

from .message import explain_command, explain_response
from .recording import Recording, explain_recording, explain_stream
from .show import as_json, as_text
from .tree import Node

__all__ = [
    "Node",
    "Recording",
    "as_json",
    "as_text",
    "explain_command",
    "explain_recording",
    "explain_response",
    "explain_stream",
]
