"""Good files, damaged: each is read, or refused in a sentence of hv's own."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import hv
from hv import images
from hv.bench import history
from hv.domains import load
from hv.domains.report import plan_text
from hv.elf import read_elf, read_symbols

EXAMPLES = sorted((Path(hv.__file__).parent / "examples").glob("*.toml"))
RAM = 0x80000000
BYTES = [0, 1, 4, 0x7F, 0x80, 0xFE, 0xFF]

# Where, from the beginning or the end; and what is put there, or how much is
# taken away.
edits = st.lists(
    st.tuples(
        st.integers(0, 2000) | st.integers(-4000, -1),
        st.sampled_from(BYTES) | st.integers(0, 255) | st.integers(-64, -1),
    ),
    min_size=1,
    max_size=6,
)
Edits = list[tuple[int, int]]


def damaged(good: bytes, todo: Edits) -> bytes:
    """Return a file with some bytes changed, and some left out."""
    data = bytearray(good)
    for at, value in todo:
        if not data:
            break
        place = at % len(data)
        if value < 0:
            del data[place : place - value]
        else:
            data[place] = value
    return bytes(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


# -- domain files -------------------------------------------------------------

pieces = st.sampled_from(
    ["[[vm]]", "[[slot]]", "[host]", "harts = 2", "policy = 'edf'", "=", '"',
     "[", "]]", "\n", "vm = 'a'", "mem = '0x10'", "\x00", "\ud800", "\u2028",
     "budget = 1e400", "x = " + "[" * 500, "image = '../../..'",
     "pin = [[]]", "1979-05-27T07:32:00Z", "affinity = [-1]", "nan"]
)  # fmt: skip


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
@given(todo=st.lists(st.tuples(st.integers(0, 60), pieces), max_size=4))
def test_a_domain_file(path: Path, todo: list[tuple[int, str]]) -> None:
    lines = path.read_text().splitlines()
    for at, piece in todo:
        if at % 3:
            lines.insert(at % (len(lines) + 1), piece)
        else:
            lines[at % len(lines)] += piece
    try:
        plan_text(load.loads("\n".join(lines), path))
    except load.FileError as error:
        assert str(error)  # noqa: PT017


@given(todo=edits)
def test_the_bytes_of_a_domain_file(folder: Path, todo: Edits) -> None:
    path = folder / "host.toml"
    path.write_bytes(damaged(EXAMPLES[0].read_bytes(), todo))
    try:
        load.load(path)
    except load.FileError as error:
        assert str(error)  # noqa: PT017


# -- lists of images, and histories -------------------------------------------

texts = st.text(max_size=9)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["images", "name", "file", "kind", "styles", "expect"]),
        inner,
        max_size=6,
    ),
    max_leaves=12,
)  # fmt: skip
row = {"name": "a", "file": "a.elf", "kind": "kernel", "styles": ["bare"],
       "description": "d"}  # fmt: skip
fields = st.sampled_from([*row, "expect"])


@given(key=fields, value=values, whole=st.booleans())
@example(key="name", value=["a"], whole=False)
@example(key="file", value="\0", whole=False)
@example(key="file", value="\ud800", whole=False)
@example(key="styles", value=7, whole=False)
def test_a_list_of_images(
    folder: Path, key: str, value: object, *, whole: bool
) -> None:
    text = json.dumps(value if whole else {"images": [{**row, key: value}]})
    _images(folder, text.encode(errors="surrogatepass"))


@given(todo=edits)
def test_the_bytes_of_a_list_of_images(folder: Path, todo: Edits) -> None:
    _images(folder, damaged(json.dumps({"images": [row]}).encode(), todo))


def test_a_deep_list_of_images(folder: Path) -> None:
    _images(folder, b'{"images":' + b"[" * 100_000)


def _images(folder: Path, data: bytes) -> None:
    (folder / "images.json").write_bytes(data)
    (folder / "a.elf").touch()
    try:
        for image in images.available(folder).values():
            assert isinstance(image.style, str)
    except hv.ImageError as error:
        assert str(error)  # noqa: PT017


ENTRY = (
    b'{"commit":"a","date":"2026-01-01","quick":true,"ratios":{"r":1.5},'
    b'"counts":{"pv x1":2.0}}\n'
)


@given(todo=edits, twice=st.booleans())
@example(todo=[(0, 0xFF)], twice=False)
def test_a_history(folder: Path, todo: Edits, *, twice: bool) -> None:
    path = folder / "history.jsonl"
    path.write_bytes((ENTRY if twice else b"") + damaged(ENTRY, todo))
    try:
        history.read(path)
    except hv.HvError as error:
        assert str(path) in str(error)  # noqa: PT017


# -- programs, and what a guest is told about its board -----------------------


@pytest.fixture(scope="module")
def program() -> bytes:
    return images.find("kernel-native").path.read_bytes()


@pytest.mark.images
@given(todo=edits)
def test_a_program_with_symbols(program: bytes, todo: Edits) -> None:
    data = damaged(program, todo)
    try:
        read_elf("kernel", data)
    except hv.ImageError as error:
        assert str(error)  # noqa: PT017
    for address in read_symbols(data).values():
        assert 0 <= address < 1 << 32


words = st.lists(
    st.tuples(
        st.integers(0, 500),
        st.sampled_from([0, 1, 2, 3, 4, 9, 0xFF, 0xFFFF, 2**31, 2**32 - 1])
        | st.integers(0, 2**32 - 1),
    ),
    min_size=1,
    max_size=5,
)


@pytest.mark.images
@given(style=st.sampled_from(["emulate", "nested"]), todo=words)
def test_a_guest_that_reads_a_damaged_tree(
    style: str, todo: list[tuple[int, int]]
) -> None:
    """It may panic, hang or be killed; who runs it goes on."""
    with hv.Hypervisor(ram="40MiB") as hypervisor:
        vm = hypervisor.create(style=style, mem="16MiB")
        layout = vm.load(images.find("kernel-native").path)
        for word, value in todo:
            vm.mem.write(layout.dtb + 4 * word, value.to_bytes(4, "big"))
        vm.boot()
        hypervisor.run(60_000)
        hypervisor.audit()
        other = hypervisor.create(style=style, mem="1MiB")
        other.mem.write(RAM, bytes.fromhex("6f000000"))
        other.boot(RAM)
        other.run(10)


# -- interleavings ------------------------------------------------------------

counts = st.sampled_from([-1, 0, 1, 2, 255, 256, 2**32 - 1, 2**32, 2**64])


@given(
    rounds=st.lists(
        st.builds(
            hv.Round,
            counts | st.integers(1, 9),
            st.permutations([0, 1]).map(tuple)
            | st.lists(counts, max_size=9).map(tuple),
        ),
        max_size=5,
    )
)
def test_an_interleaving(rounds: list[hv.Round]) -> None:
    right = all(
        sorted(it.order) == [0, 1] and 1 <= it.length < 2**32 for it in rounds
    )
    try:
        hv.Machine(ram="1MiB", harts=2, interleave=rounds).close()
    except hv.UsageError:
        assert not right
    else:
        assert right
