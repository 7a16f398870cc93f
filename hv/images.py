"""The guests that come with hv: which there are, and where they lie.

They lie beside this file in ``images/``: put there when the package was
built, or by ``hv guests build`` in a checkout.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import msgspec

from hv.errors import ImageError
from hv.paths import exists, is_file

FOLDER = Path(__file__).resolve().parent / "images"
CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Image:
    """A shipped guest.

    :param kind: kernel, hostile, race, bench or firmware.
    :param styles: how it can run: bare, or in a VM of these styles.
    :param expect: how a hostile guest must end; None for others.
    """

    name: str
    path: Path
    kind: str
    description: str
    styles: tuple[str, ...]
    expect: str | None

    def __fspath__(self) -> str:
        """Return the file's path: an image can be given where one can."""
        return str(self.path)

    @property
    def style(self) -> str:
        """The style that it runs in if nobody says otherwise."""
        return default_style(self.name, self.styles)


class _Row(msgspec.Struct):
    """What the list says of an image."""

    name: str
    file: str
    kind: str
    description: str
    styles: tuple[str, ...]
    expect: str | None = None


class _Index(msgspec.Struct):
    """The list beside the images."""

    images: list[_Row]


def default_style(name: str, styles: tuple[str, ...] = ()) -> str:
    """Return the best style for a kernel; ``emulate``, if nothing is known."""
    virtual = [style for style in styles if style != "bare"]
    if virtual and "emulate" not in virtual:
        return virtual[0]
    return "pv" if Path(name).stem.endswith("-pv") else "emulate"


def available(folder: Path = FOLDER) -> dict[str, Image]:
    """Return the images that are there, by name.

    :raises ImageError: if the list beside them cannot be read.
    """
    index = folder / "images.json"
    if not index.exists():
        return {}
    try:
        rows = msgspec.json.decode(index.read_bytes(), type=_Index).images
    except (
        *(OSError, ValueError, RecursionError),
        msgspec.DecodeError,
    ) as error:
        raise ImageError(f"{index}: cannot read it: {error!r}") from None
    images = [
        Image(
            name=row.name,
            path=folder / row.file,
            kind=row.kind,
            description=row.description,
            styles=row.styles,
            expect=row.expect,
        )
        for row in rows
    ]
    return {image.name: image for image in images if image.path.exists()}


def find(name: str) -> Image:
    """Return a shipped guest by name.

    :raises ImageError: if there is none, saying which there are or, if there
        are none at all, which command makes them.
    """
    images = available()
    if name in images:
        return images[name]
    if not images:
        raise ImageError(f"no image {name!r}: {missing()}")
    near = get_close_matches(name, images, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "`hv images` lists them"
    raise ImageError(f"no image {name!r}, and no such file; {hint}")


def kernel(style: str) -> Image:
    """Return the shipped kernel that is made for a style, or for ``bare``.

    :raises ImageError: if there is none.
    """
    for image in available().values():
        if image.kind == "kernel" and style in image.styles:
            return image
    raise ImageError(f"no kernel for style {style!r}: {missing()}")


def resolve(name: str) -> tuple[Path, str]:
    """Return the file and the default style of a shipped guest or a path.

    A name that can be no shipped guest's is a path: it has a suffix or a
    folder in it. Else a shipped guest goes before a file.

    :raises ImageError: if it is neither.
    """
    path = Path(name)
    if path.name == name and not path.suffix:
        if not is_file(path) or name in available():
            image = find(name)
            return image.path, image.style
    elif not exists(path):
        raise ImageError(f"{name}: no such file; `hv images` lists names")
    return path, default_style(name)


def missing() -> str:
    """Return which command gets the images, in a sentence."""
    from hv.guestcc import NoCompiler, find_compiler  # noqa: PLC0415 -- slow

    if source() is None:
        return (
            "this installation has no images; run `hv guests build` "
            "in a checkout of hv"
        )
    try:
        find_compiler()
    except NoCompiler:
        return (
            "the images were not built yet, and no compiler for them was "
            "found: `pip install 'microhv[guests]'`, then `hv guests build`"
        )
    return "the images were not built yet: `hv guests build`"


def source() -> Path | None:
    """Return the checkout that guests can be built from, if there is one."""
    for folder in (CHECKOUT, Path.cwd()):
        if (folder / "guestkernel" / "images.toml").exists():
            return folder
    return None
