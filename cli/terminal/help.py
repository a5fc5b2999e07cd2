"""Texts of --help and of the manual pages: wrapped paragraphs, exit codes, environment variables and files."""

import argparse
import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import TextWrapper

from .messages import EXIT_CODES

__all__ = [
    "ENVIRONMENT",
    "actions_of",
    "epilog",
    "exit_codes",
    "files_of",
    "fill",
    "listed",
    "narrow",
    "variables_of",
    "wrapped",
]

ENVIRONMENT = {
    "TPMWIRE_TPM_PATH": "TPM to use; takes the same values as --tpm-path",
    "TPM2TOOLS_TCTI": "TPM to use if TPMWIRE_TPM_PATH is not set, as for tpm2-tools: device, swtpm or mssim",
    "TPM_DEVICE": "TPM to use with `tpmwire roles-anywhere`, without --tpm-path",
    "TPM_KEY_AUTH": "password of the key, and of its parent if TPM_PARENT_AUTH is not set",
    "TPM_PARENT_AUTH": "password of the parent, or of its hierarchy",
    "TPM_OWNER_AUTH": "password of the owner hierarchy",
    "TPM_ENDORSEMENT_AUTH": "password of the endorsement hierarchy",
    "AWS_ACCESS_KEY_ID": "access key ID of the key, if --aws-access-key-id is not given",
    "AWS_PROFILE": "profile to use, if neither --profile nor an access key ID is given",
    "AWS_CONFIG_FILE": "path of the AWS config file, instead of ~/.aws/config",
    "AWS_SHARED_CREDENTIALS_FILE": "path of the AWS credentials file, instead of ~/.aws/credentials",
    "AWS_REGION": "region, if no option gives it",
    "AWS_DEFAULT_REGION": "region, if AWS_REGION is not set",
    "AWS_STS_REGIONAL_ENDPOINTS": "STS endpoint: global (legacy) or of the region (regional)",
    "AWS_ENDPOINT_URL_STS": "URL of the STS endpoint",
    "AWS_ENDPOINT_URL_ROLESANYWHERE": "URL of the Roles Anywhere endpoint",
    "AWS_ENDPOINT_URL": "URL of AWS endpoints, if AWS_ENDPOINT_URL_STS is not set",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "if true, endpoint URLs of environment and AWS files are ignored",
    "AWS_USE_FIPS_ENDPOINT": "if true, FIPS endpoints are used",
    "AWS_USE_DUALSTACK_ENDPOINT": "if true, endpoints for IPv6 and IPv4 are used",
    "AWS_CA_BUNDLE": "trusted CA certificates: a PEM file or a hashed directory",
    "AWS_RETRY_MODE": "retry mode: standard, adaptive or legacy",
    "AWS_MAX_ATTEMPTS": "number of attempts for a request",
    "HTTPS_PROXY": "proxy for https",
    "HTTP_PROXY": "proxy for http",
    "NO_PROXY": "hosts that are accessed without a proxy, separated by commas",
    "XDG_RUNTIME_DIR": "directory of the cache and of the server's socket",
    "XDG_CACHE_HOME": "directory of the cache, if XDG_RUNTIME_DIR is not set",
    "XDG_STATE_HOME": "directory of lessons' progress, saved results and the shell's history "
    "(default: ~/.local/state)",
    "XDG_DATA_HOME": "directory of the lessons' TPMs (default: ~/.local/share)",
    "NO_COLOR": "if not empty, no colors",
    "FORCE_COLOR": "if not empty, colors also without a terminal",
}
"""Environment variables and their meaning, in the order of the manual pages."""

_WIDEST = 36
"""Maximum length of a name that determines the width of a list's first column."""

