"""Interprets program names of tpm2-tools, and the key templates of their option -G."""

from collections.abc import Iterator

from ...errors import EncodeError
from ...keys.template_names import parse_template
from ..show import as_text
from ..value import explain_octets
from .numbers import Interpretation

__all__ = ["read_program", "read_template"]

_PROGRAMS = """
activatecredential: decrypts a credential: proves that an attestation key and the EK are in the same TPM:
   PolicySecret ActivateCredential
changeauth: sets the password of a hierarchy, object or NV index: HierarchyChangeAuth ObjectChangeAuth
   NV_ChangeAuth
changeeps: replaces the endorsement seed: ChangeEPS
changepps: replaces the platform seed: ChangePPS
checkquote: verifies a quote on the host, without a TPM; so does `tpmwire checkquote`:
createak: creates an attestation key (restricted, sign) under the EK: PolicySecret Create Load
createek: creates the endorsement key: CreatePrimary in the endorsement hierarchy with the template that the
   manufacturer certified (TCG EK Credential Profile), so that the EK certificate fits. createprimary uses
   a different template, in the owner hierarchy unless -C is given, and so creates another key:
   CreatePrimary
createpolicy: computes the digest of a PolicyPCR in a trial session: StartAuthSession PolicyPCR
   PolicyGetDigest
createprimary: derives a key from a hierarchy's seed and a template: CreatePrimary
dictionarylockout: resets lockout, or sets its limits: DictionaryAttackLockReset DictionaryAttackParameters
encodeobject: writes TSS2 PEM files; sends nothing:
encryptdecrypt: encrypts or decrypts with a symmetric key: EncryptDecrypt2 EncryptDecrypt
eventlog: prints an event log of firmware; sends nothing. `tpmwire explain FILE` reads it too:
evictcontrol: makes an object persistent, or removes it: EvictControl
flushcontext: removes loaded objects and sessions: FlushContext
getcap: lists the TPM's capabilities and properties; so does `tpmwire info`: GetCapability
getekcertificate: reads EK certificates from NV or from the maker's server: NV_Read
nvdefine: reserves an NV index: NV_DefineSpace
nvundefine: removes an NV index: NV_UndefineSpace NV_UndefineSpaceSpecial
print: prints a file of tpm2-tools; sends nothing. `tpmwire explain FILE` reads it too:
rc_decode: explains a response code; sends nothing. `tpmwire explain 0x98e` says more:
readpublic: prints a public key and its Name: ReadPublic
send: sends the bytes of a command unchanged:
startauthsession: starts a session and stores it in a file for other tools: StartAuthSession
takeownership: sets the hierarchies' passwords (tpm2-tools 3); now tpm2_changeauth: HierarchyChangeAuth
unseal: prints sealed data: Unseal
"""
"""Each program with its purpose and the commands that it sends. Programs named like a command are omitted."""


def read_program(word: str) -> Iterator[Interpretation]:
    """Yields the interpretation of a program name of tpm2-tools, such as `tpm2_createek`."""
    name = word.lower().removeprefix("tpm2_")
    for line in _PROGRAMS.replace("\n   ", " ").splitlines():
        known, _, rest = line.partition(": ")
        if not name or known != name or not word.lower().startswith("tpm2_"):
            continue
        text, _, commands = rest.rpartition(":")
        lines = [f"tpm2_{name}: {text or rest.rstrip(':')}"]
        lines += [f"  TPM2_{each}  (tpmwire explain TPM2_{each})" for each in commands.split()]
        yield Interpretation("a program of tpm2-tools", "program", "", None, lines)


def read_template(word: str) -> Iterator[Interpretation]:
    """Yields the interpretation of a key template such as `ecc:ecdsa-sha256:null` or `rsa2048:aes128cfb`."""
    try:
        public = parse_template(word)
    except EncodeError:
        return
    lines = [f"{word}: attributes {public.object_attributes.described()}; as TPMT_PUBLIC:"]
    lines += as_text(explain_octets("TPMT_PUBLIC", public.build())).splitlines()
    yield Interpretation("a key template of tpm2-tools (-G) and tpmwire", "template", "", None, lines)
