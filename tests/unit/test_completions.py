"""The completion scripts in cli/completions are those of today's parsers."""

import pytest

from tests.support.programs import CREDENTIAL_PROCESS, ROOT, TOOLBOX
from tests.support.shells import SHELLS
from tools.completions import script


@pytest.mark.parametrize("program", [TOOLBOX, CREDENTIAL_PROCESS])
@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_up_to_date(program: str, shell: str) -> None:
    written = (ROOT / "cli" / "completions" / f"{program}.{shell}").read_text()
    assert written == script(program, shell), "run python tools/completions.py"
