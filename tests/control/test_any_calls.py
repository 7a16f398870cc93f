"""Any calls in any order, with any numbers: an answer or an exception."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

import hv
from tests.control import programs as p
from tests.control.elfs import words

RAM = 0x80000000
SIZE = 6 << 20
CODE = words([*p.say("x"), *p.count(50), *p.off()])
SPIN = words(p.SPIN)

addresses = st.sampled_from(
    [0, 1, 4, RAM - 4, RAM, RAM + 1, RAM + SIZE - 4, RAM + SIZE, 2**32 - 1,
     2**32, -1]
) | st.integers(0, 2**32)  # fmt: skip
small = st.integers(-1, 9)
words32 = st.sampled_from([0, 1, 2**31, 2**32 - 1]) | st.integers(0, 2**32)
registers = st.sampled_from(
    ["pc", "a0", "sp", "sstatus", "satp", "stvec", "sepc", "scause", "sie",
     "sip", "mstatus", "time", "cycle", 0x100, 0x7C0, 0xFFF]
)  # fmt: skip

Op = tuple[str, int, tuple[object, ...]]


def op(name: str, *args: st.SearchStrategy[object]) -> st.SearchStrategy[Op]:
    return st.tuples(st.just(name), st.integers(0, 3), st.tuples(*args))


ops = st.one_of(
    op("create", st.sampled_from(["emulate", "pv", "direct"]), small),
    op("destroy"),
    op("boot", addresses, words32),
    op("start"),
    op("pause"),
    op("resume"),
    op("run", st.integers(1, 500)),
    op("step", small),
    op("break", addresses),
    op("read", addresses, st.sampled_from([0, 1, 4, 4096, SIZE, 2**31])),
    op("write", addresses, st.binary(max_size=8)),
    op("get", registers),
    op("set", registers, words32),
    op("translate", addresses, st.sampled_from(list(hv.Access))),
    op("send", st.binary(max_size=20)),
    op("look"),
    op("walk", addresses, st.sampled_from(list(hv.Access)), small),
    op("table", small),
    op("schedule", small, words32, small, st.booleans()),
    op("pin", small, st.none() | st.lists(small, max_size=3)),
    op("slots", small, words32),
    op("watched run", st.integers(1, 500), st.sampled_from([1023, 1024])),
)

Call = Callable[..., object]


def _start(vm: hv.VM) -> None:
    vm.mem.write(RAM, CODE)
    vm.mem.write(RAM + 0x1000, SPIN)
    vm.boot(RAM)


ONLY_VMS = (
    *("create", "destroy", "pause", "resume", "look"),
    *("schedule", "pin", "slots", "watched run"),
)

CALLS: dict[str, Call] = {
    "destroy": lambda vm: vm.destroy(),
    "boot": lambda vm, entry, a1: vm.boot(entry, a1),
    "start": _start,
    "pause": lambda vm: vm.pause(),
    "resume": lambda vm: vm.resume(),
    "run": lambda vm, n: vm.run(n),
    "step": lambda vm, vcpu: vm.step(vcpu),
    "break": lambda vm, pc: vm.breakpoints.add(pc),
    "read": lambda vm, at, size: vm.mem.read(at, size),
    "write": lambda vm, at, data: vm.mem.write(at, data),
    "get": lambda vm, reg: vm.cpu[-1].reg(reg),
    "set": lambda vm, reg, value: vm.cpu[-1].set_reg(reg, value),
    "translate": lambda vm, va, access: vm.translate(va, access),
    "send": lambda vm, data: vm.console.send(data),
    "look": lambda vm: (
        *(vm.info, vm.reason, vm.counters, vm.frame_of(0x80000)),
        *(vm.shadows(), vm.real()),
    ),
    "walk": lambda vm, gva, access, vcpu: hv.walk(vm, gva, access, vcpu).text,
    "table": lambda vm, vcpu: hv.page_table(vm, vcpu).text,
    "schedule": lambda vm, cap, weight, budget, gang: vm.change_schedule(
        cap=cap, weight=weight, budget=budget, period=9 * budget, gang=gang
    ),
    "pin": lambda vm, vcpu, harts: (vm.pin(vcpu, harts), vm.vcpus),
}


@given(st.lists(ops, max_size=40))
def test_any_calls(todo: list[Op]) -> None:
    with hv.Hypervisor(ram="24MiB") as hypervisor:
        vms: list[hv.VM] = []
        for name, which, args in todo:
            with suppress(hv.UsageError, hv.GuestError):
                if name == "create":
                    style, vcpus = args
                    vms.append(
                        hypervisor.create(
                            mem=SIZE, style=str(style), vcpus=int(str(vcpus))
                        )
                    )
                elif name == "slots":
                    row, ticks = args
                    vm = vms[which % len(vms)] if vms and row else None
                    hypervisor.slots([(vm, int(str(ticks)))])
                elif name == "watched run":
                    insns, capacity = map(int, map(str, args))
                    with hypervisor.watch(capacity=capacity) as watch:
                        hypervisor.run(insns)
                    assert [*watch.events, *hypervisor.harts]
                elif vms:
                    CALLS[name](vms[which % len(vms)], *args)
            hypervisor.audit()
        assert hv.frame_map(hypervisor).count == hypervisor.info.frames
        for vm in hypervisor.vms:
            vm.destroy()
        info = hypervisor.info
        assert info.frames_free == info.frames - info.frames_hyp
        hypervisor.audit()


@given(st.lists(ops, max_size=40))
def test_any_calls_on_the_bare_machine(todo: list[Op]) -> None:
    with hv.Machine(ram=SIZE) as machine:
        for name, _, args in todo:
            if name in ONLY_VMS:
                continue
            with suppress(hv.UsageError, hv.GuestError):
                CALLS[name](machine, *args)
