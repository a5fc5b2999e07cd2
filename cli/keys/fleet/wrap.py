"""Wraps a key for one host of a fleet, on a machine without a TPM.

`wrap_host` maps a dict with a host's fields to a dict with the result, so that any engine can apply it to a fleet.
`HostWrapper` is a `wrap_host` for engines that pickle functions for other processes. The module `fleet.run` wraps
keys for a whole fleet.
"""

import difflib
import hashlib
import hmac
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from tpmwire.crypto.formulas import name_of
from tpmwire.crypto.spki import into_template
from tpmwire.errors import CertificateError, SessionError, TpmwireError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.keys.wrapping import wrap_hmac_key
from tpmwire.policy.policy import Policy
from tpmwire.secret import EMPTY_AUTH, Secret

from ...terminal.files import read_small, write_whole
from ...terminal.messages import UsageError
from ...terminal.options import password_file, secret_file
from ..secret import hmac_key_of
from ..targets import Target
from ..trust import read_trust
from ..wrap_policy import KeyUse, policy_of_use

if TYPE_CHECKING:
    from tpmwire.keys.certificates import Trust

__all__ = [
    "HostWrapper",
    "Inputs",
    "WrapOrder",
    "inputs_of",
    "save_key_file",
    "target_hash",
    "wrap_for_target",
    "wrap_host",
]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
"""Valid names of hosts, which become file names."""

LEAST_SECRET = 36
"""Bytes of an HMAC key under which a fingerprint can be published: "AWS4" and 32 characters."""

_ALIASES = {
    "access_key_id": "aws_access_key_id",
    "key_auth_file": "password_file",
    "policy_file": "policy",
}
_OWN = ("secret", "aws_access_key_id", "pcrs", "policy", "password_file")
"""Fields of a host that override the fleet's values."""


class WrapOrder(NamedTuple):
    """The default inputs for wrapping keys, for hosts without values of their own.

    `secret` is the HMAC key ("AWS4" and the secret access key), `auth` its password, `use` its PCRs or policy. If
    `trust` is given, each host needs an EK certificate that a root of `trust` has issued.
    """

    secret: Secret | None = None
    auth: Secret = EMPTY_AUTH
    use: KeyUse = KeyUse()
    trust: "Trust | None" = None
    aws_access_key_id: str = ""


class Inputs(NamedTuple):
    """Secret, password and policy for one host. `fingerprint` identifies these inputs without revealing them."""

    secret: Secret
    auth: Secret
    policy: "Policy | None"
    aws_access_key_id: str
    fingerprint: str


def wrap_host(fields: Mapping[str, Any], order: WrapOrder) -> dict[str, Any]:
    """Wraps a key for one host, and returns its manifest entry. For an invalid host, the entry has `error`.

    `fields` is the JSON of `tpmwire export-public`, and optionally the host's own values (`_OWN`). The entry
    has the host's name, its key file in `pem`, the key file's SHA-256 in `fingerprint`, and the Names of key and
    parent in `name` and `parent_name`. By `target` and `inputs`, a later run recognizes a finished host.
    """
    name = str(fields.get("host") or "")
    try:
        if not NAME.fullmatch(name):
            raise UsageError(f"invalid host name {name!r}: it must be usable as a file name")
        target = Target.from_fields(dict(fields), name)
        inputs = inputs_of(fields, order)
        file = wrap_for_target(target, inputs, order.trust)
        pem = file.to_pem()
    except (UsageError, TpmwireError, OSError, ValueError) as error:
        return {"host": name, "error": " ".join(str(error).split())}
    entry = {
        "host": name,
        "fingerprint": hashlib.sha256(pem.encode()).hexdigest(),
        "name": name_of(file.public).hex(),
        "parent_name": name_of(target.public).hex(),
        "target": target_hash(fields),
        "inputs": inputs.fingerprint,
        "pem": pem,
    }
    return {**entry, "aws_access_key_id": inputs.aws_access_key_id} if inputs.aws_access_key_id else entry


