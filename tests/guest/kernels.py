"""The guest kernel with a bug in it: its sources, changed and built apart."""

import hashlib
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

from hv import guestcc, images
from tests.equivalence.core import CACHE, ROOT

RECORDS = Path(__file__).with_name("kernel_bugs.toml")


@dataclass(frozen=True, kw_only=True)
class KernelBug:
    """One record of kernel_bugs.toml."""

    name: str
    file: str
    text: str
    instead: str
    precedent: str
    workload: str
    shows: str

    def build(self) -> Path:
        """Build the native kernel that has this bug, and say where it is."""
        key = hashlib.sha256(f"{self.file}{self.text}{self.instead}".encode())
        src = CACHE / "guests" / f"{self.name}-{key.hexdigest()[:16]}"
        for folder in ("csrc", "guestkernel"):
            shutil.copytree(ROOT / folder, src / folder, dirs_exist_ok=True)
        path = src / self.file
        text = path.read_text()
        assert text.count(self.text) == 1, (
            f"{self.name}: its text must occur once in {self.file}; "
            "has the source moved on?"
        )
        path.write_text(text.replace(self.text, self.instead))
        out = src / "images"
        objects = images.find("kernel-native").path.parent / ".objects"
        if objects.is_dir():  # what did not change need not be compiled
            shutil.copytree(objects, out / ".objects", dirs_exist_ok=True)
        guestcc.build_images(src, out, ["kernel-native"])
        return out / "kernel-native.elf"


BUGS = [
    KernelBug(**record) for record in tomllib.loads(RECORDS.read_text())["bug"]
]
