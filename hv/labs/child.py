"""The process that runs a submission: ``python -m hv.labs.child``.

Its order is the point: everything of ours is imported first; then the limits
and the filter; only then is the student's core loaded, by the first test that
imports hv's core. The parent sends what is to be done to the standard input.
"""

import importlib
import json
import os
import sys
from pathlib import Path

from hv.labs import sandbox

# Not hv.core: what imports it, loads the core.
_FIRST = ("pytest", "cffi", "pycparser", "msgspec", "hv._native", "hv.sources")


def main() -> int:
    """Run the tests of one order; return pytest's exit status."""
    order = json.loads(sys.stdin.readline())
    sys.stdin.close()
    sys.dont_write_bytecode = True
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["PYTEST_ADDOPTS"] = ""
    for name in _FIRST:
        importlib.import_module(name)
    import pytest  # noqa: PLC0415 -- hv without labs needs no pytest

    from hv.labs.plugin import Grading  # noqa: PLC0415 -- ... nor does this

    if order["core"]:
        os.environ["HV_CORE"] = order["core"]
    os.environ["HV_LAB_IMAGE"] = order["image"]
    os.environ["HV_LAB_CORES"] = json.dumps(order["cores"])
    grading = Grading(
        bytes.fromhex(order["key"]),
        order["results"],
        order["tests"],
        order["seed"],
    )
    here = Path.cwd()
    if order["limits"]:
        sandbox.limit(sandbox.Limits(**order["limits"]))
        sandbox.confine()
    status = pytest.main(
        [
            *("-c", str(here / "pytest.ini"), f"--rootdir={here}"),
            *("--noconftest", "--import-mode=importlib", "--capture=no"),
            *("-p", "no:cacheprovider", "-p", "no:faulthandler"),
            *("-p", "no:tmpdir", "-p", "no:logging"),
            *("-q", "--tb=short", order["file"]),
        ],
        plugins=[grading],
    )
    grading.tell(event="end")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
