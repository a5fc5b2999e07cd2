"""Checks of profiles that use IAM Roles Anywhere: certificate, chain, key and options."""

from collections.abc import Iterator
from typing import NamedTuple

from sigv4.config import Profile
from sigv4.errors import RequestError
from tpmwire.crypto.spki import PublicKey, public_key_of
from tpmwire.errors import EncodeError, KeyFileError, TpmError
from tpmwire.primary import read_loaded
from tpmwire.spec.structures import TPMT_PUBLIC

from ..credentials.roles_anywhere.options import helper_arguments, parse_helper_line
from ..credentials.roles_anywhere.session import CertificateSession
from ..credentials.settings import RunSettings
from ..terminal.messages import UsageError
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["CertificateProfile", "certificate_profiles", "check_certificates"]


class CertificateProfile(NamedTuple):
    """A profile that uses Roles Anywhere: its settings, or None with the `problem` of its options."""

    profile: Profile
    settings: RunSettings | None
    problem: str = ""


@register
def check_certificates(machine: Machine) -> Iterator[Finding]:
    """Checks that each Roles Anywhere profile's certificate is valid and complete, and belongs to its key."""
    for each in certificate_profiles(machine):
        name = str(each.profile)
        if each.settings is None:
            yield Finding.failure(
                f"{name}: {each.problem}", "see `tpmwire roles-anywhere credential-process --help`"
            )
            continue
        warnings: list[str] = []
        try:
            session = CertificateSession(each.settings, report=warnings.append)
        except (UsageError, RequestError, KeyFileError) as error:
            yield Finding.failure(f"{name}: {error}", "correct the profile's credential_process")
            continue
        for text in warnings:
            what, _, step = text.partition("; ")
            yield Finding.warning(f"{name}: {what}", step or "have the certificate issued again")
        yield _check_key(machine, each.settings, session, name)


def _check_key(machine: Machine, settings: RunSettings, session: CertificateSession, name: str) -> Finding:
    """Returns a finding: whether the key belongs to the certificate.

    Only a persistent key is read. A key in a file was compared when the settings were read.
    """
    serial = f"certificate {session.pair.leaf.serial:x} and its key belong together"
    if settings.credential_file is None:
        at = f"0x{settings.persistentHandle:08x}"
        try:
            with machine.tpm(settings.tpm_path) as tpm:
                public = read_loaded(tpm, settings.persistentHandle).public
        except TpmError:
            return Finding.error(f"{name}: no key at {at}", "correct --private-key, or make the key persistent")
        if not _is_key(public, session.pair.public_key):
            return Finding.error(
                f"{name}: the key at {at} does not belong to the certificate", "give the certificate of this key"
            )
    return Finding.ok(f"{name}: {serial}")


def _is_key(public: TPMT_PUBLIC, expected: PublicKey) -> bool:
    try:
        return public_key_of(public) == expected
    except EncodeError:  # a key without a public key, such as an HMAC key
        return False


def certificate_profiles(machine: Machine) -> list[CertificateProfile]:
    """Returns the profiles that use Roles Anywhere; none if AWS's files cannot be read."""
    try:
        profiles = [machine.config.profile(name) for name in machine.config]
    except RequestError:
        return []
    found = []
    for profile in profiles:
        arguments = helper_arguments(profile.get("credential_process") or "")
        if arguments is not None:
            try:
                found.append(CertificateProfile(profile, parse_helper_line(arguments)))
            except UsageError as error:
                found.append(CertificateProfile(profile, None, str(error)))
    return found
