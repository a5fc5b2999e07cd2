"""JSON that one reader takes so and another so, or that breaks a reader: refused, in one line."""

import json
from pathlib import Path

import pytest

from tests.support.verbs import Tool
from tpmwire.policy import strict_json

REFUSED = {
    "not JSON": ("{", "line 1"),
    "a name twice": ('{"command": "GetRandom", "command": "Clear"}', "duplicate name 'command'"),
    "a name twice, deeper": ('[[{"a": 1, "b": 2, "a": 3}]]', "duplicate name 'a'"),
    "NaN": ('{"value": NaN}', "NaN is not allowed"),
    "minus Infinity": ("[-Infinity]", "-Infinity is not allowed"),
    "half of a pair": ('{"host": "\\ud83d"}', "invalid Unicode"),
    "half of a pair as a name": ('{"\\udd11": 1}', "invalid Unicode"),
    "nested too deeply": ("[" * 100_000, "nested too deeply"),
    "objects nested too deeply": ('{"a":' * 100_000, "nested too deeply"),
    "a number with 5,000 digits": ('{"value": ' + "9" * 5000 + "}", "4300 digits"),
}


@pytest.mark.parametrize(
    "text", ['{"a": [1, -2.5, null, true, "\\ud83d\\udd11 \\\\ud83d"], "b": {"a": 1}}', "[]", "1"]
)
def test_what_is_json_is_read(text: str) -> None:
    assert strict_json.loads(text) == strict_json.loads(text.encode()) == json.loads(text)


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_is_refused(kind: str) -> None:
    text, why = REFUSED[kind]
    for given in (text, text.encode()):
        with pytest.raises(ValueError, match=why):
            strict_json.loads(given)


def test_octets_that_are_not_unicode_are_refused() -> None:
    with pytest.raises(ValueError, match="invalid Unicode"):
        strict_json.loads(b'"\xff"')


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize(
    "words",
    [
        ["send", "--tpm-path=/nonexistent", "--json"],
        ["wrap", "--out=new.pem", "--to"],
        ["policy", "--json"],
        ["import", "--out=new.pem", "--tpm-path=/nonexistent", "--policy"],
    ],
    ids=lambda words: words[0],
)
def test_each_verb_says_so_in_one_line(
    tool: Tool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.json").write_text(REFUSED[kind][0])
    ran = tool(*words, "given.json", stdin=b"made/up+SecretAccessKeyOfFortyCharacters")
    assert (ran.code, ran.out, ran.err.count("\n")) in ((2, "", 1), (4, "", 1))
    assert REFUSED[kind][1] in ran.err


def test_a_fleet_refuses_the_host_only(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "fleet.jsonl").write_text("".join(f"{text}\n" for text, _ in REFUSED.values()))
    words = ("wrap", f"--fleet={tmp_path / 'fleet.jsonl'}", f"--out={tmp_path / 'out'}")
    ran = tool(*words, stdin=b"made/up+SecretAccessKeyOfFortyCharacters")
    assert ran.code == 1
    for number in range(1, len(REFUSED) + 1):
        assert f"line {number}: not a JSON object" in ran.err
