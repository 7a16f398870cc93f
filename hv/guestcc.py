"""Cross-compile what runs inside a machine: kernels, firmware, hostile guests.

One driver for three compilers, because no single one is everywhere: a riscv
cross gcc, clang with ld.lld, or the clang inside the ``ziglang`` wheel. The
list of images is data (``guestkernel/images.toml``), objects are cached by
the content that went into them, and the result is byte-reproducible: it
depends on the sources and the compiler, not on where they lie.

This file imports nothing but the standard library, so it also runs before
anything of hv is built::

    python hv/guestcc.py build --out DIR
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

COMPILERS = ("gcc", "clang", "zig")
KINDS = ("kernel", "firmware", "hostile", "race", "bench", "program")

_LANGUAGE = """
    -std=c11 -ffreestanding -fno-builtin -fno-pic -fno-common -O2
    -g -gdwarf-4 -fno-stack-protector -fno-omit-frame-pointer
    -fno-asynchronous-unwind-tables -mno-relax
"""
_WARNINGS = """
    -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wundef -Wvla -Wcast-qual
"""


class NoCompiler(Exception):  # noqa: N818 -- says it without
    """No compiler for riscv32 was found, or not the one that was asked for."""


class BuildError(Exception):
    """The image list or a source is wrong; the message says which and where."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """A way to turn C into riscv32 machine code.

    :ivar name: ``gcc``, ``clang`` or ``zig``.
    :ivar compile: the command that makes an object, before its arguments.
    :ivar link: the command that makes an image from objects.
    :ivar version: the first line of what it says about itself.
    """

    name: str
    compile: tuple[str, ...]
    link: tuple[str, ...]
    version: str

    @property
    def direct(self) -> bool:
        """Whether ``link`` is a linker, and not a compiler that calls one."""
        return len(self.link) == 1

    def link_option(self, option: str) -> str:
        """Spell one linker option the way ``link`` wants to hear it."""
        return option if self.direct else f"-Wl,{option}"


def find_compiler(prefer: str | None = None) -> Compiler:
    """Find a compiler for riscv32: ``prefer``, or the first that is there.

    ``HV_GUEST_CC`` in the environment is the default for ``prefer``.

    :raises NoCompiler: none was found; the message says what to install.
    """
    wanted = prefer or os.environ.get("HV_GUEST_CC") or None
    if wanted is not None and wanted not in COMPILERS:
        raise NoCompiler(
            f"no guest compiler is called {wanted!r}: {', '.join(COMPILERS)}"
        )
    probes: dict[str, Callable[[], Compiler | None]] = {
        "gcc": _find_gcc,
        "clang": _find_clang,
        "zig": _find_zig,
    }
    for name, probe in probes.items():
        if wanted in (None, name):
            found = probe()
            if found is not None:
                return found
    missing = f"guest compiler {wanted!r}" if wanted else "compiler for riscv32"
    raise NoCompiler(
        f"no {missing} found: pip install 'microhv[guests]', or install a riscv"
        " cross gcc (riscv64-unknown-elf-gcc), or clang and ld.lld"
    )


def _find_gcc() -> Compiler | None:
    for name in ("riscv64-unknown-elf-gcc", "riscv32-unknown-elf-gcc"):
        path = shutil.which(name)
        if path is None:
            continue
        target = (
            "-march=rv32ima_zicsr_zifencei",
            "-mabi=ilp32",
            "-mcmodel=medany",
        )
        command = (path, *target)
        # gcc would turn the loop inside memset into a call of memset; and its
        # uint32_t is an unsigned long, which %u does not match. clang checks.
        odd = ("-fno-tree-loop-distribute-patterns", "-Wno-format")
        return Compiler(
            "gcc",
            (*command, *odd),
            (*command, "-nostdlib", "-static"),
            _version(path),
        )
    return None


def _find_clang() -> Compiler | None:
    clang, lld = shutil.which("clang"), shutil.which("ld.lld")
    if clang is None or lld is None:
        return None
    if "riscv32" not in _output((clang, "--print-targets")):
        return None
    command = (
        clang,
        "--target=riscv32-unknown-elf",
        "-march=rv32ima",
        "-mabi=ilp32",
        "-mcmodel=medany",
    )
    return Compiler("clang", command, (lld,), _version(clang))


def _find_zig() -> Compiler | None:
    if importlib.util.find_spec("ziglang") is None:
        return None
    zig = (sys.executable, "-m", "ziglang")
    command = (
        *zig,
        "cc",
        "-target",
        "riscv32-freestanding-none",
        "-mcpu=generic_rv32+m+a",
        "-mabi=ilp32",
        "-mcmodel=medany",
    )
    version = f"zig {_output((*zig, 'version')).strip()}"
    return Compiler("zig", command, (*command, "-nostdlib"), version)


def _version(path: str) -> str:
    return _output((path, "--version")).partition("\n")[0]


def _output(command: Sequence[str]) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=_environment()
    )
    return done.stdout


def _environment() -> dict[str, str]:
    """Return the environment for a compiler; zig insists on cache folders."""
    env = dict(os.environ)
    if "HOME" not in env and "XDG_CACHE_HOME" not in env:
        base = Path(tempfile.gettempdir()) / f"microhv-zig-{os.getuid()}"
    else:
        home = Path(env.get("HOME", ""))
        base = (
            Path(env.get("XDG_CACHE_HOME") or home / ".cache")
            / "microhv"
            / "zig"
        )
    env.setdefault("ZIG_GLOBAL_CACHE_DIR", str(base))
    env.setdefault("ZIG_LOCAL_CACHE_DIR", str(base))
    return env


# Compiling one image -------------------------------------------------------

_INCLUDE = re.compile(
    rb'^\s*(?:#\s*include|\.incbin)\s+"([^"]+)"', re.MULTILINE
)


def compile_image(
    sources: Sequence[Path],
    out: Path,
    *,
    defines: Sequence[str] = (),
    includes: Sequence[Path] = (),
    linker_script: Path,
    base: int | None = None,
    root: Path | None = None,
    compiler: Compiler | None = None,
    cache: Path | None = None,
) -> Path:
    """Compile ``sources`` and link them into the ELF file ``out``.

    :param defines: preprocessor definitions, ``NAME`` or ``NAME=VALUE``.
    :param includes: folders for ``#include "..."`` and ``.incbin``.
    :param linker_script: an ld script; ``@BASE@`` in it becomes ``base``.
    :param root: paths in debug information are relative to this folder; the
        working directory if not given.
    :param cache: where objects are kept; beside ``out`` if not given.
    :raises NoCompiler: there is no compiler.
    :raises BuildError: the compiler or linker refused; its words are included.
    """
    root = (root or Path.cwd()).resolve()
    compiler = compiler or find_compiler()
    cache = (cache or out.parent / ".objects").resolve()
    cache.mkdir(parents=True, exist_ok=True)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)

    flags = [
        *_LANGUAGE.split(),
        *_WARNINGS.split(),
        f"-ffile-prefix-map={root}=.",
        f"-fdebug-prefix-map={root}=.",  # for gcc's assembler
    ]
    flags += [f"-D{define}" for define in defines]
    objects = [
        _compile(compiler, _inside(source, root), root, flags, includes, cache)
        for source in sources
    ]
    script = linker_script.read_text()
    if base is not None:
        script = script.replace("@BASE@", f"{base:#x}")
    key = _digest(
        compiler.version, *compiler.link, script, *(o.name for o in objects)
    )
    stamp = cache / f"{_digest(str(out))[:16]}.key"
    if not (out.exists() and stamp.exists() and stamp.read_text() == key):
        _link(compiler, objects, script, out, root, cache / f"{key}.ld")
        stamp.write_text(key)
    return out


def _compile(
    compiler: Compiler,
    source: Path,
    root: Path,
    flags: Sequence[str],
    includes: Sequence[Path],
    cache: Path,
) -> Path:
    """Return the object of one source, from the cache if nothing changed."""
    content = hashlib.sha256()
    for path in _closure(root / source, includes):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    told = [flag.replace(str(root), "") for flag in flags]
    command = (*compiler.compile[1:], *told)
    key = _digest(compiler.version, str(source), *command, content.hexdigest())
    target = cache / f"{key}.o"
    if target.exists():
        return target
    paths = [f"-I{_inside(path, root)}" for path in includes]
    if source.suffix == ".S":  # for .incbin, which is not the preprocessor's
        paths += [f"-Wa,-I,{_inside(path, root)}" for path in includes]
        # zig has a cache of its own, which does not know of .incbin either.
        paths.append(f"-DCONTENT_{key}")
    partial = target.with_suffix(f".{os.getpid()}.o")
    files = ("-c", str(source), "-o", str(partial))
    _run((*compiler.compile, *flags, *paths, *files), root)
    partial.replace(target)
    return target


def _link(
    compiler: Compiler,
    objects: Sequence[Path],
    script: str,
    out: Path,
    root: Path,
    script_file: Path,
) -> None:
    script_file.write_text(script)
    wanted = ["--build-id=none"]
    if compiler.name == "gcc":  # its ld calls an RWX segment suspicious
        wanted.append("--no-warn-rwx-segments")
    options = [compiler.link_option(option) for option in wanted]
    at = (
        ["-T", str(script_file)]
        if compiler.direct
        else [f"-Wl,-T,{script_file}"]
    )
    partial = out.with_suffix(f".{os.getpid()}.part")
    names = [str(path) for path in objects]
    _run((*compiler.link, *options, *at, *names, "-o", str(partial)), root)
    partial.replace(out)


def _run(command: Sequence[str], root: Path) -> None:
    done = subprocess.run(
        command,
        cwd=root,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(
            f"{' '.join(command)}\n{done.stdout}{done.stderr}".rstrip()
        )


def _inside(path: Path, root: Path) -> Path:
    """Return ``path`` relative to ``root`` where possible."""
    absolute = (root / path).resolve()
    return (
        absolute.relative_to(root)
        if absolute.is_relative_to(root)
        else absolute
    )


def _closure(source: Path, includes: Sequence[Path]) -> Iterator[Path]:
    """Yield a source and all it includes, each once, in a fixed order."""
    seen: set[Path] = set()
    waiting = [source]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        yield path
        if path.suffix not in (".c", ".h", ".S", ".def"):
            continue
        for match in _INCLUDE.finditer(path.read_bytes()):
            name = match.group(1).decode()
            for folder in (path.parent, *includes):
                if (folder / name).is_file():
                    waiting.append((folder / name).resolve())
                    break


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


# The list of images --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """One image of ``images.toml``, with its globs resolved."""

    name: str
    kind: str
    description: str
    styles: tuple[str, ...]
    sources: tuple[Path, ...]
    includes: tuple[Path, ...]
    defines: tuple[str, ...]
    script: Path
    base: int | None
    embeds: tuple[str, ...] = field(default=())
    expect: str | None = None


def read_images(src: Path) -> list[ImageSpec]:
    """Read ``guestkernel/images.toml`` below ``src``.

    :raises BuildError: a key is missing or unknown, or a glob finds nothing.
    """
    path = src / "guestkernel" / "images.toml"
    tables = tomllib.loads(path.read_text())["image"]
    return [spec for table in tables for spec in _read_table(src, table)]


_KEYS = """
    name each kind description styles sources exclude includes defines script
    base embeds
