"""First module of the single file (its `__main__`): runs tpmwire_start (zipapp_start.py), if possible as bytecode.

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
    bytecode = loads(__loader__.get_data(os.path.join(folder, "bytecode", sys.implementation.cache_tag)))
except OSError:
    bytecode = [b""]  # this Python was not available when the file was built
if bytecode[0] == MAGIC_NUMBER:
    _, modules, groups = bytecode
    codes = loads(groups[0])
    start = {"__name__": "tpmwire_start"}
    exec(codes["tpmwire_start"], start)
    start["main"](__loader__, folder, modules, groups, codes)
else:
    from tpmwire_start import main  # type: ignore[import-not-found]

    main(__loader__, folder, {}, (), {})
