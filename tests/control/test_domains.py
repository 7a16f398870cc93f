"""Domain files: the right ones are started, wrong ones refused by the line."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hv
from hv.domains import keys
from hv.domains.host import start
from hv.domains.load import EXAMPLES, FileError, load, loads
from hv.domains.report import Report, plan_text
from hv.images import Image
from tests.control import programs as p
from tests.control.conftest import Kernel
from tests.machine.asm import WFI, program

pytestmark = pytest.mark.images


@pytest.fixture(autouse=True)
def images(shipped: dict[str, Image]) -> None:
    """Names of shipped images mean something in these files."""


def mistakes(text: str) -> list[str]:
    with pytest.raises(FileError) as caught:
        loads(text)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()


VM = '[[vm]]\nname = "a"\nimage = "kernel-native"\n'

WRONG = {
    # the file after VM (line 4 on): the message
    "weight = 0": "4: weight: 0 is out of range; 1 to 65535",
    "weight = 1.5": "4: weight: 1.5 is no integer; 1 to 65535",
    "weight = true": "4: weight: True is no integer; 1 to 65535",
    "wieght = 1": "4: wieght: no such key; did you mean 'weight'?",
    "cap = 801": "4: cap: 801 is out of range; 0 to 800",
    'vcpus = "2"': "4: vcpus: '2' is no integer; 1 to 8",
    'gang = "yes"': "4: gang: 'yes' is neither true nor false",
    'style = "pv"': "4: style: kernel-native does not run as pv; emulate",
    'style = "nest"': "4: style: there is no 'nest'; did you mean 'nested'?",
    "memory = '16 apples'": "4: memory: '16 apples' is no size; \"16MiB\"",
    'min_memory = "1GiB"': "4: min_memory: 1073741824 bytes are more than",
    "append = 5": "4: append: 5 is no text; write it in quotes",
    'append = "\\u0007"': "4: append: '\\x07' has characters that cannot",
    'initrd = "no.img"': "4: initrd: no.img: no such file",
    'budget = "2ms"': '4: budget: it goes with period; budget = "2ms" and',
    'period = "2ms"': "4: period: it goes with budget",
    'budget = "3ms"\nperiod = "2ms"': "4: budget: 30000 ticks do not fit into",
    'budget = "2 minutes"': "4: budget: '2 minutes' is no time; \"1ms\", \"100",
    "budget = 0": "4: budget: 0 is out of range; 1 to 4294967295 ticks",
    "affinity = []": "4: affinity: [] is no list of harts; [0, 1] for all vCPU",
    "affinity = [\n  0,\n  1,\n]": "6: affinity: there is no hart 1; 0 to 0",
    "affinity = [[0], [0]]": "4: affinity: 2 lists for 1 vCPUs; one for each",
    "affinity = [[0], 0]": "4: affinity: [[0], 0] is no list of harts",
    'expect = "of"': "4: expect: 'of' is no ending; \"off:0\" (with success)",
    'expect = "off:"': "4: expect: 'off:' is no ending",
    'expect = "off:-1"': "4: expect: 'off:-1' is no ending",
    'expect = "running: fast"': "4: expect: 'running: fast' is no ending",
    'expect = "running"': '4: expect: "running" needs an end of the run',
    "[host]\nharts = 9": "5: harts: 9 is out of range; 1 to 8",
    '[host]\npolicy = "lottery"': "5: policy: there is no 'lottery'; rr, credi",
    '[host]\npolicy = "fiar"': "5: policy: there is no 'fiar'; did you mean",
    '[host]\nrun_for = "1h"': "5: run_for: '1h' is no time; \"1.5s\", \"20ms\"",
    "[host]\nrun_for = 5": "5: run_for: 5 is no time",
    '[host]\npolicy = "slots"': "5: policy: slots needs a table of them",
    "[hots]\nharts = 1": "4: hots: there is no such table; did you mean 'host'",
    "[vm2]": "4: vm2: there is no such table; did you mean 'vm'?",
    "[[vm]]\nname = 'b'": '4: image: it is missing; image = "kernel-pv"',
    "[[vm]]\nimage = 'kernel-pv'": '4: name: it is missing; name = "web"',
    "[[vm]]\nname = ''\nimage = 'kernel-pv'": "5: name: '' is no name; up to 3",
    VM: "5: name: 'a' is taken, in line 2; each VM has a name of its own",
    "[[vm]]\nname='b'\nimage='kernel-nativ'": "6: image: no image 'kernel-nati",
    "[[vm]]\nname='b'\nimage='./k.elf'": "6: image: k.elf: no such file",
    "[[vm]]\nname='b'\nimage='firmware'": "6: image: firmware runs on the bare",
    "[[slot]]\nvm = 'a'\nticks = 9": '4: slots are for policy = "slots"',
    "[[slot]]\nvm = 'b'\nticks = 9": "5: vm: no VM 'b'; a",
    "[[slot]]\nvm = 'a'": '4: ticks: it is missing; ticks = "2ms"',
    "[slot]\nticks = 1": "4: slot: there can be several; begin each with [[slo",
    "[host.ram]\nx = 1": "4: ram: {'x': 1} is no size",
    "weight = ": "4: Invalid value, at column 10",
    "weight = 1\nweight = 2": "5: Cannot overwrite a value, at column 11",
    'append = "': "4: ",
    "append = '''\n\n": "4: Expected",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_said_with_its_line(text: str) -> None:
    found = mistakes(f"{VM}{text}\n")
    assert any(line.startswith(f"host.toml:{WRONG[text]}") for line in found), (
        found
    )


def test_all_mistakes_are_said_in_the_order_of_the_file() -> None:
    found = mistakes(
        f"{VM}weight = 0\ncap = -1\n[host]\nharts = 0\nquantum = 0\n"
    )
    lines = [int(line.split(":")[1]) for line in found]
    assert lines == [4, 5, 7, 8]


def test_a_wrong_value_has_no_consequences() -> None:
    """What depends on a value that is wrong itself is not complained about."""
    found = mistakes(
        "[host]\nharts = 'two'\npolicy = 'slot'\n"
        f"{VM}affinity = [[0], [1]]\nvcpus = 0\n[[slot]]\nticks = 1\n"
    )
    assert [line.split(":")[2].strip() for line in found] == [
        "harts",
        "policy",
        "vcpus",
    ]


@pytest.mark.parametrize("text", ["", "[host]\n", "# nothing\n"])
def test_a_file_without_a_vm(text: str) -> None:
    assert mistakes(text) == [
        "host.toml:1: there is no VM; begin one with [[vm]]"
    ]


@pytest.mark.parametrize("text", ["vm = 3", "vm = [1]", "vm = {}", "host = 1"])
def test_tables_that_are_none(text: str) -> None:
    assert any(line.startswith("host.toml:1: ") for line in mistakes(text))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    for path, why in {
        tmp_path / "none.toml": "no such file; files that come with hv: caps",
        tmp_path: "Is a directory",
        binary: "it is no text in UTF-8",
    }.items():
        with pytest.raises(FileError, match=re.escape(f"{path}: {why}")):
            load(path)


words = st.sampled_from(
    [*keys.HOST, *keys.VM, *keys.SLOT, "host", "vm", "slot", "x"]
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 70_000)
    | st.floats(allow_nan=False)
    | st.sampled_from(
        ["", "a", "kernel-pv", "rr", "slots", "1ms", "16MiB", "off:0", "\0"]
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=6,
)


def written(value: object) -> str:
    """Return a value as TOML; what TOML does not have is text."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case list():
            return "[" + ", ".join(map(written, value)) + "]"
        case _:
            return '"' + str(value).replace("\0", "\\u0000") + '"'


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["[host]", "[[vm]]", "[[slot]]", "[vm]", "[x]"]),
            st.dictionaries(words, values, max_size=5),
        ),
        max_size=5,
    )
)
def test_any_file_is_read_or_refused(
    tables: list[tuple[str, dict[str, object]]],
) -> None:
    text = "\n".join(
        line
        for head, pairs in tables
        for line in (head, *(f"{k} = {written(v)}" for k, v in pairs.items()))
    )
    try:
        plan_text(loads(text))
    except FileError as error:
        last = text.count("\n") + 1
        for line in str(error).splitlines():
            match = re.match(r"host\.toml:(\d+): \S", line)
            assert match, line
            assert 1 <= int(match[1]) <= last


