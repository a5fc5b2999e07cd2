"""Checks that the keys and the pinned Names of profiles exist in the TPM. No check sends a nonempty password.

An empty password is used only if a wrong password would not count towards lockout: for a hierarchy that has no
password, and for a parent with noDA.
"""

import os
from collections.abc import Callable, Iterator
from itertools import product

from tpmwire.channel import Pin, open_channel, read_loaded
from tpmwire.errors import SessionError, TpmError, TpmwireError
from tpmwire.keys.keyfile import KeyFile
from tpmwire.spec.codes import TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH
from tpmwire.spec.constants import TPM_PT, TPM_RH, TPM_SE, TPMA_OBJECT, TPMA_PERMANENT
from tpmwire.state.capabilities import properties
from tpmwire.tpm import Tpm
from tpmwire.use.key import Key
from tpmwire.use.load import load_key

from ..credentials.settings import RunSettings
from ..lifecycle.profile_keys import ProfileKey
from ..terminal.files import read_key_file
from ..terminal.messages import UsageError
from ..tpm.inventory import describe_public, list_handles
from ..tpm.pins import hex_name, pin_from
from .finding import Finding, NoTpmError
from .machine import Machine
from .registry import register

__all__ = ["Find", "check_keys", "check_pins", "examine_profiles"]

Find = Callable[[Tpm, ProfileKey, RunSettings], Finding | None]

_SLOW = 30.0
"""Seconds for the creation of an RSA key, which takes up to 10."""

_PASSWORDS = {
    TPM_RH.OWNER: TPMA_PERMANENT.OWNER_AUTH_SET,
    TPM_RH.ENDORSEMENT: TPMA_PERMANENT.ENDORSEMENT_AUTH_SET,
}
_IMPORT_AGAIN = "import the key again, or correct the profile (`tpmwire list` shows the keys)"


@register
def check_keys(machine: Machine) -> Iterator[Finding]:
    """Checks that each profile's key is in the TPM with the expected Name, or that its key file can be loaded."""
    return examine_profiles(machine, _key, _totp_key)


@register
def check_pins(machine: Machine) -> Iterator[Finding]:
    """Checks that the key that a profile pins for salted sessions is in the TPM with the pinned Name."""
    return examine_profiles(machine, _pin)


def examine_profiles(machine: Machine, *finds: Find) -> Iterator[Finding]:
    """Calls each function of `finds` with each profile and its TPM, and yields the findings.

    After the last profile, raises NoTpmError if the TPM of any profile could not be used.
    """
    unavailable = False
    for each, find in product(machine.profile_keys, finds):
        if each.settings is None:
            continue
        try:
            with machine.tpm(each.tpm_path) as tpm:
                found = find(tpm, each, each.settings)
        except NoTpmError:
            unavailable = True
            continue
        except (TpmwireError, UsageError) as error:
            found = Finding.failure(str(error), _IMPORT_AGAIN)
        if found is not None:
            yield found._replace(text=f"{each.profile}: {found.text}")
    if unavailable:
        raise NoTpmError


def _key(tpm: Tpm, each: ProfileKey, settings: RunSettings) -> Finding | None:
    place = each.place
    if place is None:
        return None
    return _file(tpm, settings, place.file) if place.file else _handle(tpm, settings, place.handle or 0)


def _totp_key(tpm: Tpm, each: ProfileKey, settings: RunSettings) -> Finding | None:
    place = each.totp_place
    if place is None:
        return None
    if place.file:
        found = _file(tpm, settings, place.file)
        return found._replace(text=f"MFA: {found.text}")
    if place.handle in list_handles(tpm, "persistent"):
        return Finding.ok(f"MFA: the key is at {place}")
    return Finding.error(f"MFA: no key at {place}", "run `tpmwire totp import`, or correct --mfa-totp")


