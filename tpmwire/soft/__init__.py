"""A TPM 2.0 in pure Python for learning and testing. It is not a secure TPM: its secrets are in this process.

with tpmwire.Tpm(SoftTransport()) as tpm:
    print(tpmwire.calls.random(tpm, 8).hex())

`frame` executes commands as specified in Part 3, §5. `commands` contains the command handlers, one module for
each chapter of Part 3. The soft TPM reads commands with the declarations of `tpmwire.spec`, as the client does.
"""

from .faults import Faults
from .transport import SoftTransport

__all__ = ["Faults", "SoftTransport"]
