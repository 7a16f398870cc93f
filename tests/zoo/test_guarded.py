"""What a bugged core does to its process is an outcome, and no accident."""

import os
import signal

from hv.zoo.guarded import Died, guarded


def test_what_is_returned_comes_back() -> None:
    assert guarded(lambda: {"a": [1, 2]}) == {"a": [1, 2]}


def test_a_crash_is_told() -> None:
    died = guarded(lambda: os.kill(os.getpid(), signal.SIGSEGV))
    assert died == Died("the host process died: SIGSEGV")


def test_an_exception_is_no_answer() -> None:
    assert guarded(lambda: 1 // 0) == Died("exit status 1")


def test_nothing_is_an_answer() -> None:
    assert guarded(lambda: None) is None


def test_what_does_not_end_is_ended() -> None:
    died = guarded(lambda: any(iter(int, 1)), limit=1)
    assert died == Died("it did not end within 1 s")
