"""Images that are drawn: those of a good one, changed so that the frame holds.

The frame around all sections is right in each (its checksum, too); what is in
it is not believed for that.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tests.snapshot_files.images import Image, sealed

BOUNDARY = [
    *(0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 0x7FFF_FFFF, 0x8000_0000),
    *(0xFFFF_FFFF, 0xFFFF_FFFE, 0x8000_1000, 0x8001_0000, 1 << 22, 4097),
]
BEGIN = 32  # of the sections
WITHOUT_PAGES = 1500  # bytes in which every section but those of pages begins

words = st.one_of(
    st.sampled_from(BOUNDARY), st.integers(0, 0xFFFF_FFFF), st.integers(0, 40)
)


@dataclass(frozen=True)
class Kind:
    """A kind of image, and what must hold for any of it."""

    name: str
    number: int  #: in the frame: enum image_kind
    goods: Sequence[Callable[[], bytes]]
    tags: Sequence[str]  #: of sections that are worth to be changed
    #: Refused without a trace, or all holds for what is made of it.
    survives: Callable[[bytes], None]

    @property
    def good(self) -> st.SearchStrategy[bytes]:
        """Draw one that is right."""
        return st.sampled_from(self.goods).map(lambda save: save())

    def framed(self, sections: bytes) -> bytes:
        """Return these bytes in a frame."""
        frame = struct.pack("<IIQQ", 1, self.number, 0, 0)
        return sealed(b"\x89hvsave\n" + frame + sections)


@st.composite
def edited(draw: st.DrawFn, kind: Kind) -> bytes:
    """Draw one with some words changed."""
    image = Image.parse(draw(kind.good))
    for _ in range(draw(st.integers(1, 4))):
        tag = draw(st.sampled_from(kind.tags))
        there = [body for name, body in image.sections if name == tag]
        body = draw(st.sampled_from(there))
        if len(body) >= 4:
            at = draw(st.integers(0, len(body) // 4 - 1)) * 4
            body[at : at + 4] = struct.pack("<I", draw(words))
    return image.pack()


@st.composite
def spliced(draw: st.DrawFn, kind: Kind) -> bytes:
    """Draw one that is cut, doubled or made of two, byte by byte."""
    first, second = draw(kind.good), draw(kind.good)
    cut = draw(st.integers(BEGIN, len(first)))
    rest = second[draw(st.integers(BEGIN, len(second))) :]
    data = bytearray(first[:cut] + rest)
    for _ in range(draw(st.integers(0, 3))):
        last = min(len(data) - 1, WITHOUT_PAGES)
        at = draw(st.integers(BEGIN, max(BEGIN, last)))
        if at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
    return sealed(bytes(data))
