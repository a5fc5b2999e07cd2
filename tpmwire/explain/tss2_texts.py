"""Converts response codes to the error texts of tpm2-tools (tpm2_rc_decode, libtss2-rc), and texts to codes.

The texts are copied from tpm2-tss, which has most of them from TPM 2.0 Part 2, §6.6, so that pasted error
messages are recognized.
"""

import re
from functools import cache

__all__ = ["find_codes", "tss2_text"]

_FORMAT_ONE = """\
01 asymmetric algorithm not supported or not correct
02 inconsistent attributes
03 hash algorithm not supported or not appropriate
04 value is out of range or is not correct for the context
05 hierarchy is not enabled or is not correct for the use
07 key size is not supported
08 mask generation function not supported
09 mode of operation not supported
0a the type of the value is not appropriate for the use
0b the handle is not correct for the use
0c unsupported key derivation function or function not appropriate for use
0d value was out of allowed range
0e the authorization HMAC check failed and DA counter incremented
0f invalid nonce size or nonce value mismatch
10 authorization requires assertion of PP
12 unsupported or incompatible scheme
15 structure is the wrong size
16 unsupported symmetric algorithm or key size or not appropriate for instance
17 incorrect structure tag
18 union selector is incorrect
1a the TPM was unable to unmarshal a value because there were not enough octets in the input buffer
1b the signature is not valid
1c key fields are not compatible with the selected use
1d a policy check failed
1f integrity check failed
20 invalid ticket
21 reserved bits not set to zero as required
22 authorization failure without DA implications
23 the policy has expired
24 the commandCode in the policy is not the commandCode of the command or the command code in a policy command
  references a command that is not implemented
25 public and sensitive portions of an object are not cryptographically bound
26 curve not supported
27 point is not on the required curve
"""
"""Texts of format one, by bits 5:0. A line that begins with spaces continues the one before."""

_ERRORS = """\
00 TPM not initialized by TPM2_Startup or already initialized
01 commands not being accepted because of a TPM failure
03 improper use of a sequence handle
0b not currently used
19 not currently used
20 the command is disabled
21 command failed because audit sequence required exclusivity
24 authorization handle is not correct for command
25 command requires an authorization session for handle and it is not present
26 policy failure in math operation or an invalid authPolicy value
27 PCR check fail
28 PCR have changed since checked
2d For all commands, other than TPM2_FieldUpgradeData, this code indicates that the TPM is in field upgrade
  mode. For TPM2_FieldUpgradeData, this code indicates that the TPM is not in field upgrade mode
2e context ID counter is at maximum
2f authValue or authPolicy is not available for selected entity
30 a _TPM_Init and StartupCLEAR is required before the TPM can resume operation
31 the protection algorithms hash and symmetric are not reasonably balanced. The digest size of the hash must be
  larger than the key size of the symmetric algorithm.
42 command commandSize value is inconsistent with contents of the command buffer. Either the size is not the
  same as the octets loaded by the hardware interface layer or the value is not large enough to hold a command
  header
43 command code not supported
44 the value of authorizationSize is out of range or the number of octets in the Authorization Area is greater
  than required
45 use of an authorization session with a context command or another command that cannot have an authorization
  session
46 NV offset+size is out of range
47 Requested allocation size is larger than allowed
48 NV access locked
49 NV access authorization fails in command actions
4a an NV Index is used before being initialized or the state saved by TPM2_ShutdownSTATE could not be restored
4b insufficient space for NV allocation
4c NV Index or persistent object already defined
50 context in TPM2_ContextLoad is not valid
51 cpHash value already set or not correct for use
52 handle for parent is not a valid parent
53 some function needs testing
54 returned when an internal function cannot process a request due to an unspecified problem. This code is
  usually related to invalid parameters that are not properly filtered by the input unmarshaling code
55 the sensitive area did not unmarshal correctly after decryption
"""
"""Texts of format zero with bit 11 clear, by bits 6:0."""

_WARNINGS = """\
01 gap for context ID is too large
02 out of memory for object contexts
03 out of memory for session contexts
04 out of shared objectsession memory or need space for internal operations
05 out of session handles
06 out of object handles
07 bad locality
08 the TPM has suspended operation on the command forward progress was made and the command may be retried
09 the command was canceled
0a TPM is performing selftests
20 the TPM is rate limiting accesses to prevent wearout of NV
21 authorizations for objects subject to DA protection are not allowed at this time because the TPM is in DA
  lockout mode
22 the TPM was not able to start the command
23 the command may require writing of NV and NV is not current accessible
"""
"""Texts of format zero with bit 11 set, by bits 6:0, except REFERENCE_H0 to REFERENCE_S6."""

