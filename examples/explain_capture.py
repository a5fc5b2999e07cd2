"""Explains a recording of TPM commands: a log, a pcap, a capture of a bus or a trace."""

import sys
from pathlib import Path

from tpmwire import explain
from tpmwire.explain.readers.recordings import open_recording

if len(sys.argv) < 2:
    sys.exit("usage: explain_capture.py FILE")

with Path(sys.argv[1]).open("rb") as file:
    recording = open_recording(file, sys.argv[1])
    if isinstance(recording, bytes):
        sys.exit(f"{sys.argv[1]} is not a recording")
    for tree in explain.explain_stream(recording):
        print(explain.as_text(tree))
