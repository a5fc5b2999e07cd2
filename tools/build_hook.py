"""Puts the manual pages into a wheel: hatchling loads this module (pyproject.toml)."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

sys.path.insert(0, str(Path(__file__).parents[1]))

from tools.manpages import write_pages


class ManualPages(BuildHookInterface[Any]):
    """Adds the manual pages to a wheel. The pages are written into a temporary directory during the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds the manual pages to the files of a wheel. An editable installation gets no pages."""
        if version == "editable":
            return
        self._folder = tempfile.TemporaryDirectory()
        write_pages(Path(self._folder.name))
        for page in sorted(Path(self._folder.name).iterdir()):
            build_data["shared_data"][str(page)] = f"share/man/man1/{page.name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the temporary directory."""
        if version != "editable":
            self._folder.cleanup()
