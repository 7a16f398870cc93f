"""``hv lab``: do the course's labs."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from hv.cli import lab_staff, options
from hv.cli.lab_staff import KEY, course_key
from hv.errors import UsageError

if TYPE_CHECKING:
    from hv.labs.run import Grade
    from hv.labs.spec import Folder

# Lazily imported everywhere below: `hv --help` needs none of it.
# ruff: noqa: PLC0415

_HERE = click.option(
    "-C",
    "--dir",
    "place",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The lab's folder; by default where you are.",
)
_PAUSE = 0.5  # seconds between looks at the files


@click.group()
def lab() -> None:
    """Do a lab of the course: start it, grade it, get hints."""


for command in (
    lab_staff.prepare,
    lab_staff.check,
    lab_staff.batch,
    lab_staff.gradescope,
):
    lab.add_command(command)


@lab.command("list")
@options.as_json
def list_(*, as_json: bool) -> None:
    """List the labs."""
    from hv.cli.table import table
    from hv.labs.cut import student_lines
    from hv.labs.points import plan
    from hv.labs.spec import labs

    rows = [
        {
            "number": folder.lab.number,
            "name": folder.lab.name,
            "title": folder.lab.title,
            "minutes": folder.lab.minutes,
            "lines": student_lines(folder),
            "points": sum(award.points for award in plan(folder.tests)),
        }
        for folder in labs()
    ]
    if as_json:
        print(json.dumps({"labs": rows}))
        return
    print(
        table(
            ("LAB", "TITLE", "HOURS", "LINES", "POINTS"),
            [
                (
                    str(row["number"]),
                    str(row["title"]),
                    f"{int(str(row['minutes'])) / 60:.0f}",
                    str(row["lines"]),
                    str(row["points"]),
                )
                for row in rows
            ],
            right=(0, 2, 3, 4),
        )
    )


@lab.command()
@click.argument("number", type=int)
@click.argument(
    "place", type=click.Path(path_type=Path, file_okay=False), required=False
)
@click.option("--student", default="", metavar="ID", help="Who you are.")
@click.option("--force", is_flag=True, help="Replace your files.")
def start(
    *, number: int, place: Path | None, student: str, force: bool
) -> None:
    """Make a folder for lab NUMBER: by default lab1, lab2, ..."""
    from hv.labs.spec import find
    from hv.labs.workspace import start as make

    folder = find(number)
    where = place or Path(f"lab{number}")
    make(folder, where, student=student, force=force)
    print(f"Lab {number}: {folder.lab.title}")
    for goal in folder.lab.goals:
        print(f"  - {goal}")
    mine = ", ".join(source.name for source in folder.lab.file)
    print(f"Now `cd {where}`, read handout.md, and write in {mine}.")
    print(
        "`hv lab grade` says how far you are, and `hv lab watch` at each save."
    )


def _graded(
    place: Path,
    only: str = "",
    seed: int | None = None,
    number: int | None = None,
    *,
    sanitize: bool = False,
) -> "tuple[Folder, Grade]":
    """Grade a folder; with a number it need not be one that `start` made."""
    from hv.labs.points import plan
    from hv.labs.run import PUBLIC_SEED, grade

    folder, files = _handed_in(place, number)
    tests = [award.test for award in plan(folder.tests)]
    if only and only not in tests:
        raise UsageError(f"no test {only!r}; there are {', '.join(tests)}")
    done = grade(
        folder,
        files,
        only=only,
        seed=PUBLIC_SEED if seed is None else seed,
        sanitize=sanitize,
    )
    return folder, done


def _handed_in(
    place: Path, number: int | None
) -> "tuple[Folder, dict[str, str]]":
    """Return the lab that a folder is about, and the files of it."""
    from hv.labs.spec import find
    from hv.labs.workspace import NOTE, opened, submission

    if number is not None and not (place / NOTE).exists():
        folder = find(number)
    else:
        _the_same(place, number)
        folder, _ = opened(place)
    return folder, submission(folder, place)


def _refused(number: int, why: str) -> "tuple[Folder, Grade]":
    """Grade what cannot be read: no points, and the reason."""
    from hv.labs.points import plan
    from hv.labs.run import Grade, Result
    from hv.labs.spec import find

    folder = find(number)
    results = tuple(Result(a, good=False) for a in plan(folder.tests))
    return folder, Grade(number, folder.lab.title, results, why)


def _status(done: "Grade") -> int:
    return 0 if done.score == done.full and not done.broken else 1


def _the_same(place: Path, number: int | None) -> None:
    """Refuse a number that is not that of the folder."""
    from hv.labs.workspace import note

    found = note(place).lab
    if number is not None and number != found:
        raise UsageError(f"{place} is the folder of lab {found}, not {number}")


@lab.command()
@click.argument("number", type=int, required=False)
@_HERE
@click.option(
    "--as",
    "form",
    type=click.Choice(
        ["text", "json", "gradescope", "prairielearn", "classroom50", "junit"]
    ),
    default="text",
    show_default=True,
    help="The form of the report.",
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Where it goes."
)
@click.option(
    "--about",
    multiple=True,
    metavar="NAME=VALUE",
    help="What Classroom 50 wants to know besides.",
)
@KEY
@click.option("--student", default="", metavar="ID", help="Whose variant.")
@click.option(
    "--sanitize",
    is_flag=True,
    help="Let your C code look where it reads and writes; slower.",
)
def grade(
    *,
    number: int | None,
    place: Path,
    form: str,
    out: Path | None,
    about: tuple[str, ...],
    key_file: Path | None,
    student: str,
    sanitize: bool,
) -> int:
    """Grade your work. Exit status 0: all points (with -o: it was graded)."""
    from hv.labs import report
    from hv.labs.exports import export
    from hv.labs.run import hidden_seed
    from hv.labs.workspace import hints_taken, note

    place = _meant(place, number)
    seed = None
    if key := course_key(key_file):
        of = note(place).lab if number is None else number
        seed = hidden_seed(key, student, of)
    facts = dict(_pair(text) for text in about)
    try:
        _handed_in(place, number)
    except UsageError as error:
        # A platform waits for a file, and shows the student what is in it.
        if out is None or number is None:
            raise
        folder, done = _refused(number, str(error))
    else:
        folder, done = _graded(
            place, seed=seed, number=number, sanitize=sanitize
        )
    if form == "text":
        shown = report.text(done)
    else:
        shown = export(done, form, facts, hints_taken(folder, place))
    if out is None:
        print(shown, end="")
        return _status(done)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(shown)
    return 0


def _meant(place: Path, number: int | None) -> Path:
    """Return lab1/ where `hv lab grade 1` is typed beside it."""
    from hv.labs.workspace import NOTE

    beside = place / f"lab{number}"
    if (beside / NOTE).exists() and not (place / NOTE).exists():
        return beside
    return place


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--about {text}: NAME=VALUE would be right")
    return name, value


@lab.command()
@click.argument("number", type=int)
@click.argument("test")
@_HERE
@click.option("--seed", type=int, help="That the report has named.")
def replay(*, number: int, test: str, place: Path, seed: int | None) -> int:
    """Run one TEST of lab NUMBER again, exactly as it ran."""
    from hv.labs import report

    place = _meant(place, number)
    _the_same(place, number)
    _, done = _graded(place, test, seed)
    print(report.text(done), end="")
    return _status(done)


@lab.command()
@click.argument("part", required=False)
@_HERE
@click.option("--step", type=click.IntRange(1, 3), default=1, show_default=True)
def hint(*, part: str | None, place: Path, step: int) -> None:
    """Show a hint: 1 where to look, 2 the idea, 3 almost the code.

    Your instructor can see which ones you took. They cost nothing.
    """
    from rich.console import Console

    from hv.labs.workspace import opened, take_hint

    folder, _ = opened(place)
    parts = {p.name: p for p in folder.lab.part}
    if part is None:
        for name, found in parts.items():
            print(f"hv lab hint {name:10} {found.title}")
        return
    if part not in parts:
        raise UsageError(f"no part {part!r}; there are {', '.join(parts)}")
    take_hint(place, part, step)
    screen = Console(highlight=False)
    screen.print(
        parts[part].hints[step - 1],
        markup=False,
        soft_wrap=not screen.is_terminal,  # a line stays one for programs
    )
    if step < 3:
        print(f"(more: hv lab hint {part} --step {step + 1})")


@lab.command()
@_HERE
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The archive; by default beside the folder's files.",
)
def submit(*, place: Path, out: Path | None) -> None:
    """Pack your files for handing in, and say what they score."""
    from hv.labs.report import bar
    from hv.labs.workspace import NOTE, pack, submission

    folder, done = _graded(place)
    files = submission(folder, place)
    files[NOTE] = (place / NOTE).read_text()
    target = out or place / f"{folder.path.name}.tar"
    pack(files, target)
    print(f"{target}: {', '.join(sorted(files))}")
    print(bar(done))


@lab.command("gdb")
@click.argument("options", nargs=-1, metavar="[-- OPTIONS]")
@_HERE
def gdb_(*, options: tuple[str, ...], place: Path) -> int:
    """Start GDB on a guest that runs on what you have written.

    OPTIONS are those of `hv gdb`: `hv lab gdb -- --style nested`.
    """
    from hv.gdb import debugger
    from hv.labs.debug import debug

    debugger.needed()
    return debug(*_handed_in(place, None), options)


@lab.command()
@click.argument("number", type=int, required=False)
@_HERE
@click.option("--once", is_flag=True, help="Grade what is there, and end.")
def watch(*, number: int | None, place: Path, once: bool) -> None:
    """Grade again whenever you save; end with Ctrl-C."""
    from rich.console import Console

    from hv.labs.run import grade as graded
    from hv.labs.watch import Show
    from hv.labs.watch import watch as follow
    from hv.labs.workspace import hints_taken, opened, submission

    place = _meant(place, number)
    _the_same(place, number)
    folder, _ = opened(place)
    first = submission(folder, place)
    follow(
        [first] if once else _looks(folder, place),
        lambda files, tell: graded(folder, files, tell=tell),
        Show(
            folder,
            Console(),
            lambda: hints_taken(folder, place),
            "" if place == Path() else f" -C {place}",
        ),
    )


def _looks(folder: "Folder", place: Path) -> "Iterator[dict[str, str]]":
    """Return a student's files, twice a second, for ever."""
    from hv.labs.workspace import submission

    while True:
        try:
            files = submission(folder, place)
        except UsageError:  # an editor may be between removing and writing
            files = {}
        yield files
        time.sleep(_PAUSE)