def test_the_keys_are_those_of_the_records() -> None:
    for kind, known in keys.TABLES.values():
        assert [field.name for field in fields(kind)] == list(known)


def test_the_description_is_a_right_file() -> None:
    text = "\n".join(keys.describe())
    text = text.replace('initrd = "disk.img"', "")
    text = text.replace('policy = "fair"', 'policy = "slots"')
    plan = loads(text)
    assert plan.vms[0].budget == 20_000
    assert plan.slots[0].vm == "web"
    assert plan_text(plan).count("\n") == 3


# -- running -----------------------------------------------------------------


def file(folder: Path, text: str) -> Path:
    path = folder / "host.toml"
    path.write_text(text)
    return path


def report_of(path: Path) -> Report:
    with start(load(path)) as running:
        running.run()
        running.hypervisor.audit()
        return Report.of(running)


ENDINGS = {
    "off:0": [*p.say("x"), *p.off()],
    "off:7": p.off(7),
    "killed: trap loop": None,
    "budget": p.SPIN,
    "running": program(WFI, p.SPIN),
}


@pytest.mark.parametrize("expected", ENDINGS)
@pytest.mark.parametrize("really", ENDINGS)
def test_endings_are_compared(
    tmp_path: Path, kernel: Kernel, expected: str, really: str
) -> None:
    code = ENDINGS[really]
    image = "hostile-traploop" if code is None else str(kernel(code))
    budget = "max_insns = 1000" if really == "budget" else ""
    path = file(
        tmp_path,
        '[host]\nrun_for = "30ms"\n'
        f'[[vm]]\nname = "a"\nimage = "{image}"\n{budget}\n'
        f'expect = "{expected}"\n',
    )
    report = report_of(path)
    (row,) = report.rows
    assert row.met == (expected == really) == (not report.unmet)
    assert row.ending.startswith(really)
    if not row.met:
        assert report.unmet[0].startswith("a ")
        assert report.unmet[0].endswith(f"not {expected}")