def _handle(tpm: Tpm, settings: RunSettings, handle: int) -> Finding:
    shown = f"0x{handle:08x}"
    if handle not in list_handles(tpm, "persistent"):
        return Finding.error(f"no key at {shown}", _IMPORT_AGAIN)
    key = read_loaded(tpm, handle)
    kind = describe_public(key.public)
    if not kind.startswith(("HMAC key", "keyed-hash key")):
        return Finding.error(f"the key at {shown} is not an HMAC key ({kind})", "correct --persistentHandle")
    if settings.key_name and hex_name("--key-name", settings.key_name) != key.name:
        return Finding.error(f"the key at {shown} is not the key of --key-name", _IMPORT_AGAIN)
    if not key.public.object_attributes & TPMA_OBJECT.USER_WITH_AUTH and not settings.pcrs:
        return Finding.error(f"the key at {shown} needs a policy", "add --pcrs, or use its key file")
    return Finding.ok(f"the key is at {shown} ({kind})")


def _file(tpm: Tpm, settings: RunSettings, path: str) -> Finding:
    if os.path.exists(path) and not os.path.isfile(path):
        return Finding.ok(f"{path} is not a regular file, and was not read")
    file = read_key_file(path)
    if why := _find_load_risk(tpm, settings, file):
        return Finding.ok(f"{path} is a key file; not loaded, because {why}")
    tpm.transport.timeout = max(tpm.transport.timeout, _SLOW if file.rsa_parent else 0)
    try:
        load_key(Key(file=file), tpm)
    except TpmError as error:
        if error.code in (TPM_RC_AUTH_FAIL, TPM_RC_BAD_AUTH):
            return Finding.ok(f"{path} is a key file; not loaded, because its parent has a password")
        return Finding.failure(f"{path}: {error}", _IMPORT_AGAIN)
    return Finding.ok(f"the TPM loads {path}")


def _find_load_risk(tpm: Tpm, settings: RunSettings, file: KeyFile) -> str | None:
    """Returns why loading the key file could count as a wrong password (lockout), or None if it could not."""
    if settings.useEKParent or file.endorsement_handle is not None:
        return "its parent is an endorsement key"
    parent = file.persistent_parent
    if parent is None:
        return _password_of(tpm, TPM_RH(file.hierarchy or 0))
    if parent not in list_handles(tpm, "persistent"):
        return None  # loading the key reports the missing parent
    attributes = read_loaded(tpm, parent).public.object_attributes
    return None if attributes & TPMA_OBJECT.NO_DA else "a wrong password for its parent would count"


def _password_of(tpm: Tpm, *hierarchies: TPM_RH) -> str | None:
    """Returns a reason that names the first hierarchy with a password, or None if none has one."""
    state = properties(tpm).get(TPM_PT.PERMANENT, 0)
    name = next((one.name.lower() for one in hierarchies if state & _PASSWORDS.get(one, 0)), None)
    return None if name is None else f"the {name} hierarchy has a password"


def _pin(tpm: Tpm, _each: ProfileKey, settings: RunSettings) -> Finding | None:
    pin = pin_from(settings.tpm_session_encrypt_with_name, settings.tpm_session_encrypt_with_public)
    return None if pin is None else _check_pin(tpm, pin)


def _check_pin(tpm: Tpm, pin: Pin) -> Finding:
    other = "import the key again and pin this TPM's key (`tpmwire name`); send no password until then"
    try:
        if isinstance(pin.where, int):
            if pin.where not in list_handles(tpm, "persistent"):
                return Finding.error(f"the pinned key at 0x{pin.where:08x} does not exist", other)
            pin.check(read_loaded(tpm, pin.where))
        elif why := _password_of(tpm, *_PASSWORDS):
            return Finding.ok(f"the pinned key was not created, because {why}")
        else:
            tpm.transport.timeout = max(tpm.transport.timeout, _SLOW)
            # The public area is omitted, since with it a run would assume the key at its usual handle without
            # reading it.
            open_channel(tpm, [TPM_SE.HMAC], pin=pin._replace(public=None))
    except SessionError as error:
        return Finding.error(str(error).rpartition("; ")[0], other)
    return Finding.ok("the pinned key of this TPM is in place")
