"""What must be true, written to be read: an executable specification.

Nothing here imports the rest of hv but the numbers of its calls, and nothing in
the C core was derived from it: the two were written from the same sentences of
the RISC-V manual, so that where they disagree, one of them is wrong. The tests
use it as oracle.

- :mod:`hv.spec.mmu`: Sv32. What one access does, given the tables.
- :mod:`hv.spec.two_stage`: the same for a guest, with a second stage below.
- :mod:`hv.spec.p2m`: what a guest sees of its memory while pages are given
  back, shared and logged.
- :mod:`hv.spec.stale`: what an access may do while the tables change: between
  two fences, the old translation or the new one.
- :mod:`hv.spec.trv32`: what one instruction does. :mod:`hv.spec.hart` has the
  state, :mod:`hv.spec.fields` the encoding, :mod:`hv.spec.access` loads and
  stores, :mod:`hv.spec.csr` the registers of a kernel, :mod:`hv.spec.trap` the
  way into a handler and out.
- :mod:`hv.spec.calls`: what all calls of a kernel have in common;
  :mod:`hv.spec.sbi` and :mod:`hv.spec.sbi_legacy`: the standard ones;
  :mod:`hv.spec.hypercalls` and :mod:`hv.spec.memory_calls`: hv's own.
  :mod:`hv.spec.beneath` and :mod:`hv.spec.firmware`: who serves them;
  :mod:`hv.spec.pv`: the page by which a paravirtual kernel is told of traps.
- :mod:`hv.spec.frames` and :mod:`hv.spec.charges`: what frames and time must
  add up to. :mod:`hv.spec.sched`: who must get how much of it.
- :mod:`hv.spec.direct`: when a page is a table, and what may stand in it, where
  the machine walks a guest's own tables.

Where the RISC-V specification leaves a choice, TRV32 makes it, and the module
says so with the words "our choice".
"""

from hv.spec.direct import Answer, Tables
from hv.spec.mmu import (
    Access,
    AccessFault,
    Board,
    Mode,
    Outcome,
    PageFault,
    Pte,
    Translated,
    View,
    translate,
)
from hv.spec.stale import History

__all__ = [
    "Access",
    "AccessFault",
    "Answer",
    "Board",
    "History",
    "Mode",
    "Outcome",
    "PageFault",
    "Pte",
    "Tables",
    "Translated",
    "View",
    "translate",
]