def save_key_file(entry: dict[str, Any], out: str) -> dict[str, Any]:
    """Writes the key file of an entry of `wrap_host` to OUT/HOST.pem, readable by its owner only.

    Returns the entry with the file's name instead of its content; returns an entry with an error unchanged. The
    file is written atomically, but a crash of the machine may still lose it.
    """
    if "error" in entry:
        return entry
    file = f"{entry['host']}.pem"
    rest = {name: value for name, value in entry.items() if name not in ("host", "pem")}
    try:
        write_whole(os.path.join(out, file), entry["pem"].encode(), force=True, durable=False)
    except OSError as error:
        return {"host": entry["host"], "error": f"cannot write {out}/{file}: {error.strerror}"}
    return {"host": entry["host"], "file": file, **rest}


def target_hash(fields: Mapping[str, Any]) -> str:
    """Returns a hash of the host's public key, for the manifest."""
    public = fields.get("public")
    if public is None:
        # A cloud provider's JSON has no field `public`.
        public = json.dumps({name: value for name, value in fields.items() if name not in _OWN}, sort_keys=True)
    return hashlib.sha256(str(public).lower().encode("utf-8", "replace")).hexdigest()


def inputs_of(fields: Mapping[str, Any], order: WrapOrder) -> Inputs:
    """Returns the inputs for a host: its own secret, password and policy, or the defaults.

    Raises UsageError if an input is not valid.
    """
    own = _select_own_fields(fields)
    secret, auth, use = order.secret, order.auth, order.use
    if "secret" in own:
        secret = hmac_key_of(own["secret"].encode())
    if secret is None:
        raise UsageError('no secret for this host; add the field "secret", or give --secret-file for all hosts')
    if "password_file" in own:
        auth = _password(own["password_file"])
    if "pcrs" in own and "policy" in own:
        raise UsageError("the host has both pcrs and policy; remove one of the two fields")
    if "pcrs" in own:
        use = KeyUse(pcrs=own["pcrs"])
    elif "policy" in own:
        use = _use_of(own["policy"])
    found = policy_of_use(use, with_auth=bool(auth))
    policy, digest = found or (None, b"")
    key_id = own.get("aws_access_key_id", order.aws_access_key_id)
    said = ["tpmwire wrap", fields.get("host"), auth.reveal().hex(), digest.hex(), key_id, order.trust is not None]
    return Inputs(secret, auth, policy, key_id, _fingerprint(secret, said))


def _fingerprint(secret: Secret, said: list[object]) -> str:
    """Returns the HMAC of the inputs `said` (128 bits in hex), with the secret as key.

    Returns "" if the secret is short enough to be guessed from the HMAC.
    """
    if len(secret.reveal()) < LEAST_SECRET:
        return ""
    return hmac.digest(secret.reveal(), json.dumps(said).encode(), "sha256")[:16].hex()


def _select_own_fields(fields: Mapping[str, Any]) -> dict[str, str]:
    """Returns the host's fields that override the fleet's values (`_OWN`), as text.

    Raises UsageError for an empty or misspelled field.
    """
    own: dict[str, str] = {}
    for given, value in fields.items():
        field = given.replace("-", "_")
        field = _ALIASES.get(field, field)
        if field not in _OWN:
            if meant := _find_misspelled(given):
                raise UsageError(f"unknown field {given!r}; did you mean {meant!r}?")
            continue
        if value is None:
            continue
        text = json.dumps(value) if field == "policy" and isinstance(value, (dict, list)) else str(value)
        if not text:
            raise UsageError(f"the field {given!r} is empty; remove it or give a value")
        own[field] = text
    return own


@lru_cache(maxsize=256)
def _find_misspelled(field: str) -> str | None:
    """Returns the known field of which `field` is probably a misspelling, or None.

    Only fields that protect a key are compared, since ignoring such a field would leave the key unprotected.
    """
    known = ["pcrs", "policy", "policy_file", "password_file", "key_auth_file"]
    return next(iter(difflib.get_close_matches(field[:32].lower(), known, 1, 0.75)), None)


