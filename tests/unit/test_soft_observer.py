"""The soft TPM tells its internal steps: all kinds, with correct values, and no secret unless one is asked for."""

import hashlib
import re

import pytest

from tpmwire import Policy, calls, commands
from tpmwire.channel import open_session
from tpmwire.crypto.formulas import kdfa
from tpmwire.errors import TpmError
from tpmwire.sessions import Password
from tpmwire.soft import SoftTransport
from tpmwire.spec.constants import TPM_ALG, TPM_RH, TPM_SE
from tpmwire.tpm import Tpm

Steps = list[tuple[str, str]]

PASSWORD, SEALED, OWNER = b"a password", b"what is to be kept", b"the owner's password"


def watch(*, show_secrets: bool = False) -> tuple[Steps, list[bytes]]:
    """Runs commands of many kinds on a soft TPM. Returns (its steps, its secrets)."""
    steps: Steps = []
    transport = SoftTransport(b"seed", observe=lambda *step: steps.append(step), show_secrets=show_secrets)
    machine = transport.machine
    with Tpm(transport) as tpm:
        tpm.execute(commands.HierarchyChangeAuth(TPM_RH.OWNER, OWNER))
        tpm.execute(commands.HierarchyChangeAuth(TPM_RH.OWNER, OWNER[::-1]), Password(OWNER))
        tpm.execute(commands.HierarchyChangeAuth(TPM_RH.OWNER, OWNER), Password(OWNER[::-1]))
        parent = calls.create_primary(tpm, by=Password(OWNER))
        salted = open_session(tpm, TPM_SE.HMAC, parent)
        policy = Policy(calls.pcr_policy(tpm, "sha256:16"))
        blob = calls.seal(tpm, parent, SEALED, auth=PASSWORD, policy=policy, by=salted.use(decrypt=True))
        loaded = calls.load(tpm, parent, blob)
        with calls.satisfy_policy(tpm, policy) as by:
            assert tpm.execute(commands.Unseal(loaded.handle), by).out_data == SEALED
        calls.pcr_event(tpm, 16, b"data")
        other = calls.seal(tpm, parent, SEALED, auth=PASSWORD)
        tpm.flush(loaded.handle)
        with pytest.raises(TpmError):
            calls.unseal(tpm, parent, other, by=Password(b"wrong"))
        calls.nv_define(tpm, 0x01000001, 8, by=Password(OWNER))
        calls.nv_write(tpm, 0x01000001, b"contents")
        calls.save_context(tpm, parent)
        key = machine.key(parent.handle).sensitive
        assert key is not None
        hierarchies = [each for one in machine.hierarchies.values() for each in (one.seed, one.proof)]
        secrets = [PASSWORD, SEALED, OWNER, key.sensitive, key.seed_value, *hierarchies]
        secrets += [machine.sessions[salted.handle].key]
    return steps, secrets


def test_every_kind_of_step() -> None:
    steps, _ = watch()
    kinds = {step for step, _ in steps}
    expected = (
        "command handle password cpHash HMAC rpHash nonceTPM sessionKey policyDigest policy refused response"
    )
    expected += " template key secret integrity ticket extend decryption added removed changed"
    assert set(expected.split()) - kinds == set()
    assert {"HMAC key", "response HMAC", "primary key", "encryption key", "integrity key", "context key"} <= kinds
    details = [f"{step}: {detail}" for step, detail in steps]

    def seen(pattern: str) -> bool:
        return any(re.search(pattern, detail) for detail in details)

    assert seen(r"primary key: KDFa\(SHA256, primary seed of 0x40000001 \(owner\) \[64 bytes\], label 'Primary")
    assert seen(r"encryption key: KDFa\(SHA256, seedValue of the parent 0x80000000 \[32 bytes\], label 'STORAGE'")
    assert seen(r"sessionKey: KDFa\(SHA256, salt \[32 bytes\], label 'ATH', contextU [0-9a-f]{64}, contextV ")
    assert seen(r"refused: 0x98e TPM_RC_AUTH_FAIL, session 1: ")
    assert seen(r"password: \[5 bytes\] differs from the authValue of 0x8000000\d \[10 bytes\]")
    assert seen(r"removed: transient object 0x80000001 \(Name 000b")
    assert seen(r"changed: authValue of 0x40000001 \(owner\): \[0 bytes\] -> \[20 bytes\]")
    assert seen(r"changed: authValue of 0x40000001 \(owner\): \[20 bytes\] -> \[20 bytes\]")
    assert seen(r"changed: failed authorizations: 0 of 3 -> 1 of 3")
    assert seen(r"policy: policyDigest [0-9a-f]{64} = authPolicy [0-9a-f]{64} of 0x8000000\d: yes")


def test_secrets_are_shown_on_demand_only() -> None:
    for show_secrets in (False, True):
        steps, secrets = watch(show_secrets=show_secrets)
        text = "\n".join(detail for _, detail in steps)
        shown = [secret for secret in secrets if secret.hex() in text or secret.decode("latin-1") in text]
        assert (shown == []) is not show_secrets
        assert show_secrets or "[0 bytes]" in text


def test_the_values_can_be_computed_again() -> None:
    steps, _ = watch(show_secrets=True)
    hashes = 0
    for step, detail in steps:
        if step == "cpHash":
            form = (
                r"SHA256\(commandCode (\w{8}) \(\w+\) \|\| (?:no Names|Names (.*)) \|\| parameters (\w+)\) = (\w+)"
            )
            found = re.fullmatch(form, detail)
            assert found, detail
            parts = found[1], *(found[2] or "").split(" || "), found[3].replace("empty", "")
            assert hashlib.sha256(bytes.fromhex("".join(parts))).hexdigest() == found[4]
            hashes += 1
        elif step == "policyDigest" and "SHA256" in detail:
            before, after, inputs = re.fullmatch(r"(\w+) -> (\w+) = SHA256\((.*)\)", detail).groups()  # type: ignore[union-attr]
            assert inputs.startswith(before)
            assert hashlib.sha256(bytes.fromhex(inputs.replace(" || ", ""))).hexdigest() == after
            hashes += 1
        elif step == "sessionKey" and detail.startswith("KDFa"):
            form = r"KDFa\(SHA256, salt (\w+), label 'ATH', contextU (\w+), contextV (\w+), 256 bits\) = (\w+)"
            salt, new, old, key = map(bytes.fromhex, re.fullmatch(form, detail).groups())  # type: ignore[union-attr]
            assert kdfa(TPM_ALG.SHA256, salt, b"ATH", new, old, 256) == key
            hashes += 1
    assert hashes >= 3  # a cpHash, a policyDigest, a sessionKey
