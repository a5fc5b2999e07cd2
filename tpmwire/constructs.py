"""The library construct, imported without the modules that only its debugging aids use.

`construct.debug` imports inspect, pdb and traceback. They take half the time of importing construct. On Python
3.14, whose pdb imports asyncio, they take three quarters. Here each of them is imported when an attribute is first
used.
"""

import sys
from importlib import import_module
from types import ModuleType

__all__ = ["construct"]


class _Deferred(ModuleType):
    """A placeholder for a module, which is imported when one of its attributes is first used."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


_deferred = [_Deferred(name) for name in ("inspect", "pdb", "traceback") if name not in sys.modules]
sys.modules.update((module.__name__, module) for module in _deferred)
try:
    import construct
finally:
    # Every other importer gets the module itself.
    for _module in _deferred:
        if sys.modules.get(_module.__name__) is _module:
            del sys.modules[_module.__name__]
