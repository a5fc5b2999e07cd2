"""Which TPM a run opens: that of the option, of TPMWIRE_TPM_PATH, of TPM2TOOLS_TCTI, or the default."""

from pathlib import Path

import pytest

from cli.credentials.cache.purpose import cache_purpose
from cli.credentials.options import parse_run
from cli.tpm.path import TRACED, chosen_path, connect, find_missing_device, lasting_path
from tests.support.verbs import Tool
from tpmwire.errors import TransportError


@pytest.mark.parametrize(
    ("option", "own", "tools", "expected"),
    [
        ("/dev/tpm1", "/dev/tpm2", "device:/dev/tpm3", "/dev/tpm1"),
        ("", "/dev/tpm2", "device:/dev/tpm3", "/dev/tpm2"),
        (None, "/dev/tpm2", "tabrmd", "/dev/tpm2"),
        (None, "", "device:/dev/tpm3", "device:/dev/tpm3"),
        (None, None, "device", None),
        (None, None, "device:", None),
        (None, None, "", None),
        (None, None, None, None),
        (None, None, "swtpm", "swtpm:host=127.0.0.1"),
        (None, None, "swtpm:path=/run/s,x:y", "swtpm:path=/run/s,x:y"),
        (None, None, "swtpm:host=h,port=2", "swtpm:host=h,port=2"),
        (None, None, "mssim:host=::1,port=2", "mssim:host=::1,port=2"),
        (None, None, "libtss2-tcti-device.so.0:/dev/tpm3", "device:/dev/tpm3"),
        (None, None, "/usr/lib/libtss2-tcti-swtpm.so", "swtpm:host=127.0.0.1"),
    ],
)
def test_the_first_one_that_names_a_tpm(
    monkeypatch: pytest.MonkeyPatch, option: str | None, own: str | None, tools: str | None, expected: str | None
) -> None:
    for name, value in (("TPMWIRE_TPM_PATH", own), ("TPM2TOOLS_TCTI", tools)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert chosen_path(option) == expected


@pytest.mark.parametrize(
    "tcti", ["tabrmd", "tabrmd:bus_type=session", "pcap:device", "cmd:nc host 1", "/dev/tpm0"]
)
def test_an_unsupported_tcti_is_refused(monkeypatch: pytest.MonkeyPatch, tool: Tool, tcti: str) -> None:
    monkeypatch.setenv("TPM2TOOLS_TCTI", tcti)
    with pytest.raises(TransportError, match=r"expected device, swtpm or mssim, got .* set TPMWIRE_TPM_PATH"):
        chosen_path(None)
    ran = tool("list")
    assert (ran.code, ran.out, ran.err.count("\n")) == (3, "", 1)
    assert f"TPM2TOOLS_TCTI={tcti!r}" in ran.err
    assert tool("decode", "80010000000c000001440000").code == 0  # needs no TPM


@pytest.mark.parametrize(
    ("name", "value"), [("TPMWIRE_TPM_PATH", "/nowhere"), ("TPM2TOOLS_TCTI", "device:/nowhere")]
)
def test_an_error_names_the_variable(monkeypatch: pytest.MonkeyPatch, tool: Tool, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    ran = tool("pcr")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.endswith(f"; {name} names this TPM\n")
    assert "/nowhere" in ran.err
    assert name not in tool("pcr", "--tpm-path=/elsewhere").err


def test_a_variable_is_noted_before_a_secret_is_read(monkeypatch: pytest.MonkeyPatch, tool: Tool) -> None:
    words = ["import", "--persistent-handle=0x81010002"]
    monkeypatch.setenv("TPM2TOOLS_TCTI", "swtpm:path=/nowhere")
    assert tool(*words).err.splitlines() == [
        "TPM2TOOLS_TCTI selects the TPM at swtpm:path=/nowhere",
        "tpmwire: the secret is empty; give it on the first line of standard input (< FILE), "
        "or use --from-profile NAME",
    ]
    assert tool(*words, "--tpm-path=/nowhere").err.count("\n") == 1
    monkeypatch.setenv("TPM2TOOLS_TCTI", "device")
    assert tool(*words).err.count("\n") == 1


def test_the_tpm_behind_a_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TPMWIRE_TPM_PATH", "swtpm:path=/tmp/r/tpm")
    monkeypatch.setenv(TRACED, "swtpm:path=/tmp/r/tpm /dev/tpm1")
    assert lasting_path(None) == "/dev/tpm1"
    assert lasting_path("/dev/tpm2") == "/dev/tpm2"
    monkeypatch.setenv(TRACED, "swtpm:path=/tmp/r/tpm ")
    assert lasting_path(None) is None  # the default
    monkeypatch.setenv("TPMWIRE_TPM_PATH", "/dev/tpm3")
    assert lasting_path(None) == "/dev/tpm3"  # set again by the traced program


def test_another_tpm_has_another_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def purpose(*words: str) -> bytes:
        return cache_purpose(parse_run(words), None)

    default = purpose()
    monkeypatch.setenv("TPMWIRE_TPM_PATH", "/dev/tpm1")
    assert purpose() == purpose("--tpm-path=/dev/tpm1") != default
    monkeypatch.setenv("TPMWIRE_TPM_PATH", "swtpm:path=/tmp/r/tpm")
    monkeypatch.setenv(TRACED, "swtpm:path=/tmp/r/tpm ")
    assert purpose() == default


@pytest.mark.parametrize("variable", [None, "TPMWIRE_TPM_PATH", "TPM2TOOLS_TCTI"])
@pytest.mark.parametrize("prefix", ["", "device:"])
def test_a_missing_device_is_found_with_the_error_of_opening_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str | None, prefix: str
) -> None:
    path = f"{prefix}{tmp_path}/tpm0"
    option = path if variable is None else None
    if variable is not None:
        monkeypatch.setenv(variable, path if variable == "TPMWIRE_TPM_PATH" else f"device:{tmp_path}/tpm0")
    found = find_missing_device(option)
    with pytest.raises(TransportError) as opened:
        connect(option, 1)
    assert found is not None
    assert (str(found), getattr(found, "__notes__", [])) == (
        str(opened.value),
        getattr(opened.value, "__notes__", []),
    )


def test_what_only_opening_can_tell_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (
        "127.0.0.1:1",
        "swtpm:path=/none",
        "mssim:port=1",
        "tpm0",
        f"{tmp_path}/file",
        f"{tmp_path}/file/x",
    ):
        assert find_missing_device(path) is None, path
    assert find_missing_device("/dev/a\0b") is None