_LAYER = """\
01 Catch all for all errors not otherwise specified
02 If called functionality isn't implemented
03 A context structure is bad
04 Passed in ABI version doesn't match called module's ABI version
05 A pointer is NULL that isn't allowed to be NULL.
06 A buffer isn't large enough
07 Function called in the wrong order
08 Fails to connect to next lower layer
09 Operation timed out; function must be called again to be completed
0a IO failure
0b A parameter has a bad value
0c Operation not permitted.
0d Session structures were sent, but command doesn't use them or doesn't use the specified number of them
0e If function called that uses decrypt parameter, but command doesn't support decrypt parameter.
0f If function called that uses encrypt parameter, but command doesn't support decrypt parameter.
10 If size of a parameter is incorrect
11 Response is malformed
12 Context not large enough
13 Response is not long enough
14 Unknown or unusable TCTI version
15 Functionality not supported
16 TCTI context is bad
17 Failed to allocate memory
18 The ESYS_TR resource object is bad
19 Multiple sessions were marked with attribute decrypt
1a Multiple sessions were marked with attribute encrypt
1b Authorizing the TPM response failed
1c No config is available
1d The provided path is bad
1e The object is not deletable
1f The provided path already exists
20 The key was not found
21 Signature verification failed
22 Hashes mismatch
23 Key is not duplicatable
24 The path was not found
25 No certificate
26 No PCR
27 PCR not resettable
28 The template is bad
29 Authorization failed
2a Authorization is unknown
2b NV is not readable
2c NV is too small
2d NV is not writable
2e The policy is unknown
2f The NV type is wrong
30 The name already exists
31 No TPM available
32 The key is bad
33 No handle provided
34 Provisioning was not executed.
35 Already provisioned
"""
"""Texts of the errors that the layers of the TSS share."""

_LAYERS = {0: "tpm", 6: "fapi", 7: "esapi", 8: "sys", 9: "mu", 10: "tcti", 11: "rmt", 12: "rm", 13: "drvr"}
_PREFIXES = {name: layer for layer, name in _LAYERS.items()} | {"esys": 7, "policy": 13}
"""Numbers of layers by their prefix, including the prefixes of other versions of tpm2-tss."""

_SHORTEST = 6
"""Minimum number of characters of a truncated text that is recognized."""


@cache
def _read_table(block: str) -> dict[int, str]:
    lines = block.replace("\n  ", " ").splitlines()
    return {int(line[:2], 16): line[3:] for line in lines}


def _warning(number: int) -> str | None:
    """Returns the text of a warning code by its bits 6:0, or None for an unknown code."""
    ends = ("1st", "2nd", "3rd", "4th", "5th", "6th", "7th")
    if 0x10 <= number <= 0x16:
        what = "references a transient object or session that is not loaded"
        return f"the {ends[number - 0x10]} handle in the handle area {what}"
    if 0x18 <= number <= 0x1E:
        kind = "" if number in (0x1C, 0x1D) else "authorization "
        return f"the {ends[number - 0x18]} {kind}session handle references a session that is not loaded"
    return _read_table(_WARNINGS).get(number)


def tss2_text(rc: int) -> str:
    """Returns the text that `tpm2_rc_decode` of tpm2-tools 5 prints for a 32-bit response code.

    For example, returns "tpm:session(1):the authorization HMAC check failed and DA counter incremented" for 0x98e.
    """
    layer = rc >> 16 & 0xFF
    name = _LAYERS.get(layer, str(layer))
    if rc & 0xFFFF == 0 and layer in _LAYERS and layer not in (12, 13):
        return f"{name}:success"
    if layer in (0, 11):
        return f"{name}:{_tpm_text(rc & 0xFFFF)}"
    if layer in _LAYERS and layer not in (12, 13):
        return f"{name}:{_read_table(_LAYER).get(rc & 0xFFFF) or f'0x{rc & 0xFFFF:X}'}"
    return f"{name}:0x{rc >> 8:X}"


def _tpm_text(rc: int) -> str:
    if rc & 0x80:
        number = rc & 0x3F
        place = rc >> 8 & 7  # three bits also for parameters, which have four in the standard
        kind = "parameter" if rc & 0x40 else "session" if rc & 0x800 else "handle"
        known = _read_table(_FORMAT_ONE)
        text = known.get(number) or ("(null)" if number <= max(known) else f"unknown error num: 0x{number:X}")
        return f"{kind}({place or 'unk'}):{text}"
    kind = "warn" if rc & 0x800 else "error"
    if not rc & 0x100:
        return f"{kind}(1.2): unknown version 1.2 error code"
    number = rc & 0x7F
    if rc & 0x400:
        return f"{kind}(2.0): Vendor specific error: 0x{number:X}"
    found = _warning(number) if rc & 0x800 else _read_table(_ERRORS).get(number)
    return f"{kind}(2.0): {found}" if found else f"0x{rc:X}"


