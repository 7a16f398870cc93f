"""Cores to attack: one that is quick and has known bugs; and real ones."""

from functools import cache
from pathlib import Path

from tests.equivalence.core import build, sources

HERE = Path(__file__).parent
GENERATOR = ("format", "draw", "generate", "idioms", "mutate", "batch")


@cache
def fake_core(how: str = "", *, compiler: str = "cc") -> str:
    """Return the library of fake_core.c with hv's generator.

    :param how: it ends, at times: "crash" or "hang".
    """
    files = {
        name: text
        for name, text in sources().items()
        if name.startswith("hvp/") and Path(name).stem in GENERATOR
    }
    fake = (HERE / "fake_core.c").read_text()
    files["hvp/fake_core.c"] = f"#define FAKE_{how.upper()}\n{fake}"
    return str(build(files, compiler))
