"""Reports what a command has changed in a soft TPM: loaded and flushed objects, PCRs, NV indices, counters."""

from ..spec.constants import TPM_ALG
from .entities import KeyedObject
from .observer import hidden, note, show_handle
from .tpm_state import TpmState

__all__ = ["report_changes", "take_snapshot"]

Snapshot = dict[str, tuple[str, object]]
"""The state of a TPM, by the name of a part of the state: (text for the observer, value to compare)."""


def take_snapshot(tpm: TpmState) -> Snapshot:
    """Returns the parts of the TPM's state that commands change."""
    secrets: dict[str, bytes] = {"authValue of PCRs 20 to 22": tpm.pcr_auth}
    state: dict[str, str] = {}
    for handle, entity in (*tpm.transient.items(), *tpm.persistent.items()):
        kind = "persistent object" if handle in tpm.persistent else "transient object"
        name = entity.name.hex() if isinstance(entity, KeyedObject) else ""
        state[f"{kind} 0x{handle:08x}"] = f"Name {name or 'empty'}"
    for handle, session in tpm.sessions.items():
        state[f"session 0x{handle:08x}"] = f"{session.kind.name}, {TPM_ALG(session.auth_hash).name}"
        if session.audit_digest:
            state[f"audit digest of session 0x{handle:08x}"] = session.audit_digest.hex()
    for handle, sequence in tpm.saved_sessions.items():
        state[f"saved session 0x{handle:08x}"] = f"context {sequence}"
    for alg, values in tpm.pcrs.values.items():
        for number, value in enumerate(values):
            state[f"PCR {number} of the {TPM_ALG(alg).name} bank"] = value.hex()
    state["pcrUpdateCounter"] = str(tpm.pcrs.counter)
    for handle, index in tpm.indices.items():
        name = f"NV index 0x{handle:08x}"
        state[name] = f"Name {index.name.hex()}"
        state[f"data of {name}"] = index.data.hex() or "empty"
        secrets[f"authValue of {name}"] = index.auth
    for handle, hierarchy in tpm.hierarchies.items():
        shown = show_handle(handle)
        secrets |= {f"authValue of {shown}": hierarchy.auth, f"proof of {shown}": hierarchy.proof}
        secrets[f"primary seed of {shown}"] = hierarchy.seed
        state[f"authPolicy of {shown}"] = hierarchy.policy.hex() or "empty"
        state[f"{shown} enabled"] = "yes" if hierarchy.enabled else "no"
    state["failed authorizations"] = f"{tpm.lockout.failed} of {tpm.lockout.max_tries}"
    state["lockoutAuth enabled"] = "yes" if tpm.lockout.enabled else "no"
    state["command audit digest"] = tpm.audit_digest.hex() or "empty"
    state["exclusive audit session"] = f"0x{tpm.exclusive_session:08x}" if tpm.exclusive_session else "none"
    return {
        **{name: (text, text) for name, text in state.items()},
        **{name: (hidden(secret), secret) for name, secret in secrets.items()},
    }


def report_changes(before: Snapshot, after: Snapshot) -> None:
    """Reports the differences between two snapshots of a TPM."""
    for name in before:
        if name not in after:
            note("removed", f"{name} ({before[name][0]})")
    for name, (text, value) in after.items():
        if name not in before:
            note("added", f"{name} ({text})")
        elif before[name][1] != value:
            note("changed", f"{name}: {before[name][0]} -> {text}")
