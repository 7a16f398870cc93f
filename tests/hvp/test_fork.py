"""Forks in programs: child and parent are alike, and apart from then on."""

from dataclasses import dataclass

import pytest

from tests.equivalence.core import Core, build, good_core, planted
from tests.hvp.programs import STYLES, Programs, edge, live, program, world

CHILD = 1  # the place of a VM that was destroyed to make room
PAGE, OTHER = 0x2000 | 1 << 5, 0x2000 | 2 << 5  # literals: of the window


def forked(p: Programs, style: str = "EMULATE", *, give: bool = False) -> bytes:
    """Return a program that forks, and has both write what both have."""
    give_back = [
        p.record("balloon_set", 4),
        p.record("balloon_give", live(3), 1),
    ]
    return program(
        [
            p.record("csr_write", live(4), edge(13)),
            p.record("store", PAGE, 2, live(8), kernel=False),
            *(give_back if give else []),
            p.record("destroy", vm=CHILD),
            p.record("fork"),
            p.record("load", PAGE, 2, vm=CHILD, kernel=False),
            p.record("store", PAGE, 2, live(4), kernel=False),
            p.record("load", PAGE, 2, vm=CHILD, kernel=False),
            p.record("amo", OTHER, live(4), vm=CHILD, kernel=False),
            p.record("load", OTHER, 2, kernel=False),
        ],
        world=world(style=style),
    )


@pytest.mark.parametrize("style", STYLES)
def test_a_child_has_what_its_parent_had(style: str) -> None:
    # That are words of another VM's memory, and no residue.
    p = Programs(good_core())
    data = forked(p, style)

    verdict = p.execute(data)

    assert verdict.property == "", verdict
    there = p.lib.hvp_vm_id(p.context, CHILD)
    assert bool(there) == (style != "DIRECT")  # which cannot be forked


def test_a_child_acts_in_a_place_that_was_empty() -> None:
    p = Programs(good_core())
    records = [p.record("fork"), p.record("csr_write", live(4), 5, vm=2)]
    data = program(records, world=world(vms=2, overcommit=True))

    assert p.execute(data).property == ""

    child = p.lib.hvp_vm_id(p.context, 2)
    assert child
    assert p.lib.hvp_actor_id(p.context) == child


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A bug of forks, and what a program says of it."""

    name: str
    text: str
    instead: str
    says: tuple[str, str]
    file: str = "api/fork.c"
    give: bool = False

    def core(self) -> Core:
        """Build the core that has it."""
        edit = planted(self.name, self.file, self.text, self.instead)
        return Core(build(edit))


MISTAKES = [
    Mistake(
        name="child-has-what-was-given-back",
        text="    if (!p2m_has(parent, gfn))\n"
        "        p2m_give(child, NULL, &gfn.raw, 1);\n",
        instead="",
        says=("P35", "is in another state"),
        give=True,
    ),
    Mistake(
        name="child-forgets-a-register",
        file="api/image_vm.c",
        text="        .sscratch = csr->sscratch,\n",
        instead="",
        says=("P35", "is in another state"),
    ),
    Mistake(
        name="parent-changes",
        text="    *id = child->id;\n",
        instead="    parent->vcpu[0].csr.sscratch = 0;\n    *id = child->id;\n",
        says=("P38", "was forked, and has another state"),
    ),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
def test_a_program_finds(mistake: Mistake) -> None:
    p = Programs(mistake.core())
    data = forked(p, "PV" if mistake.give else "EMULATE", give=mistake.give)
    assert Programs(good_core()).execute(data).property == ""

    verdict = p.execute(data)

    assert verdict.property == mistake.says[0]
    assert mistake.says[1] in verdict.what
