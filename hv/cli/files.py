"""Files that a command writes, checked before the work is done."""

from pathlib import Path

from hv.errors import HvError, UsageError


def svg_file(option: str, name: str) -> Path:
    """Return the path of a picture that can be written.

    :param option: what the person has typed before the name.
    :raises UsageError: if it is no name of an SVG file.
    :raises HvError: if it cannot be written.
    """
    if Path(name).suffix != ".svg":
        raise UsageError(
            f"{option} {name}: the picture is an SVG file: {name}.svg"
        )
    return writable(option, name)


def writable(option: str, name: str) -> Path:
    """Return the path of a file that can be written.

    :raises HvError: if it cannot.
    """
    path = Path(name)
    try:
        path.touch()
    except OSError as error:
        raise HvError(f"{option} {name}: {error.strerror}") from None
    return path
