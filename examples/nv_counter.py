"""Creates a counter in the TPM that can only increase, and increments it."""

import os

import tpmwire
from tpmwire import TPM_NT, calls

INDEX = 0x01500020

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    calls.nv_define(tpm, INDEX, 8, kind=TPM_NT.COUNTER)
    try:
        for _ in range(3):
            calls.nv_increment(tpm, INDEX)
            print(int.from_bytes(calls.nv_read(tpm, INDEX), "big"))
    finally:
        calls.nv_undefine(tpm, INDEX)
