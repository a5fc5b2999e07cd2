"""Common TPM commands as functions that take and return plain Python values.

>>> from tpmwire import Tpm, bridges, calls
>>> with Tpm.open() as tpm:
...     parent = calls.create_primary(tpm)
...     key = calls.load(tpm, parent, calls.create(tpm, parent, "ecc:ecdsa-sha256"))
...     signature = calls.sign_message(tpm, key, b"a message of any length")
>>> bridges.verify_signature(key.public, signature, b"a message of any length")

Each function needs an open `Tpm`. A key, a parent or a sealed object is a handle, a `Loaded`, or a key file
(`KeyFile`), which is loaded for the call. `by` is the authorization of a command that needs one: a `Password`
(empty by default), the use of a session, or the policy session of `calls.satisfy_policy`. `companions` are further
sessions, for encryption or audit. Closing the `Tpm` flushes the objects that a call has loaded. All functions
raise TpmError if the TPM refuses, TransportError if it does not respond, SessionError if the response is not
authentic, and EncodeError if a name or a value is invalid.
"""

from ..state.capabilities import capabilities, commands, properties
from .arguments import NOBODY
from .attestations import Attested, activate_credential, certify, certify_session, certify_time, quote
from .data import decrypt, encrypt, hash, hash_with_ticket, hmac, random
from .encryption import ecdh, ecdh_ephemeral, rsa_decrypt, rsa_encrypt
from .objects import (
    Blob,
    change_auth,
    create,
    create_primary,
    evict,
    load,
    load_context,
    load_external,
    load_file,
    persist,
    read_public,
    save_context,
    seal,
    unseal,
)
from .pcrs import pcr_event, pcr_extend, pcr_policy, pcr_read, pcr_reset
from .policies import satisfy_policy
from .signatures import sign, sign_message, verify, verify_message
from .storage import (
    nv_certify,
    nv_define,
    nv_extend,
    nv_increment,
    nv_read,
    nv_read_lock,
    nv_read_public,
    nv_set_bits,
    nv_undefine,
    nv_write,
    nv_write_lock,
)
from .tools import build_tools_pair, load_context_file, parse_tools_pair, save_context_file
from .transfer import duplicate, import_private, import_wrapped, private_key
from .version_185 import decapsulate, encapsulate, sign_digest, sign_sequence, verify_digest, verify_sequence

__all__ = [
    "NOBODY",
    "Attested",
    "Blob",
    "activate_credential",
    "build_tools_pair",
    "capabilities",
    "certify",
    "certify_session",
    "certify_time",
    "change_auth",
    "commands",
    "create",
    "create_primary",
    "decapsulate",
    "decrypt",
    "duplicate",
    "ecdh",
    "ecdh_ephemeral",
    "encapsulate",
    "encrypt",
    "evict",
    "hash",
    "hash_with_ticket",
    "hmac",
    "import_private",
    "import_wrapped",
    "load",
    "load_context",
    "load_context_file",
    "load_external",
    "load_file",
    "nv_certify",
    "nv_define",
    "nv_extend",
    "nv_increment",
    "nv_read",
    "nv_read_lock",
    "nv_read_public",
    "nv_set_bits",
    "nv_undefine",
    "nv_write",
    "nv_write_lock",
    "parse_tools_pair",
    "pcr_event",
    "pcr_extend",
    "pcr_policy",
    "pcr_read",
    "pcr_reset",
    "persist",
    "private_key",
    "properties",
    "quote",
    "random",
    "read_public",
    "rsa_decrypt",
    "rsa_encrypt",
    "satisfy_policy",
    "save_context",
    "save_context_file",
    "seal",
    "sign",
    "sign_digest",
    "sign_message",
    "sign_sequence",
    "unseal",
    "verify",
    "verify_digest",
    "verify_message",
    "verify_sequence",
]
