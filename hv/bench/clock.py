"""The clock of the benchmarks: processor time, where that can be had.

The time that a thread or a process had a processor for, not the time that
passed: what else the computer does then lengthens a run only by what it does
to caches. Linux tells it of another process, too. Elsewhere it is wall time,
for all.
"""

import sys
import time

CPU_TIME = sys.platform == "linux"
NAME = "processor time" if CPU_TIME else "wall time"

# See clock_getcpuclockid(3): the scheduler's clock of a process.
_SCHED = 2


def mine() -> int:
    """Return the nanoseconds of this thread."""
    return time.thread_time_ns() if CPU_TIME else time.perf_counter_ns()


def of(pid: int) -> int:
    """Return the nanoseconds of a process that is still there."""
    if not CPU_TIME:
        return time.perf_counter_ns()
    return time.clock_gettime_ns(~pid << 3 | _SCHED)
