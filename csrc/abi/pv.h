/* pv.h - what a paravirtual kernel and the hypervisor say to each other.
 *
 * The shared-info page lies in the guest's own memory, at a page-aligned
 * guest-physical address that it registers with the set_shared call. vCPU n
 * owns the SI_VCPU_SIZE bytes at n * SI_VCPU_SIZE. On a trap the hypervisor
 * writes CAUSE, TVAL, EPC, PREV and SP, sets IRQ_ENABLED to 0, puts the
 * registered kernel stack into sp if the trap came from user mode, and enters
 * the registered handler. The iret call does the reverse: pc, mode and the
 * interrupt flag, sp, a6 and a7 (which the call itself needs) come from here,
 * every other register is already in place. */
#ifndef HV_ABI_PV_H
#define HV_ABI_PV_H

#define PV_VERSION 1

#define PV_FEATURE_PT_UPDATE (1 << 0)
#define PV_FEATURE_MULTICALL (1 << 1)
#define PV_FEATURE_CONSOLE   (1 << 2)
#define PV_FEATURE_DIRECT    (1 << 3) /* tables are the guest's own */
#define PV_FEATURE_BALLOON   (1 << 4)
#define PV_FEATURE_SCHED     (1 << 5) /* poll, kick, yield_to, runstate */

#define SI_VCPU_SIZE   64
#define SI_IRQ_ENABLED 0  /* guest writes: 0 masks every interrupt */
#define SI_IRQ_PENDING 4  /* hypervisor writes: MIP_SSIP, MIP_STIP, MIP_SEIP */
#define SI_CAUSE       8  /* as scause */
#define SI_TVAL        12 /* as stval */
#define SI_EPC         16 /* as sepc */
#define SI_PREV        20 /* PV_PREV_x of what was interrupted */
#define SI_SP          24 /* its stack pointer */
#define SI_A6          28 /* iret only */
#define SI_A7          32 /* iret only */
#define SI_TIME_LO     40 /* time at the last entry (lo, hi) */
#define SI_TIME_HI     44

#define PV_PREV_KERNEL (1 << 0) /* was in kernel mode; clear: in user mode */
#define PV_PREV_IRQ    (1 << 1) /* had interrupts enabled */

/* pt_update: an array of these, at most PV_PT_UPDATE_MAX per call. */
#define PV_PT_UPDATE_SIZE 8 /* { uint32_t slot_gpa, value; } */
#define PV_PT_UPDATE_MAX  64

/* multicall: an array of these, at most PV_MULTICALL_MAX per call. iret,
 * deliver, block, shutdown, multicall itself and the balloon's are refused
 * inside. A list that takes long is cut: until the call returns, a0 and a1 say
 * what is left of it, and how many calls have run is in a1's upper half. */
#define PV_MULTICALL_SIZE 24 /* { uint32_t nr, error, arg[4]; } */
#define PV_MULTICALL_MAX  32

#define PV_MULTICALL_DONE_SHIFT 16
#define PV_MULTICALL_LEFT       0xffff

#define PV_MEMORY_MAP_MAX 1024 /* frames told by one memory_map */

/* balloon_give, balloon_take: an array of guest frame numbers, at most
 * PV_BALLOON_MAX per call; refused inside a multicall. What the guest says of
 * its balloon: it is at the target or on its way; it has no page to spare. */
#define PV_BALLOON_MAX   64
#define PV_BALLOON_WORKS 1
#define PV_BALLOON_STUCK 2

#define PV_CONSOLE_MAX 4096 /* bytes taken by one console call */

/* runstate: four sums of 64 bits, in ticks of `time`: running; runnable, while
 * others ran (the steal time); blocked; stopped, or the whole VM paused. */
#define PV_RUNSTATE_SIZE 32

#define PV_SHUTDOWN_POWEROFF 0
#define PV_SHUTDOWN_REBOOT   1
#define PV_SHUTDOWN_CRASH    2

#endif
