"""A private core: a shared library of changed sources, instead of hv._native.

``HV_CORE=core.so`` makes all of hv use it. Functions, structures and
enumerations come from the library, through the same headers; the constants of
``csrc/abi``, which no lab changes, from the extension module.
"""

from typing import Any

import cffi

from hv.errors import CoreMissing
from hv.sources import declarations


class PrivateLib:
    """What ``hv._native.lib`` is to the rest of hv."""

    def __init__(self, library: object, constants: object) -> None:
        self._library = library
        self._constants = constants

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- cffi's
        """Return a function of the library, or a constant."""
        try:
            value = getattr(self._library, name)
        except AttributeError:
            value = getattr(self._constants, name)
            if not isinstance(value, int):
                raise  # a function that the library should have
        setattr(self, name, value)  # found at once the next time
        return value


def load(path: str, constants: object) -> tuple[Any, Any]:
    """Return ``ffi`` and ``lib`` of the core in this file.

    :param constants: ``lib`` of the extension module.
    :raises CoreMissing: the file is no core.
    """
    ffi = cffi.FFI()
    ffi.cdef(declarations())
    try:
        library = ffi.dlopen(path)
    except OSError as error:
        raise CoreMissing(f"HV_CORE={path}: {error}") from None
    return ffi, PrivateLib(library, constants)
