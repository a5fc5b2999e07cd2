"""Help in a script and in the shell: the language, a command with its fields, and tables of the standard."""

from collections.abc import Iterator, Sequence
from typing import Any

from tpmwire.explain.lookup import find_name, similar_names
from tpmwire.explain.table import table_of
from tpmwire.record import Struct
from tpmwire.spec.command import role_of
from tpmwire.spec.names import field_name, purpose, type_name
from tpmwire.wires import SizedRecord, wire_of

from ...terminal.messages import UsageError
from .defaults import default_text
from .numbers import find_command
from .positions import loose_order

__all__ = ["TOPICS", "help_text"]

_OVERVIEW = """\
A line has a TPM command by its name in the standard, then its fields. Capitals do not matter, and the beginning
of a name is enough:

  GetRandom 8                  a value without a name goes to the first field that accepts it
  getr bytesRequested=8        the same, by the field's name
  key = CreatePrimary ecc      the result is $key from now on; without a name it is $1, $2 and so on
  CreatePrimary + Create ecc:ecdsa + Load + Sign text:hello      + separates commands
  VerifySignature text:hello   missing fields are those of tpm2-tools, or the newest results that suit

  help COMMAND    fields of a command, and what they default to
  help values     numbers, names, bytes, files, results
  help auth       passwords, sessions and policies
  help NAME       any table of the standard: TPMT_PUBLIC, TPM_ALG, TPMA_NV
  explain last    every byte of the last line's commands and responses
  python          the same bytes as values for Python
  show $1         a result in full; values lists the results
  save $key.outPublic key.pub  a value, in the format of tpm2-tools
  session salted  encrypt the next commands (none, hmac, salted, salted-aes)
  secrets show    show secret values in results
  swap off        do not swap: more keys than the TPM has slots for are refused
  quit            or Ctrl-D: flush what was created, and leave"""

_DIRECTIVES = [line.strip() for line in _OVERVIEW.rpartition("\n\n")[2].splitlines()]

_VALUES = """\
Numbers   8, 0x10, the name of a constant (SHA256, TPM_ALG_SHA256), attributes joined by | (sign|fixedtpm)
Handles   owner o, endorsement e, platform p, lockout l, null n; $key; 0x81000001; a Name in hex; @key.ctx;
          an NV index can be 1 in place of 0x01000001
Bytes     hex, text:WORDS, @FILE (@- is standard input)
Results   $key (the part with the field's type), $key.handle, $key.name, $key.outPublic.unique.x, $ (the last)
Keys      ecc, ecc384:ecdsa-sha384, rsa2048, aes128cfb, hmac, keyedhash, ek-ecc, ek-rsa, ek-h1 to ek-h7, srk-ecc,
          attestation, signing:rsa3072; attributes after a semicolon: "ecc;sign|fixedtpm"
Schemes   null, rsassa-sha256, rsapss, ecdsa-sha384, oaep; ciphers: aes128cfb, xor:sha256
PCRs      7,23, sha1:0, sha256:all, sha1:0+sha256:7; PCR_Extend takes sha256:HEX
Files     outPublic=@key.pub, signature=@sig, context=@key.ctx write a value of the response; Load @key.pem loads a
          key file (TSS2 PRIVATE KEY), Import @key.pem a key of OpenSSL"""

_AUTH = """\
A handle is authorized by its password, which is empty unless auth gives it:

  auth=@FILE               the password of the first handle, the next auth that of the second
  keyHandle.auth=@FILE     the password of this handle; also env:NAME, text:WORDS and hex, where nobody else reads

Sessions:

  s = StartAuthSession HMAC $key        salted to $key; bind=$key binds it; symmetric=xor or aes128cfb
  GetRandom 8 session=$s,encrypt        attributes: encrypt, decrypt, audit, last
  Sign text:x session=$s                the session authorizes the first handle
  show $s.salt                          the salt, with which `tpmwire decode --salt` reads a recording

Policies: one step after the other, of the handle that needs them, or of keyHandle.policy=...

  Unseal policy=pcr:sha256:7 policy=auth-value auth=@FILE
  NV_Read 1 policy="PolicyNV 2 00 operation=EQ"      every policy command with its fields is a step
  Unseal policy=@policy.json                         a policy of `tpmwire policy`
  Create data=@FILE authPolicy=pcr:7                 the digest of steps, for a new object
  p = StartAuthSession POLICY + PolicyPCR 7 + Unseal $key session=$p

PolicyA, PolicyB and PolicyC are steps, too: the policies of endorsement keys (TCG EK Credential Profile). Without
policy=, PolicyA or PolicyB is satisfied with the endorsement hierarchy's password. To use a policy that the NV
index of PolicyC approves, give its steps first: policy=STEP policy=PolicyC policy=PolicyB."""

TOPICS = {"values": _VALUES, "auth": _AUTH, "policy": _AUTH, "sessions": _AUTH}


def help_text(words: Sequence[str]) -> str:
    """Returns help on the syntax of lines, or on `words`: a topic, a command, or a name of the standard.

    Raises UsageError for an unknown word.
    """
    if not words:
        return _OVERVIEW
    word = words[0]
    if word.lower() in TOPICS:
        return TOPICS[word.lower()]
    directive = [line for line in _DIRECTIVES if line.split()[0] == word.lower()]
    if directive:
        return "\n".join(directive)
    kind = find_command(word)
    if kind is not None and len(words) == 1:
        return "\n".join(_command_help(kind))
    found = find_name(word)
    if found is None:
        close = similar_names(word)
        meant = f"; did you mean {' or '.join(close)}?" if close else ""
        raise UsageError(f"help: unknown name {word!r}{meant} (`help` lists the topics)")
    return table_of(found[0]).as_text()


def _command_help(kind: Any) -> Iterator[str]:
    yield f"TPM2_{kind.code.name}: {purpose(kind)}  [{kind.spec}]"
    for name, annotation in kind.fields():
        yield from _field_help(kind, name, annotation)
    order = loose_order(kind)
    yield f"order of values without a name: {', '.join(order)}" if order else "no fields"
    response = [field_name(name) for name, _ in kind.Response.fields()]
    yield f"returns: {', '.join(response) or 'no values'}"


def _field_help(kind: Any, name: str, annotation: Any) -> Iterator[str]:
    role = role_of(annotation)
    needs = "" if role is None else f", {role.value}"
    default = default_text(kind, name)
    yield f"  {field_name(name)}: {type_name(annotation)}{needs}{f'; default: {default}' if default else ''}"
    inner = wire_of(annotation)
    inner = inner.inner if isinstance(inner, SizedRecord) else inner
    if isinstance(inner, Struct):
        yield f"    {', '.join(f'{field_name(name)}.{field_name(part)}' for part, _ in inner.record.fields())}"
