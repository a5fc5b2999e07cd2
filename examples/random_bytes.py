"""Prints 16 random bytes of the TPM."""

import os

import tpmwire
from tpmwire import calls

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH")) as tpm:
    print(calls.random(tpm, 16).hex())
