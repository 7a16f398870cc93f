"""A virtual machine: a guest with memory of its own, under the hypervisor."""

from collections.abc import Iterable

from hv import inside, sched, snapshots
from hv.core import ffi, from_c, lib, to_c
from hv.facts import (
    U32,
    Balloon,
    BalloonState,
    Real,
    Shadow,
    Style,
    Sync,
    choose,
    integer,
)
from hv.guest import Guest
from hv.sched import Schedule, VcpuInfo
from hv.units import parse_size


class VM(Guest):
    """One VM. :meth:`hv.Hypervisor.create` makes it."""

    def change_style(self, style: str) -> None:
        """Virtualize it in another way from here on; its guest cannot tell.

        :param style: one of :class:`hv.Style` that its kernel is made for.
        :raises UsageError: if its kernel is not made for that style.
        """
        self.host.checked(
            f"changing the style of {self.name}",
            lib.hv_vm_set_style,
            self.number,
            to_c("HV_STYLE_", choose(Style, style, "style")),
        )

    def change_sync(self, sync: str) -> None:
        """Let its shadows follow its page tables in another way.

        :param sync: one of :class:`hv.Sync`.
        :raises UsageError: for ``told``, if its kernel does not tell.
        """
        self.host.checked(
            f"changing how the shadows of {self.name} follow",
            lib.hv_vm_set_sync,
            self.number,
            to_c("HV_SYNC_", choose(Sync, sync, "sync")),
        )

    @property
    def schedule(self) -> Schedule:
        """What the scheduler is to do for it."""
        return sched.get(self.host, self.number, self.name)

    def change_schedule(
        self,
        *,
        weight: int | None = None,
        cap: int | None = None,
        budget: int | None = None,
        period: int | None = None,
        gang: bool | None = None,
    ) -> None:
        """Let the scheduler do something else for it from here on.

        Only what is named changes; see :class:`hv.Schedule`.

        :raises UsageError: if a value is out of range, or the policy cannot
            promise so much.
        """
        new = self.schedule.changed(
            weight=weight, cap=cap, budget=budget, period=period, gang=gang
        )
        sched.change(self.host, self.number, self.name, new)

    def pin(self, vcpu: int, harts: Iterable[int] | None) -> None:
        """Let a vCPU run on some harts only.

        :param harts: their numbers; None is all there are.
        :raises UsageError: if there is no such vCPU or hart, or the policy has
            given it another for good.
        """
        integer("vcpu", vcpu, 0, len(self.cpu) - 1)
        sched.pin(self.host, self.number, self.name, vcpu, harts)

    @property
    def vcpus(self) -> tuple[VcpuInfo, ...]:
        """What each of its vCPUs is doing, and what it got."""
        return tuple(
            sched.vcpu_info(self.host, self.number, self.name, vcpu)
            for vcpu in range(len(self.cpu))
        )

    def pause(self) -> None:
        """Do not schedule it until :meth:`resume`.

        :raises UsageError: if it has ended or is paused already.
        """
        self.host.checked(f"pausing {self.name}", lib.hv_vm_pause, self.number)

    def resume(self) -> None:
        """Let it run again after :meth:`pause`.

        :raises UsageError: if it is not paused.
        """
        self.host.checked(
            f"resuming {self.name}", lib.hv_vm_resume, self.number
        )

    def to_bytes(self) -> bytes:
        """Return all of its state, as :meth:`save` writes it to a file.

        It stands still for that, and loses what is in its shadow tables and
        the TLB; it and what is restored from here have the same future.

        :raises UsageError: if it is of style ``direct``.
        """
        self.host.give_input()
        return snapshots.image_of(
            self.host, f"saving {self.name}", lib.hv_vm_save, self.number
        )

    def save(self, path: snapshots.Place) -> None:
        """Write its state to a file, which is there as a whole or not at all.

        :raises UsageError: if it is of style ``direct``.
        :raises HvError: if the file cannot be written; one that was there
            before is then untouched.
        """
        snapshots.write_whole(path, self.to_bytes())

    def destroy(self) -> None:
        """Pull the plug: end it now and give its memory back.

        What it printed stays readable; everything else raises from now on.

        :raises ClosedError: if it was destroyed already.
        """
        self.host.drain()
        self.host.checked(
            f"destroying {self.name}", lib.hv_vm_destroy, self.number
        )
        self.host.consoles.pop(self.number, None)

    def set_balloon(self, target: int | str) -> None:
        """Set how much memory it is to have; its driver gives the rest back.

        :param target: bytes, rounded up to pages; at most all.
        :raises UsageError: if that is nothing or more than it was made with,
            or if its style needs its frames to stay where they are.
        """
        pages = -(-parse_size(target) // lib.PAGE_SIZE)
        self.host.checked(
            f"the balloon of {self.name}",
            lib.hv_balloon_set,
            self.number,
            integer("target (in pages)", pages, 0, U32),
        )

    @property
    def balloon(self) -> Balloon:
        """How much memory it is to have, and has.

        :raises UsageError: if its style has no balloon.
        """
        out = ffi.new("struct hv_balloon *")
        self.host.checked(
            f"the balloon of {self.name}", lib.hv_balloon_info, self.number, out
        )
        return Balloon(
            target=out.target * lib.PAGE_SIZE,
            asked=out.asked * lib.PAGE_SIZE,
            actual=out.actual * lib.PAGE_SIZE,
            state=from_c("HV_BALLOON_", BalloonState, out.state),
        )

    def start_log(self) -> None:
        """Note from here on which pages of its memory change.

        A VM of style ``direct`` runs on shadows of its tables until
        :meth:`stop_log`; any other goes on as before.

        :raises UsageError: if that is so already.
        """
        self.host.checked(
            f"logging {self.name}", lib.hv_dirty_start, self.number
        )

    def fetch_log(self) -> list[int]:
        """Return the guest frames that changed since the last call or start.

        Whoever wrote: the guest, its page tables' A and D bits, a device, the
        hypervisor in its name, or :meth:`hv.Memory.write`.

        :raises UsageError: if nothing is logged.
        """
        pages = self.info.mem_size // lib.PAGE_SIZE
        first = lib.RAM_BASE // lib.PAGE_SIZE
        size = (pages + 7) // 8
        out, count = ffi.new("uint8_t[]", size), ffi.new("uint32_t *")
        self.host.checked(
            f"the log of {self.name}",
            lib.hv_dirty_fetch,
            *(self.number, out, size, count),
        )
        return [first + n for n in range(pages) if out[n // 8] >> n % 8 & 1]

    def stop_log(self) -> None:
        """Note no longer which pages change.

        :raises UsageError: if nothing is logged.
        """
        self.host.checked(
            f"logging {self.name}", lib.hv_dirty_stop, self.number
        )

    def frame_of(self, gfn: int) -> int | None:
        """Return the machine frame behind a guest frame; None if untouched.

        :raises UsageError: if the guest has no such frame.
        """
        integer("gfn", gfn, 0, U32)
        out = ffi.new("uint32_t *")
        self.host.checked(
            f"guest frame {gfn:#x}", lib.hv_p2m, self.number, gfn, out
        )
        return None if out[0] == U32 else int(out[0])

    def shadows(self) -> list[Shadow]:
        """Return its shadow tables that are in use, in its pool's order."""
        return inside.shadows(self.host, self.number)

    def real(self, vcpu: int = 0) -> Real:
        """Return what a vCPU really runs with, whatever its guest believes.

        :raises UsageError: if there is no such vCPU.
        """
        integer("vcpu", vcpu, 0, len(self.cpu) - 1)
        return inside.real(self.host, self.number, vcpu)

    def __repr__(self) -> str:
        """Show its number, name and state."""
        return f"<VM {self.number} {self.name!r}: {self.state}>"
