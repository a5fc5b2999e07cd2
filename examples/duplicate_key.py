"""Copies a key to another TPM: `duplicate_key.py PATH PATH` with the paths of both TPMs."""

import sys

import tpmwire
from tpmwire import TPM_CC, Policy, PolicyCommandCode, calls, templates

with tpmwire.Tpm.open(sys.argv[2], timeout=60) as target:
    storage_key = calls.create_primary(target).public

policy = Policy(PolicyCommandCode(TPM_CC.Duplicate))
template = templates.parse_template("hmac", "sensitivedataorigin|userwithauth|sign", policy=policy)

with tpmwire.Tpm.open(sys.argv[1], timeout=60) as source:
    parent = calls.create_primary(source)
    key = calls.load(source, parent, calls.create(source, parent, template))
    before = calls.hmac(source, key, b"data")
    with calls.satisfy_policy(source, policy) as by:
        wrapped = calls.duplicate(source, key, storage_key, by=by)

with tpmwire.Tpm.open(sys.argv[2], timeout=60) as target:
    parent = calls.create_primary(target)
    copy = calls.load(target, parent, calls.import_wrapped(target, parent, wrapped))
    print(calls.hmac(target, copy, b"data") == before)
