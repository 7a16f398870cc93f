"""Lab 10, part A: what must hold of a host, whatever its guests do.

Every function whose name begins with check_ is called after each step of each
program of the workload. given/seen.py says what a step has. Numbers of
properties (P1, ...) are those of the book's chapter on isolation.
"""

from collections import Counter

from hv.labs.seen import FREE, HYP, SHARED, R, Step, V, W, X

# Operations that trap in user mode, so that the guest's kernel runs next.
PRIVILEGED = ("csr_write", "sret", "sfence", "set_satp")

# Cycles for one operation of a guest: two exits of EXIT_BOUND (hyp.h) each.
MOST_WORK = 24_000


# marker: break-counts
def check_counts(step: Step) -> str | None:
    """P3, P6: what is counted is there, what is promised is free."""
    host = step.now
    owners = Counter(frame.owner for frame in host.frames.values())
    for what, owner, counted in (
        ("free", FREE, host.free),
        ("the hypervisor's", HYP, host.hyp),
        ("shared", SHARED, host.shared),
    ):
        if owners[owner] != counted:
            return f"{counted} frames count as {what}; {owners[owner]} are"
    if host.reserved > host.free:
        return f"{host.reserved} frames are promised, {host.free} are free"
    for vm in host.vms.values():
        own = sum(host.frames[f].owner != SHARED for f in vm.p2m.values())
        if (vm.frames, vm.frames_own) != (len(vm.p2m), own):
            return (
                f"VM {vm.id} counts {vm.frames} frames, {vm.frames_own} its "
                f"own; its p2m has {len(vm.p2m)} and {own}"
            )
    named = Counter(f for vm in host.vms.values() for f in vm.p2m.values())
    named.update(p >> 10 for t in host.tables for p in t.entries.values())
    for number, times in named.items():
        if number in host.frames and host.frames[number].refs < times:
            return f"frame {number:#x} is named {times} times"
    return None


# marker: end


# marker: break-owners
def check_owners(step: Step) -> str | None:
    """P1, authority: a page is a frame of its VM alone, or a shared one."""
    for vm in step.now.vms.values():
        for gfn, number in vm.p2m.items():
            frame = step.now.frames.get(number)
            if frame is None:
                return f"page {gfn:#x} of VM {vm.id} is no frame: {number:#x}"
            if frame.owner == SHARED:
                continue
            if (frame.owner, frame.gfn) != (vm.id, gfn):
                return (
                    f"page {gfn:#x} of VM {vm.id} is frame {number:#x}, which "
                    f"is {frame.owner:#x}'s"
                )
    return None


# marker: end


# marker: break-shadows
def check_shadows(step: Step) -> str | None:
    """P7, P9, P38: a shadow maps what the p2m has, and writes what it may."""
    host = step.now
    for table in host.tables:
        if table.root:
            continue
        mine = set(host.vms[table.vm].p2m.values())
        for pte in table.entries.values():
            frame = host.frames.get(pte >> 10)
            if frame is None or frame.number not in mine:
                return f"a shadow of VM {table.vm} maps frame {pte >> 10:#x}"
            plain = frame.type == "plain" and not frame.traced
            if pte & W and (frame.owner == SHARED or not plain):
                return (
                    f"a shadow of VM {table.vm} can write to frame "
                    f"{frame.number:#x}, which is shared or a table"
                )
    return None


# marker: end


# marker: break-tlb
def check_tlb(step: Step) -> str | None:
    """P10: what the TLB knows and can be reached, a table says now."""
    host = step.now
    roots = {t.asid: t for t in host.tables if t.root and t.asid is not None}
    leaves = {t.frame: t for t in host.tables if not t.root}
    rights = {"fetch": X, "load": R | X, "store": W}
    for entry in host.tlb:
        root = roots.get(entry.asid)
        if root is None or entry.second:
            continue  # nobody can hit it before it is gone
        leaf = leaves.get(root.entries.get(entry.va >> 22, 0) >> 10)
        pte = leaf.entries.get(entry.va >> 12 & 1023, 0) if leaf else 0
        right = pte & V and pte & rights[entry.access]
        if pte >> 10 != entry.frame or not right:
            return f"the TLB still has {entry.access} at {entry.va:#x}"
    return None


# marker: end


# marker: break-others
def check_others(step: Step) -> str | None:
    """P15, context isolation: a guest's step changes no other's registers."""
    for vm in step.before.vms.values():
        now = step.now.vms.get(vm.id)
        if not step.actor or vm.id == step.actor or now is None:
            continue
        if now.cpus != vm.cpus:
            return f"VM {step.actor} acted, VM {vm.id} has other registers"
    return None


# marker: end


# marker: break-privilege
def check_privilege(step: Step) -> str | None:
    """P14, privilege: what only a kernel may do comes to the kernel."""
    vm = step.now.vms.get(step.actor)
    if vm is None or not vm.alive or step.kernel:
        return None
    if step.does in PRIVILEGED and vm.cpus[step.vcpu].mode != "S":
        return f"a user of VM {vm.id} did {step.does}, and is a user still"
    return None


# marker: end


# marker: break-work
def check_work(step: Step) -> str | None:
    """P25, bounded work: no operation of a guest takes the host for long."""
    spent = step.now.cycles - step.before.cycles
    if step.actor and spent > MOST_WORK:
        return f"{step.does} of VM {step.actor} took {spent} cycles"
    return None


# marker: end
