"""Read what students hand in to be judged: checks (Python), attacks (text)."""

import importlib.util
import traceback
from collections.abc import Callable
from pathlib import Path

from hv.errors import UsageError
from hv.fuzz.format import Program
from hv.fuzz.text import parse
from hv.labs.patience import patience
from hv.labs.seen import Step

PREFIX = "check_"

Check = Callable[[Step], str | None]


def read_checks(path: Path) -> dict[str, Check]:
    """Return the functions of a file whose names begin with ``check_``.

    It is executed: do this only where a submission may run.

    :raises UsageError: it is no Python; the message has file and line.
    """
    spec = importlib.util.spec_from_file_location("submitted_checks", path)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path.name} cannot be read")
    module = importlib.util.module_from_spec(spec)
    try:
        with patience():
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise UsageError(f"{path.name}:{error.lineno}: {error.msg}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 -- a student's
        raise UsageError(raised(error, path.name)) from None
    return {
        name: value
        for name, value in vars(module).items()
        if name.startswith(PREFIX) and callable(value)
    }


def read_attack(path: Path, most: int) -> Program:
    """Return the program that a file has as text.

    :param most: operations.
    :raises UsageError: it has none, or one too long; with file and line.
    """
    try:
        program = parse(path.read_text(errors="replace"))
    except UsageError as error:
        raise UsageError(f"{path.name}, {error}") from None
    if len(program.records) > most:
        raise UsageError(
            f"{path.name} has {len(program.records)} operations; "
            f"{most} are enough"
        )
    return program


def raised(error: BaseException, file: str) -> str:
    """Return what an exception of theirs says, with the line of their file."""
    frames = traceback.extract_tb(error.__traceback__)
    mine = [f for f in frames if Path(f.filename).name == file]
    where = f"{file}:{mine[-1].lineno}: " if mine else ""
    return f"{where}{type(error).__name__}: {error}"