@lru_cache(maxsize=1024)
def _password(path: str) -> Secret:
    return Secret(password_file(path))


@lru_cache(maxsize=256)
def _use_of(policy: str) -> KeyUse:
    """Returns the policy of a host; `policy` is JSON text or the name of a JSON file."""
    if policy.lstrip()[:1] in ("[", "{"):
        return KeyUse(policy=policy, where="the host's policy")

    return KeyUse(policy=read_small(policy).decode("utf-8", "replace"), where=policy)


def wrap_for_target(target: Target, inputs: Inputs, trust: "Trust | None") -> "KeyFile":
    """Wraps the key for one target, and returns the key file. With `trust`, verifies the target's EK certificate.

    Raises UsageError if the target's key or certificate cannot be used, another TpmwireError if the key cannot be
    wrapped.
    """
    if trust is not None:
        _check_certificate(target, trust)
    try:
        return wrap_hmac_key(inputs.secret, target.public, target.parent, auth=inputs.auth, policy=inputs.policy)
    except SessionError as error:
        # The target comes from a file, so the error must not suspect the connection to a TPM.
        raise UsageError(f"the public key of {target.host} cannot be used: {error}") from error


def _check_certificate(target: Target, trust: "Trust") -> None:
    """Raises UsageError unless a trusted CA has certified the target's key."""
    if target.certificate is None:
        raise UsageError(
            f"{target.host} has no EK certificate for --ca to verify; run "
            "`tpmwire export-public --key ek-rsa` on that host"
        )
    from tpmwire.keys.certificates import load_chain, public_key, verify_chain  # noqa: PLC0415 - needs optional packages

    try:
        certificate, others = load_chain(target.certificate.encode(), f"the certificate of {target.host}")
        verify_chain(certificate, trust, others)
        key = public_key(certificate)
    except CertificateError as error:
        # The certificate comes from a file, so the error must not suspect the connection to a TPM.
        raise UsageError(str(error)) from error
    if into_template(key, target.public) != target.public:
        raise UsageError("the certificate does not match the host's key; export both again")


class HostWrapper:
    """A callable `wrap_host` for engines that pickle functions. Each worker reads the secret files.

    The pickle contains file names only; each worker needs the files at the same paths. If the directory `out` is
    given, key files are written to it, and entries omit the content. The first call raises UsageError if a file
    cannot be used.
    """

    def __init__(
        self,
        *,
        secret_file: str | None = None,
        password_file: str | None = None,
        pcrs: str | None = None,
        policy_file: str | None = None,
        ca: Sequence[str] = (),
        aws_access_key_id: str | None = None,
        out: str | None = None,
    ) -> None:
        # Absolute paths, since workers may have a different working directory.
        self._secret_file = secret_file and os.path.abspath(secret_file)
        self._password_file = password_file and os.path.abspath(password_file)
        self._policy_file = policy_file and os.path.abspath(policy_file)
        self._ca = tuple(os.path.abspath(path) for path in ca)
        self._out = out and os.path.abspath(out)
        self._pcrs = pcrs
        self._aws_access_key_id = aws_access_key_id

    def __call__(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Wraps a key for one host, and returns its manifest entry. With `out`, also writes the key file."""
        entry = wrap_host(fields, self._order)
        return save_key_file(entry, self._out) if self._out else entry

    @cached_property
    def _order(self) -> WrapOrder:
        use = _use_of(self._policy_file) if self._policy_file else KeyUse(pcrs=self._pcrs or "")
        return WrapOrder(
            hmac_key_of(secret_file(self._secret_file)) if self._secret_file else None,
            _password(self._password_file) if self._password_file else EMPTY_AUTH,
            use,
            read_trust(self._ca),
            self._aws_access_key_id or "",
        )

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_order"}
