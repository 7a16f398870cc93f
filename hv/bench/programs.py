"""The benchmark programs: how much work each does, and where it is noted."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from hv import images
from hv.elf import Program, read_elf, read_symbols
from hv.errors import ImageError

# The harness has tables for 16 MiB above 0x80400000.
MEMORY = 32 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """A program, and how often it does its work in one run.

    :param rounds: of a quick run, on the fast engine and on others' machines.
    :param reference: what the reference engine does is this part of it.
    :param virtual: what a virtual machine does is this part of it.
    :param per_round: how many of the things that it is about a round has.
    """

    name: str
    rounds: int
    what: str
    reference: int = 10
    virtual: int = 1
    per_round: int = 1

    def rounds_for(self, engine: str, style: str, factor: int) -> int:
        """Return how often it works on this machine."""
        rounds = self.rounds * factor
        if engine == "ref":
            rounds //= self.reference
        if style not in ("", "bare"):
            rounds //= self.virtual
        return max(rounds, 1)


WORKS = (
    Work("mix", 2, "sieve, CRC, quicksort, matrices", reference=2),
    Work("copy", 100, "256 KiB copied by words"),
    Work("chase", 400, "2,048 pages visited in random order"),
    Work("calls", 400_000, "calls from one page of code to another"),
    Work("alu", 4_000_000, "arithmetic alone"),
    Work("trap", 200_000, "user to supervisor and back", virtual=4),
    Work("fault", 1_000, "page faults", virtual=4, per_round=32),
)


def image_of(name: str, style: str) -> images.Image:
    """Return the image of a program for a style.

    :raises ImageError: if there is none.
    """
    for image in images_of(name):
        if style in image.styles:
            return image
    raise ImageError(f"no image of bench-{name} for style {style}")


def images_of(name: str) -> list[images.Image]:
    """Return the images of a program, the native one first.

    :raises ImageError: if there are none.
    """
    found = images.available()
    names = [f"bench-{name}", f"bench-{name}-pv"]
    result = [found[name] for name in names if name in found]
    if not result:
        images.find(names[0])
    return result


def styles_of(name: str) -> list[str]:
    """Return the ways in which a program can run under hv, bare first."""
    return [style for image in images_of(name) for style in image.styles]


@cache
def _read(path: Path) -> tuple[bytes, Program, int]:
    """Return a file, what it loads, and where its ``rounds`` is in memory."""
    data = path.read_bytes()
    symbols = read_symbols(data)
    if "rounds" not in symbols:
        raise ImageError(f"{path.name}: no symbol 'rounds': no benchmark")
    return data, read_elf(path.name, data), symbols["rounds"]


def program(image: images.Image) -> tuple[Program, int]:
    """Return what an image loads, and the address of its word ``rounds``.

    :raises ImageError: if it is no benchmark.
    """
    _, loads, at = _read(image.path)
    return loads, at


@contextmanager
def patched(image: images.Image, rounds: int) -> Iterator[Path]:
    """Give a copy of an image's file that works so often; it goes away after.

    :raises ImageError: if it is no benchmark.
    """
    data, loads, at = _read(image.path)
    for segment in loads.segments:
        if segment.base <= at < segment.base + len(segment.data):
            offset = data.index(segment.data) + at - segment.base
            break
    else:
        raise ImageError(f"{image.name}: 'rounds' is not in its data")
    with TemporaryDirectory(prefix="hv-bench-") as folder:
        path = Path(folder) / f"{image.name}.elf"
        word = rounds.to_bytes(4, "little")
        path.write_bytes(data[:offset] + word + data[offset + 4 :])
        yield path
