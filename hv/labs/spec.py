"""What a lab is: ``lab.toml`` and the files beside it.

::

    labs/01-mmu/
        lab.toml        all that follows
        handout.md      what the student reads
        instructor.md   what the instructor reads
        test_lab.py     the tests, which award points

Everything that can be wrong in a lab's folder is said with the place and with
what would be right, before anything is done with it.
"""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from hv import guestcc
from hv.errors import UsageError
from hv.sources import source_file, tree


class Region(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a source that the student writes."""

    marker: str  #: the source has ``marker: NAME`` before it, and an end
    part: str  #: of the lab, by name
    task: str  #: comment put above the stub: what is to be done
    stub: str  #: put in its place; compiles, and is neutral


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that the student changes."""

    source: str  #: below the root of the tree
    name: str  #: in the student's folder
    region: tuple[Region, ...]


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a lab, with hints: where to look, the idea, almost the code."""

    name: str
    title: str
    hints: tuple[str, str, str]
    tests: tuple[str, ...] = ()  #: about it: whose failure these hints help


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text that occurs once in a file of the solution, and what instead."""

    file: str  #: as the student's folder names it
    text: str
    instead: str


class Image(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A guest that is made of the student's files, for labs about guests.

    Of these alone; or one of hv's own, with these in the place of its sources.
    """

    sources: tuple[str, ...] = ()  #: as the student's folder names them
    script: str = ""  #: a linker script, below the root of the tree
    instead: str = ""  #: of this image of guestkernel/images.toml


class Cores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cores that checks and attacks are judged with: :mod:`hv.labs.chaff`."""

    wheats: tuple[str, ...]  #: of the zoo: no check may complain of them
    bugs: tuple[str, ...]  #: of the zoo: to be found


class Wrong(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A typical wrong solution, and what it must lose."""

    name: str
    edit: tuple[Edit, ...]
    loses: tuple[str, ...]  #: these tests fail (without ``test_``)
    says: str  #: this is in one of their messages


class Lab(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True
):
    """A lab, as its ``lab.toml`` describes it."""

    number: int
    name: str
    title: str
    goals: tuple[str, ...]
    minutes: int  #: that a student needs, about
    baseline: int  #: points that the skeleton has
    needs: tuple[int, ...] = ()  #: labs to be done before
    tests: str = "test_lab.py"
    file: tuple[Source, ...]
    given: tuple[str, ...] = ()  #: sources to read, copied read-only
    part: tuple[Part, ...]
    image: Image | None = None
    cores: Cores | None = None
    wrong: tuple[Wrong, ...] = ()


@dataclass(frozen=True, slots=True)
class Folder:
    """A lab and where it is."""

    path: Path
    lab: Lab

    @property
    def handout(self) -> Path:
        """What the student reads."""
        return self.path / "handout.md"

    @property
    def tests(self) -> Path:
        """The file of tests."""
        return self.path / self.lab.tests


def read(path: Path) -> Folder:
    """Read a lab's folder.

    :raises UsageError: something in it is wrong.
    """
    where = path / "lab.toml"
    try:
        lab = msgspec.toml.decode(where.read_bytes(), type=Lab)
    except OSError as error:
        raise UsageError(f"{where}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise UsageError(f"{where}: {error}") from None
    folder = Folder(path, lab)
    for mistake in _mistakes(folder):
        raise UsageError(f"{where}: {mistake}")
    return folder


def _mistakes(folder: Folder) -> list[str]:
    lab = folder.lab
    found = [
        f"there is no {name} beside it"
        for name in ("handout.md", "instructor.md", lab.tests)
        if not (folder.path / name).is_file()
    ]
    expected = f"{lab.number:02}-{lab.name}"
    if folder.path.name != expected:
        found.append(f"its folder must be named {expected}")
    found += [
        f"there is no {name} in the sources"
        for name in (
            *(f.source for f in lab.file),
            *lab.given,
            *((lab.image.script,) if lab.image and lab.image.script else ()),
        )
        if not source_file(name).is_file()
    ]
    parts = [part.name for part in lab.part]
    found += [
        f"region {region.marker}: no part {region.part!r}; "
        f"there are {', '.join(parts)}"
        for file in lab.file
        for region in file.region
        if region.part not in parts
    ]
    names = [file.name for file in lab.file]
    found += [
        f"image: no file {name!r}; there are {', '.join(names)}"
        for name in (lab.image.sources if lab.image else ())
        if name not in names
    ]
    if lab.image and bool(lab.image.script) == bool(lab.image.instead):
        found.append("image: either a script, or instead of which image")
    if lab.image and lab.image.instead:
        name = lab.image.instead
        if name not in {i.name for i in guestcc.read_images(tree())}:
            found.append(f"image: no image {name!r} in images.toml")
    found += [
        f"wrong solution {wrong.name}: no file {edit.file!r}; "
        f"there are {', '.join(names)}"
        for wrong in lab.wrong
        for edit in wrong.edit
        if edit.file not in names
    ]
    if len(set(names)) < len(names):
        found.append("two files have the same name")
    if lab.cores:
        found += _unknown(lab.cores)
    return found


def _unknown(cores: Cores) -> list[str]:
    from hv.zoo import records, wheats  # noqa: PLC0415 -- few labs need it

    there = {
        "wheat": {wheat.id for wheat in wheats()},
        "bug": {bug.id for bug in records()},
    }
    return [
        f"cores: the zoo has no {kind} {name!r}"
        for kind, named in (("wheat", cores.wheats), ("bug", cores.bugs))
        for name in named
        if name not in there[kind]
    ]


def labs() -> list[Folder]:
    """Return all labs, by number.

    :raises UsageError: one of them is wrong.
    """
    place = tree() / "labs"
    return [read(path.parent) for path in sorted(place.glob("*/lab.toml"))]


def find(number: int) -> Folder:
    """Return a lab.

    :raises UsageError: there is none of this number.
    """
    known = labs()
    for folder in known:
        if folder.lab.number == number:
            return folder
    numbers = ", ".join(str(folder.lab.number) for folder in known)
    raise UsageError(f"there is no lab {number}; there are {numbers}")
