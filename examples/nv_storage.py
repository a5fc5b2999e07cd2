"""Stores data in an NV index that everybody can read; writing requires a password."""

import os

import tpmwire
from tpmwire import TPMA_NV, Policy, PolicyAuthValue, calls

INDEX = 0x01500021
policy = Policy(PolicyAuthValue())
attributes = TPMA_NV.AUTHREAD | TPMA_NV.OWNERREAD | TPMA_NV.POLICYWRITE

with tpmwire.Tpm.open(os.environ.get("TPMWIRE_TPM_PATH"), timeout=60) as tpm:
    calls.nv_define(tpm, INDEX, 64, attributes, auth=b"a password", policy=policy)
    try:
        with calls.satisfy_policy(tpm, policy, auth=b"a password") as by:
            calls.nv_write(tpm, INDEX, b"serial number 4711".ljust(64), by=by)
        print(calls.nv_read(tpm, INDEX, authority=tpmwire.TPM_RH.OWNER).decode().strip())
    finally:
        calls.nv_undefine(tpm, INDEX)
