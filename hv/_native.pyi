# What cffi makes of csrc/include/hv.h. `Any` ends here: a CData is opaque to
# every module but core, host and guest. A test compares the names with C's.

from collections.abc import Callable
from typing import Any, TypeAlias

CData: TypeAlias = Any

class _FFI:
    NULL: CData
    def new(self, ctype: str, init: object = ..., /) -> CData: ...
    def string(self, cdata: CData, maxlen: int = ..., /) -> bytes: ...
    def buffer(self, cdata: CData, size: int = ..., /) -> memoryview: ...
    def from_buffer(self, data: object, /) -> CData: ...
    def gc(
        self,
        cdata: CData,
        destructor: Callable[[CData], None] | None,
        size: int = ...,
    ) -> CData: ...
    def release(self, cdata: CData, /) -> None: ...

class _Lib:
    # Enumerators that are used by name; others are reached by core.to_c().
    HV_OK: int
    HV_ERR_INVALID: int
    HV_ERR_NO_MEMORY: int
    HV_ERR_NO_VM: int
    HV_ERR_ADDRESS: int
    HV_ERR_STATE: int
    HV_ERR_UNSUPPORTED: int
    HV_ERR_AUDIT: int
    HV_ERR_BROKEN: int
    HV_REG_PC: int
    HV_REG_PRIV: int
    HV_REG_CSR: int
    HV_COUNTERS_HART: int
    HV_COUNTERS_VM: int
    HV_NONE: int
    HV_OWNER_FREE: int
    HV_OWNER_HYP: int
    PRIV_U: int
    PRIV_S: int
    PRIV_M: int
    RAM_BASE: int
    KERNEL_BASE: int
    PAGE_SIZE: int
    TEST_BASE: int
    TEST_SIZE: int
    TEST_PASS: int
    TEST_RESET: int
    CLINT_BASE: int
    CLINT_SIZE: int
    PLIC_BASE: int
    PLIC_SIZE: int
    UART_BASE: int
    UART_SIZE: int
    UART_IRQ: int
    IRQ_MSI: int
    IRQ_MTI: int
    IRQ_SEI: int
    IRQ_MEI: int
    TIMEBASE_HZ: int
    MAX_HARTS: int

    def hv_version(self) -> CData: ...
    def hv_status_text(self, status: int, /) -> CData: ...
    def hv_cost_count(self) -> int: ...
    def hv_cost_name(self, i: int, /) -> CData: ...
    def hv_cost_doc(self, i: int, /) -> CData: ...
    def hv_counter_count(self, group: int, /) -> int: ...
    def hv_counter_name(self, group: int, i: int, /) -> CData: ...
    def hv_counter_doc(self, group: int, i: int, /) -> CData: ...
    def hv_config_default(self, config: CData, /) -> None: ...
    def hv_host_new(
        self, config: CData, out: CData, why: CData, n: int, /
    ) -> int: ...
    def hv_host_free(self, host: CData, /) -> None: ...
    def hv_host_info(self, host: CData, out: CData, /) -> int: ...
    def hv_host_reason(self, host: CData, /) -> CData: ...
    def hv_vm_config_default(self, config: CData, /) -> None: ...
    def hv_vm_create(
        self, host: CData, config: CData, vm: CData, why: CData, n: int, /
    ) -> int: ...
    def hv_vm_destroy(self, host: CData, vm: int, /) -> int: ...
    def hv_vm_info(self, host: CData, vm: int, out: CData, /) -> int: ...
    def hv_vm_reason(
        self, host: CData, vm: int, why: CData, n: int, /
    ) -> int: ...
    def hv_vm_set_style(self, host: CData, vm: int, style: int, /) -> int: ...
    def hv_vm_set_sync(self, host: CData, vm: int, sync: int, /) -> int: ...
    def hv_vm_pause(self, host: CData, vm: int, /) -> int: ...
    def hv_vm_resume(self, host: CData, vm: int, /) -> int: ...
    def hv_vm_boot(
        self, host: CData, vm: int, entry: int, a1: int, a2: int, /
    ) -> int: ...
    def hv_run(self, host: CData, run: CData, /) -> int: ...
    def hv_step(self, host: CData, vm: int, vcpu: int, /) -> int: ...
    def hv_break(self, host: CData, vm: int, pc: int, on: int, /) -> int: ...
    def hv_privgen(
        self, seed: int, flags: int, image: CData, size: int, /
    ) -> int: ...
    def hv_lockstep(
        self,
        bare: CData,
        host: CData,
        vm: int,
        max_steps: int,
        out: CData,
        /,
    ) -> int: ...
    def hv_lockstep_pool(self, seed: int, /) -> int: ...
    def hv_lockstep_pair(
        self,
        config: CData,
        guest: CData,
        image: CData,
        size: int,
        bare: CData,
        host: CData,
        vm: CData,
        /,
    ) -> int: ...
    def hv_lockstep_batch(
        self,
        config: CData,
        guest: CData,
        first: int,
        count: int,
        flags: int,
        max_steps: int,
        out: CData,
        coverage: CData,
        /,
    ) -> int: ...
    def hv_mem_read(
        self, host: CData, vm: int, gpa: int, to: CData, size: int, /
    ) -> int: ...
    def hv_mem_write(
        self, host: CData, vm: int, gpa: int, source: CData, size: int, /
    ) -> int: ...
    def hv_reg_get(
        self, host: CData, vm: int, vcpu: int, reg: int, out: CData, /
    ) -> int: ...
    def hv_reg_set(
        self, host: CData, vm: int, vcpu: int, reg: int, val: int, /
    ) -> int: ...
    def hv_translate(
        self,
        host: CData,
        vm: int,
        vcpu: int,
        gva: int,
        access: int,
        gpa: CData,
        fault: CData,
        /,
    ) -> int: ...
    def hv_counters(
        self, host: CData, ident: int, group: int, out: CData, n: int, /
    ) -> int: ...
    def hv_console_take(
        self, host: CData, vm: int, to: CData, size: int, /
    ) -> int: ...
    def hv_console_give(
        self, host: CData, vm: int, source: CData, size: int, /
    ) -> int: ...
    def hv_audit(self, host: CData, why: CData, n: int, /) -> int: ...
    def hv_hash(self, host: CData, out: CData, /) -> int: ...
    def hv_frame_info(self, host: CData, hfn: int, out: CData, /) -> int: ...
    def hv_frames(
        self, host: CData, first: int, n: int, out: CData, /
    ) -> int: ...
    def hv_frame_entries(
        self, host: CData, hfn: int, out: CData, room: int, count: CData, /
    ) -> int: ...
    def hv_machine_read(
        self, host: CData, hpa: int, to: CData, size: int, /
    ) -> int: ...
    def hv_shadow(self, host: CData, vm: int, n: int, out: CData, /) -> int: ...
    def hv_shadow_entry(
        self, host: CData, vm: int, n: int, index: int, pte: CData, /
    ) -> int: ...
    def hv_real(
        self, host: CData, vm: int, vcpu: int, out: CData, /
    ) -> int: ...
    def hv_p2m(self, host: CData, vm: int, gfn: int, hfn: CData, /) -> int: ...
    def hv_tlb(
        self, host: CData, hart: int, access: int, index: int, out: CData, /
    ) -> int: ...

ffi: _FFI
lib: _Lib
