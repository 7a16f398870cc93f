"""Run tests of the quick suite on a core that is another.

    python -m tests.mutation.suite LIBRARY FILE SOURCE TEST...

LIBRARY takes the place of the extension module: tests/guest/bugged.py says
what it must have. FILE, below csrc, has the text of the file SOURCE for
whoever builds a core, a simulator or a harness of csrc. Ends with 1 if a test
fails, and says which.
"""

import os
import sys
import types
from pathlib import Path

import cffi
import pytest

from hv.zoo import builder
from tests.guest.bugged import Bugged, constants


def replace(library: str, file: str, text: str) -> None:
    """Let whoever loads or builds a core have this one."""
    ffi = cffi.FFI()
    ffi.cdef(builder.declarations())
    ffi.cdef("\n".join(f"extern int64_t abi_{name};" for name in constants()))
    module = types.ModuleType("hv._native")
    vars(module).update(ffi=ffi, lib=Bugged(ffi, library))
    sys.modules["hv._native"] = module
    files = builder.sources() | {file: text}
    builder.sources = lambda: dict(files)


class First:
    """Of a run of tests, the first that fails."""

    said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep its name and what it says."""
        if report.failed and not self.said:
            crash = getattr(report.longrepr, "reprcrash", None)
            why = crash.message.splitlines()[0] if crash else ""
            self.said = f"{report.nodeid}: {why}"


def main() -> int:
    """Replace the core, and run the tests until one fails."""
    library, file, source, *tests = sys.argv[1:]
    replace(library, file, Path(source).read_text())
    os.environ.pop("HV_COVERAGE", None)
    first = First()
    options = ["-qq", "-x", "-p", "no:cacheprovider", "-n", "0", "--tb=short"]
    status = pytest.main([*options, *tests], plugins=[first])
    print(first.said)
    return int(status != pytest.ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main())
