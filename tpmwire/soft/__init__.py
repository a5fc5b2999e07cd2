"""A TPM 2.0 in pure Python, to learn with and to test with. It protects nothing: its secrets are in this process.

with tpmwire.Tpm(SoftTransport()) as tpm:
    print(tpmwire.calls.random(tpm, 8).hex())

The frame (`frame`) executes a command as Part 3, §5 says. `commands` has the handlers, one module for each chapter
of Part 3. Both ends of the wire use the declarations of `tpmwire.spec`.
"""

from .transport import SoftTransport

__all__ = ["SoftTransport"]
