"""A plugin of pytest that loads hv.gdb with one mistake in it.

The mistake's name is in an environment variable; planted.toml has its text.
"""

import os
import sys
import tomllib
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

RECORDS = Path(__file__).with_name("planted.toml")
VARIABLE = "HV_GDB_PLANTED"


def bugs() -> dict[str, dict[str, str]]:
    """Return the records by name."""
    records = tomllib.loads(RECORDS.read_text())["bug"]
    return {record["name"]: record for record in records}


class _Loader(SourceFileLoader):
    """Load a module from a text that is no file's."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        """Compile the text, past what is kept of the file."""
        return self.source_to_code(
            self._text.encode(), self.get_filename(fullname)
        )


class _Finder(MetaPathFinder):
    """Find one module, changed."""

    def __init__(self, bug: dict[str, str]) -> None:
        self._bug = bug

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return where a module is, if it is the one."""
        if fullname != self._bug["module"]:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        assert spec
        assert spec.origin
        text = Path(spec.origin).read_text()
        assert text.count(self._bug["text"]) == 1
        text = text.replace(self._bug["text"], self._bug["instead"])
        spec.loader = _Loader(fullname, spec.origin, text)
        return spec


if VARIABLE in os.environ:
    _bug = bugs()[os.environ[VARIABLE]]
    assert _bug["module"] not in sys.modules
    sys.meta_path.insert(0, _Finder(_bug))
