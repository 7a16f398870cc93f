"""Hypothesis strategies for hypervisor programs.

:func:`programs` draws what the generator's g3 draws, record by record, so that
Hypothesis can shrink it; :func:`families` are several that have their records
in common, which is cheaper; :func:`generated` is the generator in C, by seed;
:func:`raw_programs` is any bytes at all.

A draw costs Hypothesis as much as a core needs for several operations, whatever
is drawn. So a draw is a line of a few records, as bytes; what they mean is said
by :mod:`hv.fuzz.chosen`.
"""

from dataclasses import replace

from hypothesis import strategies as st

from hv.fuzz import chosen, ops
from hv.fuzz.chosen import Taste, taste
from hv.fuzz.format import DEFAULT_FEATURES, Program, Record, decode
from hv.fuzz.native import generate

RIGHTS = (0x03, 0x07, 0x0B, 0x0F, 0xC7, 0xCF, 0xD3, 0xD7, 0xDF, 0x57)
LONGEST = 64
VARIED = 6  # records that only the second run of a twin does
WORLDS, BODIES = 3, 16  # of a family


def _bytes(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


_lines = _bytes(chosen.LINE)
_worlds = _bytes(chosen.WORLD)
_commons = _bytes(chosen.COMMON)


def actors(vms: int = 4) -> st.SearchStrategy[int]:
    """Who does it: mostly the kernel of a first vCPU."""
    return st.integers(0, 255).map(lambda n: chosen.chosen_actor(n, vms))


def records(
    *, builds: bool = False, features: int = DEFAULT_FEATURES, vms: int = 4
) -> st.SearchStrategy[Record]:
    """Single operations, by the weights of the table.

    :param builds: only those that may build a state.
    :param features: only those that one of these bits allows.
    """
    of = taste(features, vms, builds=builds)
    return _bytes(chosen.SLOT).map(of.record)


def _body(
    draw: st.DrawFn, of: Taste, longest: int
) -> tuple[tuple[Record, ...], bool]:
    """Draw lines, and whether another body follows."""
    body: list[Record] = []
    more = True
    data = b""
    while more and len(body) < longest:
        data = draw(_lines)
        line, more = of.line(data)
        body += line
    return tuple(body[:longest]), data[1] >= chosen.LAST_BODY


def _built(draw: st.DrawFn, of: Taste) -> tuple[Record, ...]:
    """Draw what builds a state; one without page tables is hardly one."""
    paging = of.features | ops.features()["paging"]
    building = taste(paging, of.vms, builds=True)
    return tuple(building.line(draw(_lines))[0])


def _head(draw: st.DrawFn, of: Taste) -> tuple[Program, bool]:
    """Draw a world, and what a twin varies there; and whether to go on."""
    data = draw(_worlds)
    flags, world, seed = chosen.chosen_world(data, of.vms)
    head = Program(flags, world, of.features, seed)
    if flags & ops.flags()["twin"]:  # the first VM has the secrets
        varied, _ = taste(of.features, 1).line(draw(_lines))
        head = replace(head, vary=tuple(varied[:VARIED]))
    return head, data[5] >= chosen.LAST_WORLD


@st.composite
def families(draw: st.DrawFn, *, longest: int = LONGEST) -> tuple[Program, ...]:
    """Programs that share records: a few bodies, each in a few worlds.

    The smallest family is one program. All can be executed on their own.

    :param longest: how many records a body has at most.
    """
    common = draw(_commons)
    of = chosen.chosen_taste(common)
    heads: list[Program] = []
    bodies: list[tuple[Record, ...]] = []
    more = True
    while more and len(heads) < WORLDS:
        head, more = _head(draw, of)
        heads.append(head)
    built = _built(draw, of) if common[4] >= 224 else ()
    more = True
    while more and len(bodies) < BODIES:
        body, more = _body(draw, of, longest)
        bodies.append(body)
    return tuple(
        replace(head, build=built, run=body)
        for body in bodies
        for head in heads
    )


def programs(*, longest: int = 24) -> st.SearchStrategy[Program]:
    """Programs whose parts Hypothesis can shrink.

    :param longest: how many records they have at most, about.
    """
    return families(longest=longest).map(lambda family: family[0])


def generated(
    strategies: tuple[str, ...] = ops.STRATEGIES,
) -> st.SearchStrategy[Program]:
    """Programs of the generator in C; they shrink to a smaller seed alone."""
    return st.builds(
        lambda strategy, seed: decode(generate(strategy, seed)),
        st.sampled_from(strategies),
        st.integers(0, (1 << 64) - 1),
    )


def raw_programs(*, longest: int = 256) -> st.SearchStrategy[bytes]:
    """Any bytes, sometimes with the magic: every string is a program."""
    magic = st.binary(max_size=longest).map(lambda data: b"HVP1" + data)
    return st.binary(max_size=longest) | magic
