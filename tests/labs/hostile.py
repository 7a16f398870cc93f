"""Submissions that mean no good: C put into the solution's page walk."""

from hv.labs import cut
from hv.labs.spec import find

LAB = find(1)
_HEAD = "void mmu_walk(const struct machine *m, uint32_t satp, uint64_t va,"
_BODY = "uint32_t table = satp & SATP_PPN_MASK;\n"


def submission(
    code: str, *, includes: str = "", before: str = ""
) -> dict[str, str]:
    """Return the solution, with code that each of its walks runs first.

    :param includes: the headers that it needs.
    :param before: functions of its own.
    """
    files = cut.solution(LAB)
    text = files["mmu.c"]
    # The prototypes that -std=c11 hides are written out by who needs them.
    heads = "".join(f"#include <{name}>\n" for name in includes.split())
    mark = '#include "machine/mmu.h"\n'
    assert text.count(mark) == text.count(_HEAD) == text.count(_BODY) == 1
    text = text.replace(mark, f"{mark}{heads}{before}")
    text = text.replace(_BODY, _BODY + code)
    files["mmu.c"] = text
    return files