def test_a_path_begins_where_the_file_is(
    tmp_path: Path, kernel: Kernel
) -> None:
    image = kernel(p.off())
    report = report_of(
        file(tmp_path, f'[[vm]]\nname = "a"\nimage = "./{image.name}"\n')
    )
    assert not report.unmet


def test_what_is_said_is_what_is_done(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        """
        [host]
        harts = 2
        slice = "100us"
        engine = "ref"
        [[vm]]
        name = "a"
        image = "kernel-pv"
        memory = "12MiB"
        vcpus = 2
        weight = 77
        cap = 150
        gang = true
        affinity = [[1], [0, 1]]
        """,
    )
    with start(load(path)) as running:
        (domain,) = running.domains
        vm, hypervisor = domain.vm, running.hypervisor
        assert vm.info.mem_size == 12 << 20
        assert vm.info.style is hv.Style.PV
        assert vm.schedule == hv.Schedule(77, 150, 0, 0, gang=True)
        assert [vcpu.affinity for vcpu in vm.vcpus] == [(1,), (0, 1)]
        assert len(hypervisor.harts) == 2
        assert hypervisor.host.slice == 1000
        assert hypervisor.host.config.engine == "ref"


def test_what_the_machine_cannot_do_is_said_with_the_line(
    tmp_path: Path,
) -> None:
    path = file(tmp_path, f'[host]\nram = "20MiB"\n{VM}memory = "20MiB"\n')
    with (
        pytest.raises(FileError, match=r"host\.toml:3: VM 'a': .*memory"),
        start(load(path)),
    ):
        pass


def test_a_run_ends_at_its_time(tmp_path: Path, kernel: Kernel) -> None:
    image = kernel(p.SPIN)
    path = file(
        tmp_path,
        '[host]\nrun_for = "1ms"\n'
        f'[[vm]]\nname = "a"\nimage = "{image}"\nexpect = "running"\n',
    )
    report = report_of(path)
    assert report.seconds == pytest.approx(0.001, rel=0.01)
    path.write_text(
        path.read_text().replace('run_for = "1ms"', "max_insns = 9")
    )
    assert report_of(path).rows[0].insns == 9


@pytest.mark.parametrize("name", [f.stem for f in EXAMPLES.glob("*.toml")])
def test_the_files_that_come_with_hv_end_as_they_say(name: str) -> None:
    one, other = report_of(Path(name)), report_of(Path(name))
    assert one.unmet == []
    assert one == other  # the hash, too
