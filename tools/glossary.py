"""Writes docs/glossary.md: the terms of TPM 2.0, and the list of lessons in docs/learn.md.

python tools/glossary.py            writes the pages
python tools/glossary.py --check    exits with 1 if a page is out of date

Meanings of the standard's names come from tpmwire/explain/texts, commands and response codes from the lessons.
"""

import re
import sys
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from cli.lessons import load_lessons  # noqa: E402
from tpmwire.explain.texts import meaning  # noqa: E402
from tpmwire.spec.constants import TPM_CC, TPM_HT, TPM_SE, TPMA_NV, TPMA_OBJECT, TPMA_SESSION  # noqa: E402
from tpmwire.spec.numbers import Attributes  # noqa: E402

PAGE = ROOT / "docs" / "glossary.md"
LEARN = ROOT / "docs" / "learn.md"

CONCEPTS = """
attestation key (AK): a restricted signing key. It signs only statements that the TPM made itself. | quotes
authValue: the password of an object, index or hierarchy; it may be empty. | passwords_and_lockout
authPolicy: the policy digest in a public area; a policy session with this digest authorizes the use. |
  policies_in_use
bank: the set of PCRs with one hash algorithm. | pcrs
bound session: a session whose key is derived from the authValue of an object. | bound_sessions
cpHash: the hash of a command's code, the Names of its handles and its parameters. An HMAC covers it. | sessions
credential: a secret that is encrypted for an endorsement key and the Name of another key. | credential_activation
dictionary attack: guessing a password; the TPM counts wrong passwords and enters lockout. | passwords_and_lockout
duplication: moving a key to a parent in another TPM. | duplication
endorsement key (EK): a decryption key with the manufacturer's certificate, which shows that the TPM is genuine. |
  credential_activation
event log: the list of all measurements of a boot; a replay of its digests gives the PCR values. | event_logs
extend: replace a PCR value by the hash of the old value and a digest. | pcrs
handle: a number of four bytes that names an object, session, PCR, NV index or hierarchy. | handles_and_hierarchies
hierarchy: a tree of keys below a secret seed: owner, endorsement, platform or null. | handles_and_hierarchies
KDFa: the function that derives keys from keys, with HMAC in counter mode (NIST SP 800-108). | salted_sessions
lockout: the state after too many wrong passwords. | passwords_and_lockout
Name: nameAlg and the hash of a public area. It identifies an object or NV index. | names
nameAlg: the hash algorithm of an object: for its Name, its policy, and its protection. | names
nonce: a number that is used once, so that a recorded message cannot be sent again. | sessions
NV index: a piece of the TPM's non-volatile memory, with rules for reading and writing. | nv
parameter encryption: encryption of the first parameter of a command or response by a session. |
  parameter_encryption
PCR: platform configuration register; a hash that can only be extended until the next reset. | pcrs
persistent object: a key that stays in the TPM at a handle that begins with 0x81. | handles_and_hierarchies
policy: conditions for the use of an object, of which the object has a digest. | policies_by_hand
primary key: a key that is derived from a hierarchy's seed and a template. | templates
private area: the secret part of an object, encrypted by its parent while it is outside of the TPM. | hmac_keys
public area: the part of an object that everybody may see: type, attributes, policy, public key. | names
quote: a signed statement of PCR values, with a nonce. | quotes
response code: the third field of each response; 0 is success. | what_is_a_tpm
restricted key: a key that works only on data that the TPM itself made or hashed. | signatures
rpHash: the hash of a response's code, its command's code and its parameters. An HMAC covers it. | sessions
salted session: a session whose key is derived from a secret that only the TPM can decrypt. | salted_sessions
sealed object: data that is protected like a key; TPM2_Unseal returns it. | sealed_data
session: a connection of commands that authorizes, encrypts or audits. | sessions
storage root key (SRK): the usual parent of keys: a primary key of the owner hierarchy. | handles_and_hierarchies
template: a public area without the public key, from which the TPM creates a key. | templates
ticket: an HMAC with which the TPM later recognizes its own earlier result. | hashing
transient object: a loaded key, whose handle begins with 0x80. | handles_and_hierarchies
trial session: a session that computes a policy digest without checking the conditions. | policies_by_hand
"""
"""Terms, their meanings, and the lesson that explains each."""

PREFIXES = """
TPM_: a set of constants, such as TPM_ALG
TPM2_: a command, such as TPM2_Create
TPMA_: a word of attributes, each one bit or a few bits
TPMI_: a number that only some values are allowed for, such as a handle of a certain kind
TPML_: a list: a count, and then the elements
TPMS_: a structure
TPMT_: a structure whose first field selects the type of a later field
TPMU_: a union: one of several types, chosen by a selector
TPM2B_: a buffer: a size of two bytes, and then that many bytes
"""
"""Prefixes of names in the standard (Part 2, §4.7)."""


