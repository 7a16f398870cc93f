"""A campaign comes to the same, whoever does it and however often it stops."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from hv.errors import HvError, UsageError
from hv.fuzz import decode
from hv.fuzz.campaign import Campaign, Settings, run, strategies_named
from hv.fuzz.corpus import entries
from hv.fuzz.native import generate
from hv.fuzz.piece import Finding, Result, Task, run_task
from hv.fuzz.pool import Dask, Here, Processes, Runner
from hv.fuzz.show import summary
from hv.fuzz.verdict import Key
from tests.fuzz.cores import fake_core
from tests.fuzz.fake import find

EXECS = 2500
ALL = ("g1", "g3", "g5")


def settings(**changed: object) -> Settings:
    """Return the settings of a small campaign against the fake core."""
    usual = {"strategies": ALL, "core": fake_core(), "piece": 256}
    return Settings(**usual | changed)  # type: ignore[arg-type]


@contextmanager
def closing(runner: Runner) -> Iterator[Runner]:
    try:
        yield runner
    finally:
        runner.close()


def outcome(folder: Path) -> dict[str, bytes]:
    """Return all that a campaign has left."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def complete(folder: Path, runner: Runner, **changed: object) -> Campaign:
    campaign = Campaign.open(settings(**changed), folder)
    with closing(runner):
        run(campaign, runner, execs=EXECS)
    return campaign


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("reference")
    campaign = complete(folder, Here())
    assert campaign.sums.executed == EXECS
    assert set(campaign.findings) == {("P2", "balloon_give"), ("P7", "load")}
    return outcome(folder)


@pytest.mark.parametrize("workers", [1, 2])
def test_the_number_of_workers_is_no_matter(
    tmp_path: Path, reference: dict[str, bytes], workers: int
) -> None:
    complete(tmp_path, Processes(workers))
    assert outcome(tmp_path) == reference


def test_a_lost_worker_loses_nothing(
    tmp_path: Path, reference: dict[str, bytes]
) -> None:
    pool = Processes(2)
    lost: list[int] = []

    def kill_one(_campaign: Campaign, _new: list[Finding]) -> None:
        victim = pool.pids[0]
        if victim not in lost and len(lost) < 3:
            lost.append(victim)
            os.kill(victim, signal.SIGKILL)

    with closing(pool):
        campaign = Campaign.open(settings(), tmp_path)
        run(campaign, pool, execs=EXECS, watch=kill_one)
    assert lost
    assert outcome(tmp_path) == reference


def test_a_cluster_comes_to_the_same(
    tmp_path: Path, reference: dict[str, bytes]
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        processes=False,
        dashboard_address=None,
    ) as cluster:
        complete(tmp_path, Dask(cluster.scheduler_address))
    assert outcome(tmp_path) == reference


def test_no_cluster_is_there() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(UsageError, match=r"--dask tcp://127\.0\.0\.1:1"):
        Dask("tcp://127.0.0.1:1", timeout="1s")


def test_it_goes_on_where_it_was_left(
    tmp_path: Path, reference: dict[str, bytes]
) -> None:
    for _ in range(3):
        pieces = 0

        def enough() -> bool:
            nonlocal pieces
            pieces += 1
            return pieces > 2

        run(
            Campaign.open(settings(), tmp_path),
            Here(),
            execs=EXECS,
            enough=enough,
        )
        assert outcome(tmp_path) != reference
    complete(tmp_path, Here())
    assert outcome(tmp_path) == reference
    complete(tmp_path, Here())  # there is nothing left to do
    assert outcome(tmp_path) == reference


def test_one_that_is_interrupted_keeps_what_it_has(
    tmp_path: Path, reference: dict[str, bytes]
) -> None:
    def interrupt(_campaign: Campaign, _new: list[Finding]) -> None:
        raise KeyboardInterrupt

    for _ in range(2):
        campaign = Campaign.open(settings(), tmp_path)
        with closing(Processes(2)) as pool, pytest.raises(KeyboardInterrupt):
            run(campaign, pool, execs=EXECS, watch=interrupt)
    complete(tmp_path, Here())
    assert outcome(tmp_path) == reference


def test_findings_are_kept_short_and_can_be_read(tmp_path: Path) -> None:
    campaign = complete(tmp_path, Here())
    kept = list(entries(tmp_path))
    assert len(kept) == 2
    for entry in kept:
        assert len(entry.program.records) == 2
        assert entry.note["times"] > 1
        key = Key(entry.note["property"], entry.note["op"])
        assert decode(campaign.findings[key].data) == entry.program
    assert summary(campaign).count("times]") == 2


def fatal(seed: int) -> bool:
    """Tell whether the fake core does not survive this program of g3."""
    records = decode(generate("g3", seed)).records
    names = [record.row.name for record in records]
    broken = [find(decode(generate("g3", seed)), *pair) for pair in FATAL]
    first = min((at for at in broken if at is not None), default=-1)
    return first >= 0 and first == broken[0] and names[first] == "fork"


FATAL = (("share", "fork"), ("unmap", "load"), ("pin", "balloon_give"))


@pytest.mark.parametrize("how", ["crash", "hang"])
def test_a_program_that_ends_its_worker_is_a_finding(how: str) -> None:
    first = next(
        s for s in count(100) if sum(map(fatal, range(s, s + 40))) == 1
    )
    task = Task(strategy="g3", first=first, count=40, core=fake_core(how))
    with closing(Processes(2, patience=1.0 if how == "hang" else 60.0)) as pool:
        pool.submit(task)
        (result,) = pool.results()
    assert result.sums.executed == 40
    found = result.findings.pop(Key("P27", "crash"))
    assert fatal(found.seed)
    assert found.times == 1
    assert f"exit status {-6 if how == 'crash' else -9}" in found.what
    others = run_task(replace(task, core=fake_core()))
    assert set(result.findings) == set(others.findings)


def test_results_can_be_added_in_any_order() -> None:
    parts = [
        run_task(Task(strategy="g3", first=first, count=64, core=fake_core()))
        for first in (0, 64, 128)
    ]
    sums = []
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        whole = Result(task=parts[0].task)
        for i in order:
            whole.add(parts[i])
        sums.append((whole.sums, sorted(whole.findings.values(), key=str)))
    assert sums[0] == sums[1] == sums[2]


def test_a_folder_belongs_to_one_campaign(tmp_path: Path) -> None:
    complete(tmp_path, Here())
    with pytest.raises(UsageError, match="a campaign with seed 0, not 1"):
        Campaign.open(settings(seed=1), tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"settings": {}}', "\0", '{"settings": 3}']
)
def test_a_damaged_state_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(UsageError, match="no state of a campaign"):
        Campaign.open(settings(), tmp_path)


def test_a_worker_says_what_it_cannot_do(tmp_path: Path) -> None:
    task = Task(strategy="g3", first=0, count=1, core=str(tmp_path / "x.so"))
    with closing(Processes(1)) as pool:
        pool.submit(task)
        with pytest.raises(HvError, match=r"x\.so: not a core of hv"):
            list(pool.results())


def test_strategies_by_name() -> None:
    assert strategies_named("all") == ("g0", "g1", "g2", "g3", "g4", "g5")
    assert strategies_named("g1,g4") == ("g1", "g4")
    with pytest.raises(UsageError, match="no strategy 'g7'"):
        strategies_named("g1,g7")


@pytest.mark.parametrize(
    "wrong", [{"seed": -1}, {"seed": 1 << 20}, {"piece": 0}, {"strategies": ()}]
)
def test_settings_have_bounds(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        settings(**wrong)