def find_codes(text: str, *, only_prefixed: bool = False) -> list[int]:
    """Returns the response codes whose `tss2_text` is in `text`, the best match first.

    If `only_prefixed` is true, the text must have the prefix of a layer, such as `tpm:`. The text may be in a log
    line, and may be truncated: `tpm:session(1):the authorization HMAC`. The codes have the number of
    a session, handle or parameter only if the text has it.
    """
    words = " ".join(text.lower().replace("\u2026", " ").replace("...", " ").split())
    prefixes = list(_PREFIX.finditer(words))
    for found in prefixes:
        codes = _match_layer(_PREFIXES[found[1]], words[found.end() :].strip())
        if codes:
            return codes
    return [] if prefixes or only_prefixed else _search(words)


def _match_layer(layer: int, rest: str) -> list[int]:
    """Returns the response codes of `layer` that match `rest`, the text after the prefix, such as `esys:`."""
    if number := re.match(r"0x([0-9a-f]{1,4})\b", rest):
        return [layer << 16 | int(number[1], 16)]
    if re.match(r"success\b", rest):
        return [layer << 16]
    if layer not in (0, 11):
        return [layer << 16 | code for code in _match(rest, _read_table(_LAYER))]
    return [layer << 16 | code for code in _tpm_codes(rest)]


_PREFIX = re.compile(rf"(?<![\w/.-])({'|'.join(_PREFIXES)}):")
_PLACE = re.compile(r"(session|handle|parameter)\s*\((\d{1,2}|unk)\)\s*:?\s*(.*)")
_ERROR = re.compile(r"(error|warn)\s*\(2\.0\)\s*:?\s*(?:vendor specific error: 0x([0-9a-f]{1,2})\b)?(.*)")


def _tpm_codes(rest: str) -> list[int]:
    """Returns the response codes for the text after the prefix `tpm:` or `rmt:`."""
    if place := _PLACE.match(rest):
        number = 0 if place[2] == "unk" else int(place[2])
        if number > (15 if place[1] == "parameter" else 7):
            return []
        kind = {"session": 0x880, "handle": 0x080, "parameter": 0x0C0}[place[1]]
        codes = [kind | number << 8 | code for code in _match(place[3], _read_table(_FORMAT_ONE))]
        unknown = re.match(r"unknown error num: 0x([0-9a-f]{1,2})\b", place[3])
        return [kind | number << 8 | int(unknown[1], 16) & 0x3F] if unknown else codes
    if error := _ERROR.match(rest):
        base = 0x900 if error[1] == "warn" else 0x100
        if error[2]:
            return [base | 0x400 | int(error[2], 16) & 0x7F]
        return [base | code for code in _match(error[3].strip(), _format_zero(error[1] == "warn"))]
    return _search(rest)


@cache
def _format_zero(warning: bool) -> dict[int, str]:
    return {n: text for n in range(0x80) if (text := _warning(n))} if warning else _read_table(_ERRORS)


def _match(words: str, texts: dict[int, str]) -> list[int]:
    """Returns the keys of the texts that match the start of `words`. A longer complete match comes first."""
    full = [(len(text), code) for code, text in texts.items() if words.startswith(_fold(text))]
    if full:
        return [max(full)[1]]
    short = words.rstrip(" .,;")
    return [code for code, text in texts.items() if len(short) >= _SHORTEST and _fold(text).startswith(short)]


def _search(words: str) -> list[int]:
    """Returns a list of response codes, which have no handle, parameter or session number.

    The list contains the code with the longest description that is in `words`. If there is none, it contains the
    codes that `_match` returns.
    """
    texts = {0x080 | code: text for code, text in _read_table(_FORMAT_ONE).items()}
    for base, warning in ((0x100, False), (0x900, True)):
        texts |= {base | code: text for code, text in _format_zero(warning).items()}
    inside = [(len(text), code) for code, text in texts.items() if len(text) >= 12 and _fold(text) in words]
    return [max(inside)[1]] if inside else _match(words, texts) if len(words) > 12 else []


def _fold(text: str) -> str:
    return text.lower().rstrip(".")