def _entries(table: str) -> Iterator[tuple[str, str]]:
    for line in re.sub(r"\n  +", " ", table).strip().splitlines():
        term, _, text = line.partition(": ")
        yield term, text


def _lesson_link(slug: str) -> str:
    """Returns the number of the lesson whose folder has this name. Raises StopIteration for an unknown name."""
    return str(next(lesson.number for lesson in load_lessons() if lesson.slug[3:] == slug))


def _concepts() -> Iterator[str]:
    for term, text in _entries(CONCEPTS):
        words, _, slug = text.partition(" | ")
        yield f"| {term} | {words.removesuffix('.')} | {_lesson_link(slug.strip())} |"


def _members(kind: type[IntEnum] | type[Attributes]) -> Iterator[str]:
    """Yields a row for each constant or attribute of a type: its name in the standard, and its meaning."""
    for member in kind:
        name = member.described() if isinstance(member, Attributes) else member.name
        if text := meaning(kind.__name__, name):
            yield f"| {name} | {_cell(text)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _users(pattern: str, part: str) -> dict[str, list[int]]:
    """Returns what `pattern` finds in a part of each lesson, with the numbers of the lessons."""
    found: dict[str, list[int]] = {}
    for lesson in load_lessons():
        text = getattr(lesson, part)
        for name in re.findall(pattern, "\n".join(text) if isinstance(text, list) else text, re.MULTILINE):
            numbers = found.setdefault(name, [])
            numbers += [lesson.number] if lesson.number not in numbers else []
    return dict(sorted(found.items()))


def _numbers(lessons: list[int]) -> str:
    return ", ".join(map(str, lessons))


def _commands() -> Iterator[str]:
    for name, lessons in _users(r"^([A-Z]\w+)\b", "solution").items():
        if name in TPM_CC.__members__:
            yield f"| TPM2_{name} | {_cell(meaning(f'TPM2_{name}'))} | {_numbers(lessons)} |"


def _codes() -> Iterator[str]:
    for name, lessons in _users(r"TPM_RC_(\w+)", "field").items():
        yield f"| TPM_RC_{name} | {_cell(meaning('TPM_RC', name))} | {_numbers(lessons)} |"


def _table(heads: str, rows: Iterator[str]) -> str:
    columns = heads.count("|") + 1
    return "\n".join([f"| {heads} |", "|---" * columns + "|", *rows]) + "\n"


def glossary() -> str:
    """Returns the page of the glossary."""
    sections = {
        "Concepts": _table("term | meaning | lesson", _concepts()),
        "Prefixes of names": _table(
            "prefix | meaning", (f"| `{term}` | {text} |" for term, text in _entries(PREFIXES))
        ),
        "Kinds of handles (TPM_HT)": _table("name | meaning", _members(TPM_HT)),
        "Kinds of sessions (TPM_SE)": _table("name | meaning", _members(TPM_SE)),
        "Attributes of objects (TPMA_OBJECT)": _table("attribute | meaning", _members(TPMA_OBJECT)),
        "Attributes of sessions (TPMA_SESSION)": _table("attribute | meaning", _members(TPMA_SESSION)),
        "Attributes of NV indices (TPMA_NV)": _table("attribute | meaning", _members(TPMA_NV)),
        "Commands of the lessons": _table("command | meaning | lessons", _commands()),
        "Response codes of the lessons": _table("code | meaning | lessons", _codes()),
    }
    return (
        "# Glossary\n\n"
        "The terms of TPM 2.0 that the [lessons](learn.md) and the [tour](tour/README.md) use. "
        "`tpmwire learn N` is lesson N.\n"
        "`tpmwire explain NAME` explains every other name of the standard. "
        "`python tools/glossary.py` writes this page.\n"
        + "".join(f"\n## {title}\n\n{text}" for title, text in sections.items())
    )


def list_of_lessons(page: str) -> str:
    """Returns docs/learn.md with the current table of lessons."""
    table = _table(" | lesson", (f"| {lesson.number} | {lesson.title} |" for lesson in load_lessons()))
    return re.sub(r"(## The lessons\n\n).*?(?=\n## )", lambda found: found[1] + table, page, flags=re.DOTALL)


def main() -> int:
    """Writes the pages, or prints which are out of date; returns the exit code."""
    if sys.argv[1:] not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    pages = {PAGE: glossary(), LEARN: list_of_lessons(LEARN.read_text(encoding="utf-8"))}
    stale = [path for path, text in pages.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date; run python tools/glossary.py", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        path.write_text(pages[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
