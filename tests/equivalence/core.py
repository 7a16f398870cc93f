"""The C core as a plain shared library, as it is or with a bug in it.

The tests of equivalence load several cores side by side: the good one and
many bad ones. So they do not use the extension module of ``hv``, but compile
the same sources into shared libraries and load them through the same header.
Objects and libraries are kept by content in ``build/chaff``: a core that
differs in one file costs one compilation.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import cffi

ROOT = Path(__file__).parents[2]
CSRC = ROOT / "csrc"
CACHE = ROOT / "build" / "chaff"
FLOORS = ("hvp", "api", "machine", "dev", "hyp", "sched", "port")
HEADERS = ("hv.h", "hvp.h", "hvpgen.h")
CFLAGS = ("-std=c11", "-O1", "-g", "-fPIC", "-DFW_NATIVE=1")
SANITIZE = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all")

# A C value, whose type only cffi knows.
CData: TypeAlias = Any


def compilers() -> dict[str, list[str]]:
    """Return the C compilers of this computer, by name."""
    found = {"cc": [os.environ.get("CC", "cc")]}
    for name in ("gcc", "clang"):
        if shutil.which(name):
            found[name] = [name]
    if "clang" not in found and find_spec("ziglang"):
        found["clang"] = [sys.executable, "-m", "ziglang", "cc"]
    return found


def sources() -> dict[str, str]:
    """Return the C files of the core, relative to csrc, and their text."""
    return {
        path.relative_to(CSRC).as_posix(): path.read_text()
        for floor in FLOORS
        for path in sorted((CSRC / floor).glob("*.c"))
        if path.name != "bare.c" and not path.stem.endswith("_code")
    }


def planted(name: str, file: str, text: str, instead: str) -> dict[str, str]:
    """Return the sources with one piece of text, which is once there, changed.

    :param name: of the bug, for who has to mend its record.
    """
    files = sources()
    assert files[file].count(text) == 1, (
        f"{name}: its text must occur once in {file}; has the source moved on?"
    )
    files[file] = files[file].replace(text, instead)
    return files


def declarations() -> str:
    """Return what cffi may parse of the public headers."""
    bodies = []
    for header in HEADERS:
        text = (CSRC / "include" / header).read_text()
        _, begin, rest = text.partition("/* cdef: begin */")
        body, end, _ = rest.partition("/* cdef: end */")
        assert begin
        assert end
        bodies.append(body)
    return "\n".join(bodies)


def _digest(*parts: str | bytes) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(part.encode() if isinstance(part, str) else part)
        sha.update(b"\0")
    return sha.hexdigest()[:24]


@cache
def _headers() -> str:
    files = [p for p in sorted(CSRC.glob("*/*")) if p.suffix in (".h", ".def")]
    return _digest(*(p.read_bytes() for p in files))


def _run(*command: str, text: str = "") -> None:
    # A compiler under the sanitizers' preloaded library is ten times slower.
    plain = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    done = subprocess.run(
        command,
        input=text,
        env=plain,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def headers_instead(headers: Mapping[str, str]) -> str:
    """Put headers that replace those of csrc into a folder of their own.

    Returns the flag that makes a source find them first.
    """
    place = CACHE / _digest(*headers, *headers.values())
    for name, text in headers.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return f"-I{place}"


def _compile(
    cc: list[str], flags: tuple[str, ...], name: str, text: str
) -> Path:
    key = _digest(*cc, *flags, _headers(), name, text)
    out = CACHE / f"{key}.o"
    if not out.exists():
        part = out.with_suffix(f".{os.getpid()}.part")
        folder = CSRC / Path(name).parent
        _run(
            *(*cc, *flags, f"-I{CSRC}", f"-I{folder}", "-xc", "-"),
            *("-c", "-o", str(part)),
            text=f'#line 1 "{name}"\n{text}',
        )
        part.replace(out)
    return out


def build(
    files: Mapping[str, str] | None = None,
    compiler: str = "cc",
    *,
    flags: tuple[str, ...] = CFLAGS,
    extra: Mapping[str, tuple[str, ...]] | None = None,
) -> Path:
    """Compile a core from these sources (default: as they are).

    ``extra`` has more flags for single files.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    cc = compilers()[compiler]
    extra = extra or {}
    # Once is enough, and a compiler named by a test is there to be compared.
    if os.environ.get("HV_SANITIZED") and compiler == "cc":
        flags += SANITIZE
    files = sources() if files is None else files
    with ThreadPoolExecutor(max_workers=2) as pool:
        objects = list(
            pool.map(
                lambda f: _compile(cc, (*extra.get(f[0], ()), *flags), *f),
                files.items(),
            )
        )
    out = CACHE / f"{_digest(*(o.name for o in objects))}.so"
    if not out.exists():
        part = out.with_suffix(f".{os.getpid()}.part")
        _run(
            *(*cc, *flags, "-shared", "-o", str(part)),
            *(str(o) for o in objects),
        )
        part.replace(out)
    return out


class Core:
    """A loaded core: ``ffi``, ``lib``, and a few words for the tests."""

    def __init__(self, library: Path) -> None:
        self.ffi: CData = cffi.FFI()
        self.ffi.cdef(declarations())
        self.lib: CData = self.ffi.dlopen(str(library))

    def config(self, **options: int) -> CData:
        """Return a configuration in which only instructions take time.

        That makes time the same in both worlds: see lockstep.c.
        """
        config = self.ffi.new("struct hv_config *")
        self.lib.hv_config_default(config)
        for i in range(self.lib.hv_cost_count()):
            name = self.ffi.string(self.lib.hv_cost_name(i)).decode()
            config.cost[i] = 1 if name == "insn" else 0
        config.ram_size = 1 << 20
        config.slice = 0xFFFFFFFF
        config.time_div = 1
        for name, value in options.items():
            setattr(config, name, value)
        return config

    def counter_names(self) -> list[str]:
        """Return the names of the counters that a VM has."""
        group = self.lib.HV_COUNTERS_VM
        return [
            self.ffi.string(self.lib.hv_counter_name(group, i)).decode()
            for i in range(self.lib.hv_counter_count(group))
        ]


@cache
def good_core(compiler: str = "cc") -> Core:
    """Return the core as it is, built at most once."""
    return Core(build(compiler=compiler))
