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
WORLDS, LINES = 3, (8, 24)  # of a family, at most; at least and at most


def _bytes(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size)


# Hypothesis likes to copy one part of an example over another of the same kind,
# five times of six: a program that was there already. It does so neither within
# a list of things that differ, nor where there is only one of a kind.
_heads = _bytes(chosen.COMMON + chosen.WORLD * WORLDS)
_extras = st.lists(st.tuples(_bytes(chosen.LINE)), max_size=2, unique=True)


def _lines(at_least: int, at_most: int) -> st.SearchStrategy[list[bytes]]:
    return st.lists(
        _bytes(chosen.LINE), min_size=at_least, max_size=at_most, unique=True
    )


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


def _bodies(
    of: Taste, lines: list[bytes], longest: int
) -> list[tuple[Record, ...]]:
    """Put lines together, up to each that is the last of a program."""
    bodies: list[tuple[Record, ...]] = []
    body: list[Record] = []
    for at, data in enumerate(lines, 1):
        records, more = of.line(data)
        body += records
        if not more or at == len(lines):
            bodies.append(tuple(body[:longest]))
            body = []
    return bodies


def _worlds(of: Taste, data: bytes, vary: tuple[Record, ...]) -> list[Program]:
    """Choose worlds, up to the first that is the last one."""
    heads: list[Program] = []
    for at in range(0, len(data), chosen.WORLD):
        one = data[at : at + chosen.WORLD]
        flags, world, seed = chosen.chosen_world(one, of.vms)
        twin = flags & ops.flags()["twin"]
        heads.append(
            Program(
                *(flags, world, of.features, seed), vary=vary if twin else ()
            )
        )
        if one[5] < chosen.LAST_WORLD:
            break
    return heads


def families(
    *, longest: int = LONGEST, lines: tuple[int, int] = LINES
) -> st.SearchStrategy[tuple[Program, ...]]:
    """Programs that share records: a few bodies, each in a few worlds.

    In the smallest family, no program has a record. A program that was found is
    executed on its own, whatever its family is.

    :param longest: how many records a body has at most.
    :param lines: of records, at least and at most: many are cheaper, few are
        easily made small.
    """

    def family(
        head: bytes, extras: list[tuple[bytes]], drawn: list[bytes]
    ) -> tuple[Program, ...]:
        of = chosen.chosen_taste(head)
        more = [data for (data,) in extras]
        # Of a twin, the first VM has the secrets. A state without page tables
        # is hardly one.
        varied = [taste(of.features, 1).line(data)[0] for data in more[:1]]
        paging = of.features | ops.features()["paging"]
        building = taste(paging, of.vms, builds=True)
        built = [building.line(data)[0] for data in more[1:] if head[4] >= 192]
        heads = _worlds(of, head[chosen.COMMON :], tuple(*varied)[:VARIED])
        return tuple(
            replace(head, build=tuple(*built), run=body)
            for body in _bodies(of, drawn, longest)
            for head in heads
        )

    return st.builds(family, _heads, _extras, _lines(*lines))


def programs(*, longest: int = 24) -> st.SearchStrategy[Program]:
    """Programs whose parts Hypothesis can shrink.

    :param longest: how many records they have at most, about.
    """
    few = families(longest=longest, lines=(1, 4))
    return few.map(lambda family: family[0])


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
