"""Cut a lab's skeleton out of hv's own sources.

There is one tree, and it holds the solution. What the student is to write lies
between two comments::

    /* marker: lab-mmu-walk */
    ...
    /* marker: end */

(``# marker:`` in assembly, Python and TOML). Cutting puts the task, as a
comment, and the stub between them; the comments stay, so that cutting what was
cut changes nothing. The book includes code by the same comments.
"""

import re
from collections.abc import Mapping
from textwrap import wrap

from hv.errors import UsageError
from hv.labs.spec import Edit, Folder, Region, Source, Wrong
from hv.sources import source_file

COLUMNS = 80  # of a line
_TRIVIAL = 12  # a line of fewer characters tells nothing: "return;", "}"


def _place(text: str, marker: str, where: str) -> tuple[int, int]:
    """Return where the content between a marker and its end begins and ends."""
    begin = re.compile(
        rf"^[ \t]*(?:/\* marker: {re.escape(marker)} \*/"
        rf"|# marker: {re.escape(marker)})[ \t]*\n",
        re.MULTILINE,
    )
    end = re.compile(
        r"^[ \t]*(?:/\* marker: end \*/|# marker: end)[ \t]*$", re.MULTILINE
    )
    found = list(begin.finditer(text))
    if len(found) != 1:
        raise UsageError(
            f"{where}: the comment `marker: {marker}` must be there once, "
            f"on a line of its own; it is there {len(found)} times"
        )
    stop = end.search(text, found[0].end())
    if stop is None:
        raise UsageError(f"{where}: marker {marker} has no `marker: end`")
    return found[0].end(), stop.start()


def content(text: str, marker: str, where: str = "the source") -> str:
    """Return what is between a marker and its end.

    :raises UsageError: they are not there, or twice.
    """
    begin, end = _place(text, marker, where)
    return text[begin:end]


def _comment(task: str, name: str, stub: str) -> str:
    if name.endswith((".c", ".h", ".S")):
        return f"/*\n{_filled(task, ' * ')} */\n"
    # Where indentation means something, that of the code below.
    first = stub.lstrip("\n")
    lead = first[: len(first) - len(first.lstrip())] * name.endswith(".py")
    return _filled(task, f"{lead}# ")


def _filled(task: str, lead: str) -> str:
    """Return paragraphs as lines of a comment, as long as lines of code are."""
    lines: list[str] = []
    for paragraph in task.strip().split("\n\n"):
        lines += [""] if lines else []
        lines += wrap(
            paragraph,
            COLUMNS - len(lead),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "".join(f"{lead}{line}".rstrip() + "\n" for line in lines)


def _instead(region: Region, name: str) -> str:
    task = f"TO DO ({region.part}): {region.task.strip()}"
    return _comment(task, name, region.stub) + region.stub.strip("\n") + "\n"


def solution(folder: Folder) -> dict[str, str]:
    """Return the solution's files, named as in the student's folder."""
    return {f.name: source_file(f.source).read_text() for f in folder.lab.file}


def cut(source: Source, text: str) -> str:
    """Return the skeleton of one file.

    :raises UsageError: a marker is not there.
    """
    for region in source.region:
        begin, end = _place(text, region.marker, source.source)
        text = text[:begin] + _instead(region, source.name) + text[end:]
    return text


def skeleton(folder: Folder) -> dict[str, str]:
    """Return the files that the student starts with.

    :raises UsageError: a marker is missing, or the solution shows through.
    """
    whole = solution(folder)
    files = {f.name: cut(f, whole[f.name]) for f in folder.lab.file}
    for name, line in leaks(folder, files):
        raise UsageError(f"{name}: a line of the solution is left: {line!r}")
    return files


def leaks(folder: Folder, files: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the lines of the solution that these files still have.

    Lines too short to tell anything do not count; nor do those that the
    source has outside of the regions, or that the stub has on purpose (the
    head of a function).
    """
    whole = solution(folder)
    found = []
    for source in folder.lab.file:
        outside = whole[source.name]
        secret: set[str] = set()
        stubs: set[str] = set()
        for region in source.region:
            begin, end = _place(outside, region.marker, source.source)
            secret |= _telling(outside[begin:end])
            stubs |= _telling(region.stub)
            outside = outside[:begin] + outside[end:]
        secret -= _telling(outside) | stubs
        found += [
            (source.name, line)
            for line in sorted(_telling(files[source.name]) & secret)
        ]
    return found


def _telling(text: str) -> set[str]:
    lines = (line.strip() for line in text.splitlines())
    return {line for line in lines if len(line) >= _TRIVIAL}


def student_lines(folder: Folder) -> int:
    """Return how many lines the solution has where the student writes."""
    whole = solution(folder)
    return sum(
        len(content(whole[f.name], r.marker, f.source).splitlines())
        for f in folder.lab.file
        for r in f.region
    )


def wrong_solution(folder: Folder, wrong: Wrong) -> dict[str, str]:
    """Return the files of a typical wrong solution.

    :raises UsageError: a text that it changes is not there once.
    """
    files = solution(folder)
    for edit in wrong.edit:
        files[edit.file] = _edited(files[edit.file], edit, wrong.name)
    return files


def _edited(text: str, edit: Edit, name: str) -> str:
    if text.count(edit.text) != 1:
        raise UsageError(
            f"wrong solution {name}: its text must occur once in {edit.file}, "
            f"not {text.count(edit.text)} times; has the source moved on?"
        )
    return text.replace(edit.text, edit.instead)
