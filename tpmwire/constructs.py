"""The library construct, imported without modules that only its rarely used parts need.

`construct.debug` imports inspect, pdb and traceback, which take half the time of importing construct. On Python
3.14, whose pdb imports asyncio, these imports take three quarters. `construct.core` imports pickle, and
`construct.lib` imports platform, to compare the system's name with "Windows". This module replaces each of these
modules by a placeholder. The module is imported when an attribute of the placeholder is first used.
"""

import os
import sys
from types import ModuleType

__all__ = ["construct"]


class _Deferred(ModuleType):
    """A placeholder for a module, which is imported when one of its attributes is first used."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        __import__(self.__name__)
        return getattr(sys.modules[self.__name__], name)


class _DeferredPlatform(_Deferred):
    """A placeholder for platform, with the one function that construct calls during its import."""

    @staticmethod
    def system() -> str:
        return os.uname().sysname


_placeholders = [*map(_Deferred, ("inspect", "pdb", "pickle", "traceback")), _DeferredPlatform("platform")]
_deferred = [module for module in _placeholders if module.__name__ not in sys.modules]
sys.modules.update((module.__name__, module) for module in _deferred)
try:
    import construct
finally:
    # Other importers get the real module.
    for _module in _deferred:
        if sys.modules.get(_module.__name__) is _module:
            del sys.modules[_module.__name__]