_AWS_FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
_NETWORK = (
    *(
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_STS_REGIONAL_ENDPOINTS",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL",
    ),
    *("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"),
    *("AWS_CA_BUNDLE", "AWS_RETRY_MODE", "AWS_MAX_ATTEMPTS", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"),
)
_NETWORK_CODES = ("6", "7")
_TPM_CODES = ("3", "4", "8")
_TPM_OF_PROFILE = ("tpmwire demo", "tpmwire rotate")  # without --tpm-path
_WITHOUT_KEY_FILE = tuple(f"tpmwire {verb}" for verb in ("cache", "completion", "info", "pcr", "random", "spec"))
_OTHER = "any other error, such as a full disk"
_CERTIFICATE = "a certificate is expired, unreadable, or not issued by a trusted CA"
_STATEMENT = "the statement is not valid: wrong signature, nonce, key or values"
_OWN_CODES = {
    "tpmwire checkcertify": {"4": _CERTIFICATE, "8": _STATEMENT},
    "tpmwire checkquote": {"4": _CERTIFICATE, "8": _STATEMENT},
    "tpmwire decode": {"1": f"the input is truncated or not valid, or {_OTHER}"},
    "tpmwire doctor": {"1": f"a check found an error, or {_OTHER}"},
    "tpmwire ek": {
        "4": f"the TPM refused, or {_CERTIFICATE}",
        "8": "a certificate is forged or belongs to another TPM, or a TPM response is not authentic",
    },
    "tpmwire eventlog": {"8": "a value differs from the expected one, or a TPM response is not authentic"},
    "tpmwire explain": {"1": f"the bytes of an argument are not valid, or {_OTHER}"},
    "tpmwire learn": {"1": f"the lines of -f do not solve the lesson, or {_OTHER}"},
    "tpmwire fleet enrol": {"4": f"the TPM refused, or {_CERTIFICATE}"},
    "tpmwire makecredential": {"4": _CERTIFICATE, "8": "a certificate is forged, or belongs to another key"},
    "tpmwire policy": {"4": "the policy is not valid"},
    "tpmwire soft": {"3": "the state file cannot be used"},
    "tpmwire wrap": {
        "1": f"a host of --fleet failed, or {_OTHER}",
        "4": _CERTIFICATE,
        "8": "a certificate is forged, or belongs to another key",
    },
}
"""Meanings of exit codes that differ from EXIT_CODES, by the verb's program name."""
_CACHE = ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME")
_READ = {
    "profile": _AWS_FILES,
    "from_profile": _AWS_FILES,
    "write_profile": _AWS_FILES,
    "aws_region": _NETWORK,
    "delete_old": _NETWORK,
    "given": ("AWS_PROFILE",),
    "endpoint": (*_AWS_FILES, *_NETWORK),
    "cache": _CACHE,
    "color": ("NO_COLOR", "FORCE_COLOR"),
    "tpmwire cache": _CACHE,
    "tpmwire completion": ("TPMWIRE_TPM_PATH", "TPM2TOOLS_TCTI", *_AWS_FILES),
    "tpmwire doctor": (*_AWS_FILES, *_NETWORK, *_CACHE),
    "tpmwire fetch": ("XDG_RUNTIME_DIR",),
    "tpmwire learn": ("XDG_STATE_HOME", "XDG_DATA_HOME"),
    "tpmwire list": _AWS_FILES,
    "private_key": ("TPM_DEVICE",),
    "tpmwire send": ("XDG_STATE_HOME",),
    "tpmwire shell": ("XDG_STATE_HOME",),
    "tpmwire setup": (*_AWS_FILES, *_NETWORK),
}
"""Variables that an option or a verb of this name reads, in addition to those that an option's help names."""

_FILES = {
    "~/.aws/config": ("AWS_CONFIG_FILE", "profiles"),
    "~/.aws/credentials": ("AWS_SHARED_CREDENTIALS_FILE", "profiles with keys or temporary credentials"),
    "/dev/tpmrm0, /dev/tpm0": ("TPMWIRE_TPM_PATH", "the TPM: the first of these that exists"),
    "$XDG_RUNTIME_DIR/tpmwire, ~/.cache/tpmwire": ("XDG_RUNTIME_DIR", "the cache, readable by its owner only"),
}
"""For each file: the variable whose readers also use the file, and the file's content."""


def actions_of(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yields the options and arguments of a parser and of its subparsers."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from actions_of(inner)
        else:
            yield action


def variables_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Returns a mapping from environment variable to meaning, for the variables that a parser's options read."""
    # Other defaults belong to options that this parser does not have.
    known = (parser.prog, *(name for name in parser._defaults if name == "given"))
    names = {name for each in known for name in _READ.get(each, ())}
    for action in actions_of(parser):
        names |= {*_READ.get(action.dest, ())}
        for found in re.findall(r"\benv: ([A-Z0-9_]+(?:, [A-Z0-9_]+)*)", str(action.help)):
            names |= {*found.split(", ")}
    return {name: meaning for name, meaning in ENVIRONMENT.items() if name in names}


def files_of(parser: argparse.ArgumentParser) -> dict[str, str]:
    """Returns a mapping from file to content, for files that a parser's options use by default."""
    variables = variables_of(parser)
    return {path: content for path, (variable, content) in _FILES.items() if variable in variables}


def exit_codes(parser: argparse.ArgumentParser | None = None) -> dict[str, str]:
    """Returns a mapping from exit code to meaning.

    With a parser, the codes that its verb does not return are left out: those of AWS and of the network without an
    option for the network, those of the TPM without --tpm-path, and that of key files for verbs that read none.
    """
    codes = {str(code): text for code, text in sorted(EXIT_CODES.values()) if text}
    if parser is not None and parser.prog != "tpmwire fetch":
        if "HTTPS_PROXY" not in variables_of(parser):
            codes = {code: text for code, text in codes.items() if code not in _NETWORK_CODES}
        if parser.prog not in _TPM_OF_PROFILE and all(each.dest != "tpm_path" for each in actions_of(parser)):
            codes = {code: text for code, text in codes.items() if code not in _TPM_CODES}
        if parser.prog in _WITHOUT_KEY_FILE:
            codes.pop("5")
        codes |= _OWN_CODES.get(parser.prog, {})
    other = codes.pop("1")
    return {"0": "done", **dict(sorted(codes.items())), "1": other, "128+N": "ended by signal N"}


def epilog(parser: argparse.ArgumentParser, width: int) -> str:
    """Returns the last part of a parser's --help: environment variables and exit codes."""
    text = "exit codes:\n" + listed(exit_codes(parser), width, 0)
    if names := ", ".join(variables_of(parser)):
        text = "\n".join(wrapped(f"environment: {names}", width, others="  ")) + f"\n\n{text}"
    return text


def listed(rows: Mapping[str, str], width: int, column: int) -> str:
    """Returns a two-column list of names and wrapped texts, indented by two spaces.

    `column` is the minimum width of the first column, `width` the width of a line.
    """
    column = max(column, *(len(name) for name in rows if len(name) <= _WIDEST))
    return "\n".join(
        line
        for name, text in rows.items()
        for line in wrapped(text, width, f"  {name:{column}}  ", " " * (column + 4))
    )


def wrapped(text: str, width: int, first: str = "", others: str = "") -> list[str]:
    """Returns the lines of a wrapped paragraph; names such as --tpm-path are not broken at their hyphens.

    `first` and `others` are the indents of the first line and of the other lines.
    """
    wrapper = TextWrapper(width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False)
    return wrapper.wrap(" ".join(text.split()))


def narrow(usage: str, width: int) -> str:
    """Returns argparse's usage text with long lines broken between the alternatives of a group."""
    return "\n".join(line for each in usage.split("\n") for line in _break_usage(each, width))


def _break_usage(line: str, width: int) -> Iterator[str]:
    margin = " " * (len(line) - len(line.lstrip()) + 1)
    while len(line) > width and (at := line.rfind(" | ", len(margin), width)) > 0:
        yield line[: at + 2]
        line = margin + line[at + 3 :]
    yield line


def fill(text: str, width: int, indent: str = "") -> str:
    """Returns text with wrapped paragraphs; lines that begin with a space are not wrapped."""
    return "\n".join(_fill_lines(text.strip().splitlines(), width, indent))


def _fill_lines(lines: Iterable[str], width: int, indent: str) -> Iterator[str]:
    paragraph: list[str] = []
    for line in [*lines, ""]:
        if line and not line.startswith(" "):
            paragraph.append(line)
            continue
        if paragraph:
            yield from wrapped(" ".join(paragraph), width, indent, indent)
            paragraph = []
        yield indent + line if line else ""
