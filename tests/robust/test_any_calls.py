"""Any call of hv.h on any host, in any order: an answer, and no harm."""

from hypothesis import given
from hypothesis import strategies as st

from tests.equivalence.core import good_core
from tests.robust.anycall import NEVER, Calls, functions

names = sorted(set(functions()) - NEVER)
numbers = st.lists(st.integers(0, 2**32 - 1), max_size=12)
programs = st.lists(
    st.tuples(st.sampled_from(names), numbers), min_size=1, max_size=40
)


def test_every_function_is_known() -> None:
    assert len(names) > 60
    assert {"hv_run", "hv_lockstep_batch", "hv_dirty_fetch"} <= set(names)


@given(programs)
def test_any_calls(program: list[tuple[str, list[int]]]) -> None:
    calls = Calls(good_core())
    lib, ffi = calls.lib, calls.ffi
    try:
        for name, arguments in program:
            before = calls.hashes()
            hosts = list(calls.hosts)
            status = calls.call(name, arguments)
            known = {None, *range(lib.HV_ERR_IMAGE + 1)} - {lib.HV_ERR_BROKEN}
            assert status in known, name
            if status not in (None, lib.HV_OK) and hosts == calls.hosts:
                assert calls.hashes() == before, f"{name} failed, and yet"
        for host in calls.hosts:
            why = ffi.new("char[]", 200)
            lib.hv_fail_alloc(host, 0)  # the audit needs memory, too
            assert lib.hv_audit(host, why, 200) == lib.HV_OK, ffi.string(why)
    finally:
        calls.close()
