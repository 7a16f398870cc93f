"""Every bug and every variant compiles, and is a core that can be loaded."""

from pathlib import Path

import pytest

from hv import zoo
from hv.zoo import builder
from tests.equivalence.core import Core, good_core

SAMPLE = ("M16", "S11", "D01")


def runs(library: Path) -> None:
    """Make a host and a VM, and take them down again."""
    core = Core(library)
    out = core.ffi.new("hv_host **")
    assert core.lib.hv_host_new(core.config(), out, core.ffi.NULL, 0) == 0
    core.lib.hv_host_free(out[0])


@pytest.mark.parametrize("name", SAMPLE)
def test_a_bug_compiles(name: str) -> None:
    path = zoo.build(name)
    assert path != zoo.sound()
    assert zoo.build(name) == path, "built again, it is the same"
    runs(path)


@pytest.mark.nightly
@pytest.mark.parametrize(
    "it", [*zoo.records(), *zoo.wheats()], ids=lambda it: it.id
)
def test_all_compile(it: zoo.Bug | zoo.Wheat) -> None:
    if isinstance(it, zoo.Wheat) and it.compiler not in builder.compilers():
        pytest.skip("no such compiler")
    runs(zoo.build(it))


def test_an_unchanged_core_is_the_one_the_tests_use() -> None:
    assert builder.build() == builder.build(builder.sources())
    assert good_core().lib


def test_a_compiler_that_is_not_there_is_named() -> None:
    with pytest.raises(zoo.BuildError, match="no C compiler 'tcc99'"):
        builder.build(compiler="tcc99")


def test_a_core_that_does_not_compile_says_why() -> None:
    files = builder.changed(
        "Z01", [zoo.Edit("hyp/hyp.c", "hyp->nr_vms = 0;", "nonsense")]
    )
    with pytest.raises(zoo.BuildError, match=r"hyp/hyp\.c:\d+"):
        builder.build(files)
