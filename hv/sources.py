"""Where hv's own sources are: private cores and labs are made from them."""

from functools import cache
from pathlib import Path

from hv.errors import UsageError

PACKAGE = Path(__file__).resolve().parent
HEADERS = ("hv.h", "hvhost.h", "hvexplore.h", "hvp.h", "hvpgen.h")


@cache
def tree() -> Path:
    """Return the root that has ``csrc`` and ``labs``: a checkout, or hv itself.

    :raises UsageError: this installation has no sources.
    """
    for place in (PACKAGE.parent, PACKAGE / "sources"):
        if (place / "csrc/include/hv.h").is_file():
            return place
    raise UsageError("hv's C sources are not here; a checkout of hv has them")


def source_file(name: str) -> Path:
    """Return where a source is, by its name below the root of a checkout.

    An installation has ``csrc``, ``guestkernel`` and ``labs`` in the package,
    and of hv's own Python the package itself.

    :raises UsageError: this installation has no sources.
    """
    if name.startswith(f"{PACKAGE.name}/"):
        return PACKAGE.parent / name
    return tree() / name


def declarations() -> str:
    """Return what cffi may parse of the public headers.

    :raises UsageError: a header has no part for it.
    """
    bodies = []
    for header in HEADERS:
        text = (tree() / "csrc/include" / header).read_text()
        _, begin, rest = text.partition("/* cdef: begin */")
        body, end, _ = rest.partition("/* cdef: end */")
        if not begin or not end:
            raise UsageError(f"{header}: cdef markers are missing")
        bodies.append(body)
    return "\n".join(bodies)