"""


def _read_table(src: Path, table: dict[str, object]) -> Iterator[ImageSpec]:
    """Yield the images of one table: one, or one for each file of ``each``."""
    label = str(table.get("name") or table.get("each"))
    unknown = set(table) - set(_KEYS.split())
    if unknown:
        raise BuildError(f"images.toml: {label}: unknown key {min(unknown)!r}")
    kind = str(table.get("kind"))
    if kind not in KINDS:
        raise BuildError(f"images.toml: {label}: kind must be one of {KINDS}")

    excluded = set(_glob(src, table, "exclude"))
    shared = [
        path for path in _glob(src, table, "sources") if path not in excluded
    ]
    base = table.get("base")

    def spec(name: str, sources: Sequence[Path], told: Comment) -> ImageSpec:
        return ImageSpec(
            name=name,
            kind=kind,
            description=str(table.get("description") or told.summary),
            styles=told.styles or tuple(_strings(table, "styles")),
            sources=tuple(sources),
            includes=tuple(src / path for path in _strings(table, "includes")),
            defines=tuple(_strings(table, "defines")),
            script=src / str(table["script"]),
            base=base if isinstance(base, int) else None,
            embeds=tuple(_strings(table, "embeds")),
            expect=told.expect,
        )

    if "each" in table:
        named = str(table.get("name", "*"))
        for path in _glob(src, table, "each"):
            if path not in excluded:
                name = named.replace("*", path.stem)
                yield spec(name, [path, *shared], read_comment(path))
    elif shared:
        yield spec(str(table["name"]), shared, Comment())
    else:
        raise BuildError(f"images.toml: {label}: no sources found")


def _strings(table: dict[str, object], key: str) -> list[str]:
    value = table.get(key, [])
    items = value if isinstance(value, list) else [value]
    return [str(item) for item in items]


def _glob(src: Path, table: dict[str, object], key: str) -> list[Path]:
    return [
        path
        for pattern in _strings(table, key)
        for path in sorted(src.glob(pattern))
    ]


@dataclass(frozen=True, slots=True)
class Comment:
    """What the opening comment of a source says about its image.

    :ivar summary: its first sentence.
    :ivar expect: the line ``expect: ...``, how a run of it must end.
    :ivar styles: the line ``styles: ...``, the ways in which it may be run.
    """

    summary: str = ""
    expect: str | None = None
    styles: tuple[str, ...] = ()


def read_comment(path: Path) -> Comment:
    """Read the opening comment, ``/* file - summary. ... */``."""
    match = re.match(r"\s*/\*(.*?)\*/", path.read_text(), re.DOTALL)
    if match is None:
        return Comment()
    lines = [line.strip().lstrip("*").strip() for line in match[1].splitlines()]
    body = re.sub(
        rf"^{re.escape(path.name)}\s+-\s+", "", " ".join(lines).strip()
    )
    facts = {
        found[1]: found[2]
        for line in lines
        if (found := re.match(r"(expect|styles):\s*(.+?)\.?$", line))
    }
    return Comment(
        summary=re.split(r"[.:](?:\s|$)", body, maxsplit=1)[0],
        expect=facts.get("expect"),
        styles=tuple(re.findall(r"\w+", facts.get("styles", ""))),
    )


# Building all of them ------------------------------------------------------


def build_images(
    src: Path,
    out: Path,
    only: Iterable[str] | None = None,
    *,
    compiler: Compiler | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> list[Path]:
    """Build the images below ``src`` into ``out`` and list them there.

    ``out/images.json`` describes what was built; images of an earlier build
    that still have their file stay in it.

    :param only: names to build, with what they embed; all if not given.
    :returns: the paths of the images, in the order of the list.
    :raises NoCompiler: there is no compiler.
    :raises BuildError: a source or the list is wrong, or a name is unknown.
    """
    src, out = src.resolve(), out.resolve()
    compiler = compiler or find_compiler()
    specs = {spec.name: spec for spec in read_images(src)}
    wanted = list(specs) if only is None else list(only)
    for name in wanted:
        if name not in specs:
            raise BuildError(f"no image {name!r} in images.toml")

    programs = out / "programs"
    for name in _embedded(specs, wanted):
        elf = _build(specs[name], programs / f"{name}.elf", src, out, compiler)
        blob = strip_elf(elf.read_bytes())
        _write_if_changed(programs / f"{name}.bin", blob)

    built: list[tuple[ImageSpec, Path]] = []
    for name in wanted:
        if specs[name].kind != "program":
            report(name)
            path = _build(specs[name], out / f"{name}.elf", src, out, compiler)
            built.append((specs[name], path))
    _write_manifest(out, built, compiler)
    return [path for _, path in built]


def _embedded(specs: dict[str, ImageSpec], wanted: Sequence[str]) -> list[str]:
    """Return the programs to build, each once, in the order of the list."""
    names = {name for image in wanted for name in specs[image].embeds}
    names |= {name for name in wanted if specs[name].kind == "program"}
    if missing := names - set(specs):
        raise BuildError(f"images.toml: no program {min(missing)!r} to embed")
    return [name for name in specs if name in names]


def _build(
    spec: ImageSpec, target: Path, src: Path, out: Path, compiler: Compiler
) -> Path:
    includes = list(spec.includes)
    if spec.embeds:
        includes.append(out / "programs")
    return compile_image(
        spec.sources,
        target,
        defines=spec.defines,
        includes=includes,
        linker_script=spec.script,
        base=spec.base,
        root=src,
        compiler=compiler,
        cache=out / ".objects",
    )


def strip_elf(elf: bytes) -> bytes:
    """Cut an ELF32 file down to what a loader reads.

    Section headers, symbols and debug information follow the loaded segments
    in the file, so it is enough to forget the former and cut the latter.
    """
    (phoff,) = struct.unpack_from("<I", elf, 28)
    phentsize, phnum = struct.unpack_from("<HH", elf, 42)
    end = phoff + phentsize * phnum
    for index in range(phnum):
        kind, offset, _, _, filesz = struct.unpack_from(
            "<5I", elf, phoff + index * phentsize
        )
        if kind == 1:  # PT_LOAD
            end = max(end, offset + filesz)
    kept = bytearray(elf[:end])
    struct.pack_into("<I", kept, 32, 0)  # e_shoff
    struct.pack_into(
        "<3H", kept, 46, 0, 0, 0
    )  # e_shentsize, e_shnum, e_shstrndx
    return bytes(kept)


def _write_if_changed(path: Path, content: bytes) -> None:
    if not path.exists() or path.read_bytes() != content:
        path.write_bytes(content)


def _write_manifest(
    out: Path, built: Sequence[tuple[ImageSpec, Path]], compiler: Compiler
) -> None:
    path = out / "images.json"
    entries: dict[str, dict[str, object]] = {}
    if path.exists():
        for old in json.loads(path.read_text())["images"]:
            if (out / str(old["file"])).exists():
                entries[str(old["name"])] = old
    for spec, image in built:
        entries[spec.name] = {
            "name": spec.name,
            "file": image.name,
            "kind": spec.kind,
            "description": spec.description,
            "styles": list(spec.styles),
            "expect": spec.expect,
            "sha256": hashlib.sha256(image.read_bytes()).hexdigest(),
            "compiler": compiler.version,
        }
    ordered = sorted(entries.values(), key=lambda entry: str(entry["name"]))
    text = json.dumps({"images": ordered}, indent=2) + "\n"
    _write_if_changed(path, text.encode())


# The command line ----------------------------------------------------------


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``build``, ``cc`` or ``list``; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="guestcc", description="Cross-compile what runs inside a machine."
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    here = Path(__file__).resolve().parent.parent

    build = verbs.add_parser("build", help="build the images of images.toml")
    build.add_argument(
        "--out", type=Path, required=True, help="folder for the images"
    )
    build.add_argument(
        "--only", action="append", metavar="NAME", help="only this one"
    )

    cc = verbs.add_parser("cc", help="build one image from your own sources")
    cc.add_argument(
        "sources", type=Path, nargs="+", help="C and assembly files"
    )
    cc.add_argument(
        "-o", dest="out", type=Path, required=True, help="the ELF file"
    )
    cc.add_argument(
        "-D", dest="defines", action="append", default=[], metavar="NAME"
    )
    cc.add_argument(
        "-I", dest="includes", action="append", type=Path, default=[]
    )
    cc.add_argument(
        "-T", dest="script", type=Path, required=True, help="linker script"
    )
    cc.add_argument(
        "--base",
        type=lambda text: int(text, 0),
        help="what @BASE@ in it becomes",
    )

    listing = verbs.add_parser("list", help="print the names of the images")
    for verb in (build, cc, listing):
        verb.add_argument(
            "--src", type=Path, default=here, help="the source tree"
        )
    for verb in (build, cc):
        verb.add_argument(
            "--compiler", choices=COMPILERS, help="instead of the first"
        )

    args = parser.parse_args(argv)
    try:
        return _run_verb(args)
    except (BuildError, NoCompiler) as error:
        print(f"guestcc: {error}", file=sys.stderr)
        return 1


def _run_verb(args: argparse.Namespace) -> int:
    if args.verb == "list":
        for spec in read_images(args.src):
            print(f"{spec.name:24} {spec.kind:9} {spec.description}")
    elif args.verb == "build":
        compiler = find_compiler(args.compiler)
        print(f"guestcc: {compiler.version}")
        for path in build_images(
            args.src, args.out, args.only, compiler=compiler
        ):
            print(path)
    else:
        compile_image(
            args.sources,
            args.out,
            defines=args.defines,
            includes=[args.src / "csrc", *args.includes],
            linker_script=args.script,
            base=args.base,
            compiler=find_compiler(args.compiler),
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
