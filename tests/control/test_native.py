"""The seam to C: the stub names what there is, the builder finds it all."""

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

import hv
from hv import core
from hv.core import lib
from hv.facts import FrameType, Role, ShadowKind
from hv.units import TICKS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "_build", ROOT / "hv" / "_build.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stub_names_what_the_core_has() -> None:
    tree = ast.parse((ROOT / "hv" / "_native.pyi").read_text())
    (stub,) = (
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "_Lib"
    )
    functions, constants = set(), set()
    for node in stub.body:
        if isinstance(node, ast.FunctionDef):
            functions.add(node.name)
        elif isinstance(node, ast.AnnAssign):
            assert isinstance(node.target, ast.Name)
            constants.add(node.target.id)
    assert functions == {n for n in dir(lib) if n.startswith(("hv_", "hvp_"))}
    assert constants <= set(dir(lib))


def test_the_builder_leaves_machine_code_out(builder: ModuleType) -> None:
    sources = builder.sources()
    assert "csrc/api/run.c" in sources
    assert all((ROOT / source).is_file() for source in sources)
    assert not any("bare" in s or "_code" in s for s in sources)
    assert "csrc/abi/costs.def" in builder.headers()


def test_every_enumeration_of_the_api_is_complete() -> None:
    for prefix, kind in {
        "HV_ENGINE_": hv.Engine,
        "HV_PROFILE_": hv.Profile,
        "HV_STYLE_": hv.Style,
        "HV_VM_": hv.State,
        "HV_RUN_": hv.RunReason,
        "HV_POLICY_": hv.Policy,
        "HV_RUNSTATE_": hv.Runstate,
        "HV_FRAME_": FrameType,
        "HV_SHADOW_": ShadowKind,
        "HV_ROLE_": Role,
    }.items():
        names = {n for n in dir(lib) if n.startswith(prefix)}
        assert names == {prefix + member.name for member in kind}


def test_a_tick_is_that_of_the_machine() -> None:
    assert TICKS == lib.TIMEBASE_HZ


def test_every_status_has_an_exception() -> None:
    for name in dir(lib):
        if name.startswith("HV_ERR_"):
            with pytest.raises(hv.HvError) as caught:
                core.check(getattr(lib, name), "testing")
            assert str(caught.value).startswith("testing: ")
            bug = name in ("HV_ERR_AUDIT", "HV_ERR_BROKEN")
            assert isinstance(caught.value, hv.HypervisorBug) == bug


def test_names_and_docs_of_counters_and_costs() -> None:
    for group in (lib.HV_COUNTERS_HART, lib.HV_COUNTERS_VM):
        names = core.counter_names(group)
        assert len(set(names)) == len(names) > 5
        assert all(core.counter_docs(group).values())
    assert core.cost_names()[0] == "insn"


def test_every_public_name_can_be_imported() -> None:
    for name in hv.__all__:
        assert getattr(hv, name).__doc__
    with pytest.raises(AttributeError):
        hv.nothing  # noqa: B018
