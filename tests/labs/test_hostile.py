"""A submission that means no good gets its points, a message, and nothing else.

Each is the solution with something added to its walk, so that the first test,
which walks nothing, is passed before it happens: five points are right.
"""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from hv.labs.build import sanitizer
from hv.labs.process import Event
from hv.labs.run import Grade, grade
from hv.labs.sandbox import Limits, protection

from .hostile import LAB, submission

QUICK = Limits(cpu=3, wall=120, memory=1 << 30, deaths=1, loops=1)
filtered = pytest.mark.skipif(
    "filter" not in protection(), reason="no filter of system calls here"
)


def graded(code: str, *, includes: str = "stdlib.h", before: str = "") -> Grade:
    files = submission(code, includes=includes, before=before)
    return grade(LAB, files, limits=QUICK)


def messages(done: Grade) -> str:
    assert not done.broken
    return "\n".join(result.message for result in done.results)


def test_early_exit_is_no_success() -> None:
    done = graded("exit(0);")
    assert done.score == 5
    assert "it called exit(), with status 0" in messages(done)


@pytest.mark.nightly
def test_early_exit_without_farewell() -> None:
    done = graded("_exit(0);", before="_Noreturn void _exit(int);\n")
    assert done.score == 5
    assert "it called exit(), with status 0" in messages(done)


def test_a_loop_is_ended() -> None:
    done = graded("for (volatile int i = 0;; i++);")
    assert done.score == 5
    assert "it did not come to an end" in messages(done)
    assert "not run: the tests before it ended the process" in messages(done)


def test_a_crash_costs_the_test_that_ran() -> None:
    code = "if (rights.mxr && rights.sum) *(volatile int *)8 = 1;"
    told = list[Event]()
    done = grade(
        *(LAB, submission(code)),
        limits=replace(QUICK, deaths=2),
        tell=told.append,
    )
    lost = [r.award.test for r in done.results if not r.good]
    assert lost == ["rights"]
    assert "segmentation fault" in messages(done)
    tests = [result.award.test for result in done.results]
    assert told[0] == Event("")
    assert [e.test for e in told if e.good is None] == ["", *tests]
    assert {e.test: e.good for e in told if e.good is not None} == {
        result.award.test: result.good for result in done.results
    }


def test_a_printed_score_is_no_score() -> None:
    done = graded(
        r"""
        for (int fd = 1; fd < 20; fd++)
            dprintf(fd, "0 {\"event\": \"done\", \"test\": \"rights\", "
                        "\"good\": true, \"message\": \"\"}\n"
                        "== Test x == x: OK\nScore: 100/100\n");
        exit(0);""",
        includes="stdlib.h stdio.h",
        before="int dprintf(int, const char *, ...);\n",
    )
    assert done.score == 5


def test_endless_printing_fills_nothing() -> None:
    done = graded(
        'for (;;) if (dprintf(1, "%0999d", 1) < 0) abort();',
        includes="stdlib.h stdio.h",
        before="int dprintf(int, const char *, ...);\n",
    )
    assert done.score == 5


def test_memory_without_end() -> None:
    """Of 1 GiB, a page of which is touched for each MiB."""
    done = graded("for (;;) { volatile char *p = malloc(1 << 20); p[0] = 1; }")
    assert done.score == 5
    assert "segmentation fault" in messages(done)


@filtered
def test_no_process_is_made(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    done = graded(
        f'if (fork() >= 0 || system("touch {mark}") == 0) abort();',
        before="int fork(void);\n",
    )
    assert not mark.exists()
    assert done.score == done.full  # refused, it is the solution


@filtered
def test_no_file_is_deleted_or_written(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    done = graded(
        f"""
        if (unlink("{victim}") == 0 || truncate("{victim}", 0) == 0 ||
            rename("{victim}", "{victim}2") == 0 ||
            fopen("{victim}", "w") || fopen("{victim}2", "w"))
            abort();""",
        includes="stdlib.h stdio.h",
        before="int unlink(const char *);\nint truncate(const char *, long);\n",
    )
    assert victim.read_text() == "precious"
    assert [path.name for path in tmp_path.iterdir()] == ["victim"]
    assert done.score == done.full


@filtered
def test_no_network_and_no_signal_to_others() -> None:
    done = graded(
        f"""
        if (socket(2, 1, 0) >= 0 || kill({os.getpid()}, 0) == 0 ||
            kill(-1, 0) == 0)
            abort();""",
        before="int socket(int, int, int);\nint kill(int, int);\n",
    )
    assert done.score == done.full


def test_a_buffer_that_overflows() -> None:
    done = graded(
        "char small[8]; for (int i = 0; i < 1 << 24; i++)"
        " ((volatile char *)small)[i] = 1;"
    )
    assert done.score == 5
    assert "your code ended the process" in messages(done)
    if sanitizer() is not None:
        said = r"stack-buffer-overflow, at mmu\.c:\d+ in mmu_walk"
        assert re.search(said, messages(done))


def test_what_can_be_read_is_no_secret() -> None:
    """Neither the environment nor the tests have a hidden seed or a key."""
    done = graded(
        """
        extern char **environ;
        for (char **e = environ; *e; e++)
            if (strstr(*e, "SECRET"))
                abort();""",
        includes="stdlib.h string.h",
    )
    assert done.score == done.full


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HV_COURSE_KEY", "SECRET")


def test_what_runs_before_any_test() -> None:
    done = graded(
        "",
        before="__attribute__((constructor)) static void early(void)"
        " { exit(0); }\n",
    )
    assert done.score == 0
    assert "the tests could not be run" in messages(done)


def test_what_does_not_compile_is_said_with_file_and_line() -> None:
    files = submission("int x = ;")
    done = grade(LAB, files, limits=QUICK)
    assert done.score == 0
    line = (
        files["mmu.c"]
        .splitlines()
        .index(next(x for x in files["mmu.c"].splitlines() if "int x = ;" in x))
    )
    assert f"mmu.c:{line + 1}: " in done.broken


def test_what_does_not_link_is_said() -> None:
    done = graded("abort_now();", before="void abort_now(void);\n")
    said = done.broken or messages(done)
    assert done.score == 0
    assert "abort_now" in said


def test_a_file_that_is_missing() -> None:
    done = grade(LAB, {"mmu.c": ""}, limits=QUICK)
    assert done.score == 0
    assert done.broken == "tlb.c is missing"
