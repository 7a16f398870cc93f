"""On which line of a TOML file each value stands, which tomllib does not say.

This reads the file a second time, for its shape only: headers, keys, and where
values end (TOML 1.0, https://toml.io/en/v1.0.0). It is only for files that
tomllib has accepted.

A path is the keys and indices that lead to a value: ``("vm", 0, "weight")``.
"""

import re
import tomllib

Path = tuple[str | int, ...]

_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANK = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
# Long ones first; up to two quotes may stand before those that end them.
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^\s,\]}#]+(?: \d[^\s,\]}#]*)?")  # "date time" is one


def lines(text: str) -> dict[Path, int]:
    r"""Return the line, from 1, of every table and value of a TOML file.

    >>> found = lines('[host]\nharts = 2\n[[vm]]\nname = "a"\n')
    >>> found["host", "harts"], found["vm", 0], found["vm", 0, "name"]
    (2, 3, 4)
    """
    scanner = _Scanner(text)
    scanner.file()
    return scanner.found


class _Scanner:
    """A place in the text, and what was found before it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.found: dict[Path, int] = {}
        self.arrays: dict[Path, int] = {}  # of tables: the last one's index

    def file(self) -> None:
        table: Path = ()
        self.skip(_SPACE)
        while self.at < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self.header(2)
            elif self.text[self.at] == "[":
                table = self.header(1)
            else:
                self.pair(table)
            self.skip(_SPACE)

    def skip(self, pattern: re.Pattern[str]) -> str:
        """Go on behind what matches here; nothing may match."""
        match = pattern.match(self.text, self.at)
        if match is None:
            self.at += 1  # cannot be, in a file that tomllib reads
            return ""
        self.at = match.end()
        return match[0]

    def note(self, path: Path, at: int) -> None:
        line = self.text.count("\n", 0, at) + 1
        for n in range(1, len(path) + 1):
            self.found.setdefault(path[:n], line)

    def header(self, brackets: int) -> Path:
        start = self.at
        self.at += brackets
        keys = self.keys()
        self.at += brackets
        path = self.resolved(keys[:-1])
        if brackets == 2:
            array = (*path, keys[-1])
            self.arrays[array] = self.arrays.get(array, -1) + 1
            path = (*array, self.arrays[array])
        else:
            path = (*path, keys[-1])
        self.note(path, start)
        return path

    def resolved(self, keys: tuple[str, ...]) -> Path:
        """Return where keys lead: through an array of tables, to its last."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            if path in self.arrays:
                path = (*path, self.arrays[path])
        return path

    def keys(self) -> tuple[str, ...]:
        """Read a key, which may be dotted and quoted."""
        keys = [self.key()]
        while self.text.startswith(".", self.at):
            self.at += 1
            keys.append(self.key())
        return tuple(keys)

    def key(self) -> str:
        self.skip(_BLANK)
        if self.text[self.at : self.at + 1] in ('"', "'"):
            quoted = self.skip(_STRING)
            key = next(iter(tomllib.loads(f"{quoted} = 0")))
        else:
            key = self.skip(_BARE)
        self.skip(_BLANK)
        return key

    def pair(self, table: Path) -> None:
        start = self.at
        path = (*table, *self.keys())
        self.at += 1  # the equals sign
        self.skip(_BLANK)
        self.note(path, start)
        self.value(path)

    def value(self, path: Path) -> None:
        first = self.text[self.at : self.at + 1]
        if first == "[":
            self.array(path)
        elif first == "{":
            self.inline(path)
        else:
            self.skip(_STRING if first in ('"', "'") else _SCALAR)

    def array(self, path: Path) -> None:
        self.at += 1
        self.skip(_SPACE)
        index = 0
        while self.at < len(self.text) and self.text[self.at] != "]":
            self.note((*path, index), self.at)
            self.value((*path, index))
            index += 1
            self.comma()
        self.at += 1

    def inline(self, path: Path) -> None:
        self.at += 1
        self.skip(_SPACE)
        while self.at < len(self.text) and self.text[self.at] != "}":
            self.pair(path)
            self.comma()
        self.at += 1

    def comma(self) -> None:
        self.skip(_SPACE)
        if self.text.startswith(",", self.at):
            self.at += 1
        self.skip(_SPACE)
