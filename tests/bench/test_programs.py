"""The programs themselves: the same result wherever they run."""

import pytest

import hv
from hv import images
from hv.bench import costs, counts
from hv.bench.machines import OnHv, OnQemu, OnUnicorn, places
from hv.bench.programs import WORKS, image_of, patched, program, styles_of
from hv.elf import read_elf
from hv.errors import ImageError

pytestmark = [pytest.mark.images, pytest.mark.usefixtures("shipped")]

NAMES = [work.name for work in WORKS]
# A little of each, with something of its own in it.
ROUNDS = {"mix": 1, "copy": 2, "chase": 3, "calls": 500, "alu": 999}
ROUNDS |= {"trap": 100, "fault": 3}


@pytest.mark.parametrize("name", NAMES)
def test_a_program_comes_to_the_same_everywhere(name: str) -> None:
    rounds = ROUNDS[name]
    found = {
        f"{engine} {style}": OnHv(engine, style).run(name, rounds).result
        for engine in hv.Engine
        for style in styles_of(name)
        if (engine, name) != ("ref", "mix") or style == "bare"
    }
    assert len(set(found.values())) == 1, found
    assert {"fast bare", "fast emulate", "fast pv"} <= found.keys()


@pytest.mark.parametrize("name", ["copy", "chase", "calls", "alu"])
def test_unicorn_comes_to_the_same(name: str) -> None:
    pytest.importorskip("unicorn")
    mine = OnHv("fast", "bare").run(name, ROUNDS[name])
    assert OnUnicorn().run(name, ROUNDS[name]).result == mine.result


@pytest.mark.qemu
@pytest.mark.parametrize("name", NAMES)
def test_qemu_comes_to_the_same(name: str) -> None:
    if why := OnQemu().missing():
        pytest.skip(why)
    mine = OnHv("fast", "bare").run(name, ROUNDS[name])
    assert OnQemu().run(name, ROUNDS[name]).result == mine.result


def test_the_amount_of_work_counts() -> None:
    run = OnHv("fast", "bare").run
    once, twice = run("calls", 500), run("calls", 1000)
    assert once.result != twice.result
    assert once.insns
    assert twice.insns
    assert 1.5 < twice.insns / once.insns < 2


def test_a_patched_file_differs_in_one_word() -> None:
    image = image_of("mix", "bare")
    loads, at = program(image)
    with patched(image, 0x01020304) as path:
        data = path.read_bytes()
    assert not path.exists()
    before, after = image.path.read_bytes(), data
    differ = [i for i in range(len(before)) if before[i] != after[i]]
    assert differ[-1] - differ[0] < 4
    (word,) = (
        segment.data[at - segment.base :][:4]
        for segment in read_elf("mix", data).segments
        if segment.base <= at < segment.base + len(segment.data)
    )
    assert word == bytes([4, 3, 2, 1])
    assert loads.entry == 0x80400000


def test_what_is_no_benchmark_is_refused() -> None:
    with pytest.raises(ImageError, match="rounds"):
        program(images.find("kernel-native"))
    with pytest.raises(ImageError, match="no image 'bench-nothing'"):
        image_of("nothing", "bare")
    with pytest.raises(ImageError, match="style nested-twice"):
        image_of("mix", "nested-twice")


def test_every_benchmark_image_runs_in_each_of_its_styles() -> None:
    found = [i for i in images.available().values() if i.kind == "bench"]
    assert {work.name for work in WORKS} <= {
        image.name.removeprefix("bench-") for image in found
    }
    for image in found:
        name = image.name.removeprefix("bench-").removesuffix("-pv")
        rounds = ROUNDS.get(name, 3)
        for style in image.styles:
            assert OnHv("fast", style).run(name, rounds).result, image.name


def test_a_fault_is_taken_at_every_store_into_the_window() -> None:
    with hv.Machine(ram="32MiB", engine="fast") as machine:
        image = image_of("fault", "bare")
        machine.load(image)
        machine.mem.write32(program(image)[1], 5)
        machine.boot()
        machine.run_until("halt")
        # 32 pages, 5 times; and the call that ends the program.
        assert machine.counters["traps_s"] == 5 * 32 + 1


def test_yielding_guests_take_turns() -> None:
    with hv.Hypervisor(ram="96MiB", engine="fast") as host:
        image = image_of("yield", "pv")
        vms = [host.create(style="pv", mem="32MiB") for _ in range(2)]
        for vm in vms:
            vm.load(image)
            vm.mem.write32(program(image)[1], 50)
            vm.boot()
        host.run()
        assert [vm.counters["switches"] for vm in vms] == [51, 51]


def test_the_small_guests_do_what_they_are_for() -> None:
    with hv.Hypervisor(ram="64MiB", engine="fast") as host:
        vm = costs.small(host, costs.SWITCH_OFF)
        vm.run()
        assert (vm.state, vm.exit_code) == ("off", 0)
        vm = costs.small(host, costs.TOUCH_AND_WAIT)
        assert vm.run().reason == "idle"
        assert vm.info.frames == costs.PAGES + 1


def test_every_cost_can_be_measured() -> None:
    for aim, measurement in costs._costs():
        assert measurement(1) >= 0, aim.name


def test_counts_are_the_same_each_time() -> None:
    rows = counts.measure("quiet run=ping")
    assert rows == counts.measure("quiet run=ping")
    assert [row.costs for row in rows[:: len(rows) // 3]] == [1.0, 0.5, 2.0]
    bare = [row for row in rows if row.style == "bare"]
    assert [row.to_bare for row in bare] == [1.0] * 3
    assert all(row.exits == 0 for row in bare)
    emulate = {row.costs: row for row in rows if row.style == "emulate"}
    assert emulate[0.5].to_bare < emulate[1].to_bare < emulate[2].to_bare


def test_places_are_the_engines_and_styles_of_this_hv() -> None:
    names = [place.name for place in places(styles_of("mix"), traps=True)]
    for engine in hv.Engine:
        assert {f"{engine} bare", f"{engine} emulate", f"{engine} pv"} <= set(
            names
        )
