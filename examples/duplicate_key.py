"""Copies a key to another TPM: `duplicate_key.py PATH PATH` with the paths of both TPMs."""

import sys

import tpmwire
from tpmwire import TPM_CC, Policy, PolicyCommandCode, calls, templates

first, second = sys.argv[1:3] if len(sys.argv) > 2 else sys.exit("usage: duplicate_key.py PATH PATH")

with tpmwire.Tpm.open(second, timeout=60) as target:
    storage_key = calls.create_primary(target).public
policy = Policy(PolicyCommandCode(TPM_CC.Duplicate))
template = templates.parse_template("hmac", "sensitivedataorigin|userwithauth|sign", policy=policy)

with tpmwire.Tpm.open(first, timeout=60) as source:
    parent = calls.create_primary(source)
    key = calls.load(source, parent, calls.create(source, parent, template))
    before = calls.hmac(source, key, b"data")
    with calls.satisfy_policy(source, policy) as by:
        wrapped = calls.duplicate(source, key, storage_key, by=by)

with tpmwire.Tpm.open(second, timeout=60) as target:
    parent = calls.create_primary(target)
    copy = calls.load(target, parent, calls.import_wrapped(target, parent, wrapped))
    print(calls.hmac(target, copy, b"data") == before)
