"""On which line a value of a TOML file stands: generated files, known lines."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hv.domains.lines import lines

# Text that looks like something else, for strings and comments.
NASTY = ["", "x", "# no comment", "[vm]", "k = 1", "]", "}", ",", "=", "é☃"]
COMMENTS = ["", "# plain", '# "quoted', "# [table]", "# '''", '# """ k = 1']
QUOTED = ["a b", "#", "[x]", "é", "it's", "dot.ted", ""]


@dataclass
class Writer:
    """A file being written, and where each path was put."""

    draw: st.DrawFn
    text: str = ""
    where: dict[tuple[str | int, ...], int] = field(default_factory=dict)
    names: int = 0

    def put(self, text: str) -> None:
        self.text += text

    def note(self, path: tuple[str | int, ...]) -> None:
        line = self.text.count("\n") + 1
        for n in range(1, len(path) + 1):
            self.where.setdefault(path[:n], line)

    def choose(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def blank(self) -> None:
        """Something that means nothing, to the end of the line."""
        self.put(self.choose(*COMMENTS) + self.choose("\n", "\r\n"))
        if self.draw(st.booleans()):
            self.put(self.choose(" ", "\t", "") + self.choose(*COMMENTS) + "\n")

    def key(self) -> tuple[str, str]:
        """Return a new key, and how it is written."""
        self.names += 1
        name = f"k{self.names}"
        style = self.choose("bare", "basic", "literal")
        if style == "bare":
            return name, name
        name += self.choose(*QUOTED)
        if style == "literal" and "'" not in name:
            return name, f"'{name}'"
        return name, f'"{name}"'

    def dotted(self, most: int) -> tuple[tuple[str, ...], str]:
        keys = [self.key() for _ in range(self.draw(st.integers(1, most)))]
        dot = self.choose(".", " . ", ". ")
        return tuple(k for k, _ in keys), dot.join(k for _, k in keys)

    def pair(self, table: tuple[str | int, ...], depth: int) -> None:
        keys, written = self.dotted(3)
        self.note((*table, *keys))
        self.put(written + self.choose("=", " = ", "\t= "))
        self.value((*table, *keys), depth)

    def value(self, path: tuple[str | int, ...], depth: int) -> None:
        kinds = ["number", "string", "long", "other"]
        if depth:
            kinds += ["array", "inline"]
        match self.choose(*kinds):
            case "number":
                self.put(self.choose("0", "-17", "1_000", "0x1F", "6.5e3"))
            case "string":
                inner = self.choose(*NASTY)
                quote = self.choose('"', "'")
                escape = self.choose("", r"\"", r"\\", r"\u00e9")
                if quote == '"':
                    inner += escape
                self.put(quote + inner + quote)
            case "long":
                self.long()
            case "other":
                self.put(
                    self.choose(
                        *("true", "inf", "1979-05-27", "07:32:00"),
                        *("1979-05-27 07:32:00Z", "1979-05-27T07:32:00-07:00"),
                    )
                )
            case "array":
                self.array(path, depth - 1)
            case "inline":
                self.inline(path, depth - 1)

    def long(self) -> None:
        quote = self.choose('"""', "'''")
        inner = self.choose(*NASTY) + self.choose("", "\n", "\r\n", quote[0])
        inner += self.choose("", " k = 2\n", "[vm]\n", quote[:2] + " ")
        inner = inner.replace(quote, "") + "x"
        inner += quote[: self.draw(st.integers(0, 2))]
        if quote[0] == '"':
            inner = inner.replace("\\", "")
            inner = self.choose("", r"\"", "\\\n  ") + inner
        self.put(quote + inner + quote)

    def array(self, path: tuple[str | int, ...], depth: int) -> None:
        self.put("[")
        for i in range(self.draw(st.integers(0, 4))):
            if i:
                self.put(",")
            if self.draw(st.booleans()):
                self.blank()
            self.note((*path, i))
            self.value((*path, i), depth)
            if self.draw(st.booleans()):
                self.blank()
        self.put(self.choose("", " "))
        self.put("]")

    def inline(self, path: tuple[str | int, ...], depth: int) -> None:
        self.put("{")
        for i in range(self.draw(st.integers(0, 3))):
            self.put(", " if i else " ")
            self.pair(path, depth)
        self.put(" }")

    def body(self, table: tuple[str | int, ...]) -> None:
        for _ in range(self.draw(st.integers(0, 3))):
            self.put(self.choose("", "  "))
            self.pair(table, 2)
            self.put(self.choose("", " "))
            self.blank()

    def file(self) -> None:
        self.body(())
        arrays: list[tuple[str, str, int]] = []
        for _ in range(self.draw(st.integers(0, 5))):
            kind = self.choose("table", "array", "again", "within")
            if kind == "table" or (kind != "array" and not arrays):
                keys, written = self.dotted(3)
                self.header(keys, f"[{written}]")
            elif kind == "array":
                name, written = self.key()
                arrays.append((name, written, 0))
                self.header((name, 0), f"[[{written}]]")
            elif kind == "again":
                name, written, index = arrays.pop()
                arrays.append((name, written, index + 1))
                self.header((name, index + 1), f"[[ {written} ]]")
            else:
                name, written, index = arrays[-1]
                inner, also = self.key()
                self.header((name, index, inner), f"[{written}.{also}]")

    def header(self, path: tuple[str | int, ...], written: str) -> None:
        self.put(self.choose("", "  "))
        self.note(path)
        self.put(written + self.choose("", " "))
        self.blank()
        self.body(path)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[tuple[str | int, ...], int]]:
    writer = Writer(draw)
    writer.file()
    return writer.text, writer.where


def paths(data: object, at: tuple[str | int, ...] = ()) -> set[object]:
    """Return the path of everything in what tomllib has read."""
    found: set[object] = {at} if at else set()
    if isinstance(data, dict):
        for key, value in data.items():
            found |= paths(value, (*at, key))
    elif isinstance(data, list):
        for i, value in enumerate(data):
            found |= paths(value, (*at, i))
    return found


@given(files())
def test_every_value_has_its_line(
    written: tuple[str, dict[tuple[str | int, ...], int]],
) -> None:
    text, where = written
    data = tomllib.loads(text)
    found = lines(text)
    assert found == where
    assert set(found) == paths(data)


@given(st.text(alphabet="ab1.=[]{}\"'#, \n\\", max_size=40))
def test_what_tomllib_accepts_is_read_alike(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(lines(text)) == paths(data)


REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "name", ["pyproject.toml", "tests/memory/planted.toml"]
)
def test_files_of_our_own(name: str) -> None:
    text = (REPOSITORY / name).read_text()
    found = lines(text)
    assert set(found) == paths(tomllib.loads(text))
    for path, line in found.items():
        if isinstance(path[-1], str):
            assert path[-1] in text.splitlines()[line - 1]
