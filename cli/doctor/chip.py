"""Checks the TPM itself: model, algorithms, lockout, and objects that other programs left in it."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..tpm.inventory import list_handles
from .finding import Finding
from .machine import Machine
from .registry import register

__all__ = ["QUIRKS", "Quirk", "check_algorithms", "check_leftovers", "check_lockout", "check_model"]

_NEEDED = ("SHA256", "HMAC", "KEYEDHASH")


class Quirk(NamedTuple):
    """A known problem of the TPMs for which `applies` returns True, and the next step, if any."""

    applies: Callable[[dict[str, Any]], bool]
    text: str
    step: str = ""


def _firmware(description: dict[str, Any]) -> tuple[int, int]:
    """Returns the (major, minor) version of the firmware."""
    major, minor, *_ = description["firmware"].split(".")
    return int(major), int(minor)


QUIRKS = (
    Quirk(
        lambda chip: chip["manufacturer"] == "IFX" and _firmware(chip) == (7, 40),
        "firmware 7.40 of Infineon fails until the next start after some commands (tpm2-tss #1700, #1865), which "
        "keys under an endorsement key need",
        "update the TPM's firmware, and do not use --useEKParent",
    ),
    Quirk(
        lambda chip: chip["vendor"].startswith("SW") or chip["manufacturer"] in ("IBM", "XCG"),
        "this is a software TPM: its keys are as safe as the files of the machine that runs it",
    ),
    Quirk(
        lambda chip: "HMAC" in chip["missing_commands"],
        "the TPM has no TPM2_HMAC; each run sends two more commands instead",
    ),
    Quirk(
        lambda chip: chip["limits"].get("hr_transient_min", 3) < 3,
        "the TPM has fewer than three slots for objects",
        "use a key at a persistent handle",
    ),
)
"""Known properties of models, from bug trackers of other TPM programs."""


@register
def check_model(machine: Machine) -> Iterator[Finding]:
    """Shows manufacturer, firmware and version of the TPM, and known quirks of this model."""
    chip = machine.description
    name = " ".join(filter(None, (chip["manufacturer"], chip["vendor"])))
    text = (
        f"{name}, firmware {chip['firmware']}, TPM {chip['family']} revision {chip['specification']['revision']}"
    )
    if chip["family"] != "2.0":
        yield Finding.error(f"{text}: not a TPM 2.0", "choose a TPM 2.0 with --tpm-path")
    else:
        yield Finding.ok(text)
    for quirk in QUIRKS:
        if quirk.applies(chip):
            yield Finding.warning(quirk.text, quirk.step) if quirk.step else Finding.ok(quirk.text)


@register
def check_algorithms(machine: Machine) -> Iterator[Finding]:
    """Checks that the TPM has SHA-256, its PCR bank, HMAC, elliptic curves, and the commands that tpmwire uses."""
    chip = machine.description
    if missing := [name for name in _NEEDED if name not in chip["algorithms"]]:
        yield Finding.error(f"the TPM lacks {', '.join(missing)}, which AWS keys need", "use another TPM")
    if not {"HMAC", "HMAC_Start"} - {*chip["missing_commands"]}:
        yield Finding.error("the TPM has neither TPM2_HMAC nor TPM2_HMAC_Start", "use another TPM")
    if not chip["pcr_banks"].get("sha256"):
        yield Finding.warning(
            "no PCR has a SHA-256 value", "enable the SHA-256 bank in the firmware, if you use --pcrs"
        )
    if "ECC" not in chip["algorithms"] or "NIST_P256" not in chip["curves"]:
        yield Finding.warning(
            "the TPM has no ECC P-256, so parents are RSA keys, which take up to 10 seconds to create",
            "use a key at a persistent handle, and create the storage root key once (--make-srk)",
        )
    else:
        yield Finding.ok("SHA-256, HMAC and ECC P-256 are supported")


@register
def check_lockout(machine: Machine) -> Iterator[Finding]:
    """Shows how many wrong passwords the TPM has counted. At the maximum, it refuses passwords (lockout)."""
    state = machine.description["lockout"]
    failures, most, seconds = state["failures"], state["max_failures"], state["interval_seconds"]
    forgiven = f"one is forgiven every {seconds} s" if seconds else "none is ever forgiven"
    counted = f"{failures} of {most} wrong passwords counted, {forgiven}"
    if state["locked_out"]:
        yield Finding.error(
            f"the TPM is locked out, and refuses keys with a password: {counted}",
            "wait, or reset the counter with the lockout password (`tpm2_dictionarylockout -c`)",
        )
    elif failures:
        yield Finding.warning(counted, "correct the program or file that has the wrong password")
    else:
        yield Finding.ok(f"no wrong passwords counted ({most} lock the TPM)")


@register
def check_leftovers(machine: Machine) -> Iterator[Finding]:
    """Shows objects and sessions that other programs left in the TPM, and whether a run finds a free slot."""
    limits = machine.description["limits"]
    with machine.tpm() as tpm:
        own = tpm.transport.close_flushes
        found = {kind: len(list_handles(tpm, kind)) for kind in ("transient", "loaded session", "saved session")}
    if own:
        yield Finding.ok("the kernel's resource manager flushes what each program leaves")
        return
    parts = [f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in _name_kinds(found).items() if count]
    full = [
        what
        for what, name in (("objects", "hr_transient_avail"), ("sessions", "hr_loaded_avail"))
        if limits.get(name) == 0
    ]
    text = f"{', '.join(parts)} left in the TPM"
    step = "if no program uses them, run `tpmwire flush`"
    if full:
        yield Finding.error(f"{text}, and no slot is free for {' and '.join(full)}", step)
    elif parts:
        yield Finding.warning(text, step)
    else:
        yield Finding.ok("no objects or sessions are left in the TPM")


def _name_kinds(found: dict[str, int]) -> dict[str, int]:
    return {"transient object" if kind == "transient" else kind: count for kind, count in found.items()}
