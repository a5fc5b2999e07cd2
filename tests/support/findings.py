"""What `tpmwire doctor` found, by check."""

import json
from pathlib import Path

from tests.support.verbs import Tool

__all__ = ["findings", "texts"]


def findings(tool: Tool, *words: str | Path) -> dict[str, list[dict[str, str]]]:
    """Runs doctor; returns its results by the name of their check. Its exit code and its text fit them."""
    patience = () if any("--timeout" in str(word) for word in words) else ("--timeout=60s",)
    done = tool("doctor", "--json", *words, *patience)
    document = json.loads(done.out)
    results: list[dict[str, str]] = document["checks"]
    statuses = {each["status"] for each in results}
    assert statuses <= {"ok", "warning", "error"}
    assert document["status"] == next(one for one in ("error", "warning", "ok") if one in statuses)
    assert done.code == ("error" in statuses)
    assert all(bool(each["step"]) is (each["status"] != "ok") for each in results), results
    assert not [each for each in results if "internal error" in each["text"]]
    found: dict[str, list[dict[str, str]]] = {}
    for each in results:
        found.setdefault(each["check"], []).append(each)
    return found


def texts(found: list[dict[str, str]], status: str) -> list[str]:
    """Returns the texts with the next steps of the results with this status."""
    return [f"{each['text']}; {each['step']}" for each in found if each["status"] == status]
