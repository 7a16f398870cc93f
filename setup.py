"""Build what is not Python: the C core, and the images of the guests.

Everything else is in pyproject.toml. Some small changes to setuptools:

- the extension is compiled by several processes at once, and only what is
  older than its source or any header;
- it is optimised as a whole where the compiler can do that: an exit to the
  hypervisor passes through a dozen small functions of several files
  (HV_LTO=0 leaves it out, which links sooner);
- a wheel carries the guests' images when a cross-compiler is found. Without
  one the installation goes on: ``hv`` says how to get them when asked for one;
- a wheel carries the sources (hv/sources), of which labs build private cores
  and kernels;
- the wheel is for the stable ABI of CPython 3.11 and later.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from setuptools import setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import CCompilerError

# make builds step by step: HV_BUILD=python leaves out the core and the images,
# HV_BUILD=core the images.
BUILD = os.environ.get("HV_BUILD", "all")

CSRC = Path("csrc")
HEADERS = [p for p in CSRC.rglob("*") if p.suffix in {".h", ".def"}]
FLAGS = [Path("setup.py"), Path("hv/_build.py")]


class BuildCore(build_ext):
    """Compile the C core in parallel and incrementally."""

    def build_extensions(self) -> None:
        """Replace the serial loop of setuptools."""
        for extension in self.extensions:
            flags = self._whole_program()
            extension.extra_compile_args += flags
            extension.extra_link_args += flags
        self.compiler.compile = self._compile
        super().build_extensions()

    def _whole_program(self) -> list[str]:
        """Return the flags to optimise across files, if they work here."""
        wanted = os.environ.get("HV_LTO", "1") != "0"
        if not wanted or "-fsanitize" in os.environ.get("CFLAGS", ""):
            return []
        for flag in ("-flto=auto", "-flto"):
            with TemporaryDirectory() as folder:
                source = Path(folder) / "trial.c"
                source.write_text("int trial(void) { return 0; }\n")
                try:
                    objects = self.compiler.compile(
                        [str(source)],
                        output_dir="/" if source.is_absolute() else folder,
                        extra_postargs=[flag],
                    )
                    self.compiler.link_shared_object(
                        objects, f"{folder}/trial.so", extra_postargs=[flag]
                    )
                except CCompilerError:
                    continue
                return [flag]
        return []

    def _compile(
        self,
        sources: list[str],
        output_dir: str | None = None,
        macros: list[tuple[str, str]] | None = None,
        include_dirs: list[str] | None = None,
        debug: bool = False,
        extra_preargs: list[str] | None = None,
        extra_postargs: list[str] | None = None,
        depends: list[str] | None = None,
    ) -> list[str]:
        """Do what setuptools' CCompiler.compile() does, but do it at once."""
        objects: list[str]
        _, objects, extra, options, build = self.compiler._setup_compile(
            output_dir, macros, include_dirs, sources, depends, extra_postargs
        )
        common = self.compiler._get_cc_args(options, debug, extra_preargs)
        newest = max(p.stat().st_mtime for p in HEADERS + FLAGS)

        def one(obj: str) -> None:
            source, suffix = build[obj]
            target = Path(obj)
            inputs = max(newest, Path(source).stat().st_mtime)
            if target.exists() and target.stat().st_mtime > inputs:
                return
            self.compiler._compile(obj, source, suffix, common, extra, options)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(one, [o for o in objects if o in build]))
        return objects


class BuildPackage(build_py):
    """Put the guests' images beside the Python files."""

    def run(self) -> None:
        """Build the images if that is possible, then copy the package."""
        if BUILD == "all":
            command = [sys.executable, "hv/guestcc.py", "build"]
            command += ["--out", "hv/images"]
            if subprocess.run(command, check=False).returncode != 0:
                print("note: without the guests' images; see `hv images`")
        super().run()
        if not self.editable_mode:
            self._copy_sources()

    def _copy_sources(self) -> None:
        """Bring what labs are cut from and private cores are built of."""
        for folder in ("csrc", "guestkernel", "labs"):
            for source in sorted(Path(folder).rglob("*")):
                if source.is_file() and source.suffix not in {".o", ".pyc"}:
                    target = Path(self.build_lib, "hv/sources", source)
                    self.mkpath(str(target.parent))
                    self.copy_file(str(source), str(target))


setup(
    cffi_modules=["hv/_build.py:ffibuilder"] if BUILD != "python" else [],
    cmdclass={"build_ext": BuildCore, "build_py": BuildPackage},
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
