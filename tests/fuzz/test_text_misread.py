"""No text is explained as what it is not."""

import pytest

from tests.fuzz import misread


def test_mutated_text() -> None:
    # A fixed seed: `make fuzz` draws new ones.
    assert misread.main(1500, 70000000) > 300
    assert misread.main(1, 336611621) == 1  # a string with a quote in it, begun in its middle
    misread.main(1, 630083180)  # an offset 0000640, which is also a tag in decimal
    misread.main(1, 824301899)  # two dumps in a log; the first one ends with a short row
    misread.main(1, 950505444)  # od -t u2 with five blanks between the values of a row
    misread.main(1, 20317374)  # a swapped size and the code of TPM2_Vendor_TCG_Test in the middle of a row


def test_a_wrong_reader_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check fails for a reader that takes a response for a command."""
    monkeypatch.setattr(misread, "classify", lambda message: "command")
    with pytest.raises(AssertionError, match="is explained as a response"):
        misread.main(300, 1)
