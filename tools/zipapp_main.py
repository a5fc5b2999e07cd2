"""The `__main__` of the single file: `python3 FILE` runs it, and so tpmwire_start (tools/zipapp_start.py).

Python compiles this module at each start, so it must be short. Any Python 3 can run it.
"""

import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from zipimport import zipimporter

    start: dict[str, Any]
    __loader__: zipimporter

folder = os.path.dirname(__file__)
try:
    found = loads(__loader__.get_data(os.path.join(folder, "bytecode", sys.implementation.cache_tag)))
except OSError:
    found = [b""]  # this Python was not available when the file was built
if found[0] == MAGIC_NUMBER:
    codes = loads(found[2][0])
    start = {"__name__": "tpmwire_start"}
    exec(codes["tpmwire_start"], start)
    start["main"](folder, found, codes)
else:
    from tpmwire_start import main  # type: ignore[import-not-found]

    main(folder, (b"", {}, ()), {})
