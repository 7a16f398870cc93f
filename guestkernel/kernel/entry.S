/* entry.S - the kernel's first instructions, and the context switch. */
#include "kernel/cpu.h"
#include "kernel/layout.h"

/*
 *   in    a0 = hart id, a1 = device tree; translation and interrupts off
 *   does  clears .bss, takes the boot stack, calls kernel_main(a0, a1)
 */
    .section .text.start, "ax"
    .globl _start
_start:
    la      t0, kernel_bss
    la      t1, kernel_end
1:  sw      zero, 0(t0)
    addi    t0, t0, 4
    bltu    t0, t1, 1b
    la      sp, boot_stack + KERNEL_STACK_SIZE
    call    kernel_main
2:  j       2b

/*
 *   in    a1 = struct cpu of this hart; translation and interrupts off
 *   does  takes its stack, calls hart_main()
 */
    .globl hart_entry
hart_entry:
    mv      tp, a1
    lw      sp, CPU_STACK(tp)
    li      t0, KERNEL_STACK_SIZE
    add     sp, sp, t0
    call    hart_main
3:  j       3b

/*
 *   in    sp = struct trapframe of a new process; interrupts off
 *   does  what context_switch() returns to otherwise, then enters user mode
 */
    .globl proc_entry
proc_entry:
    call    sched_switched
    j       priv_trap_return

/*
 * void context_switch(struct context *from, const struct context *to)
 *
 * Leaves one kernel stack and continues on another, where this function was
 * left before, or where a new process begins. Only what a C function must
 * preserve is saved: the caller has saved the rest.
 */
    .text
    .globl context_switch
context_switch:
    sw      ra, 0(a0)
    sw      sp, 4(a0)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sw      s\n, (8 + 4 * \n)(a0)
    .endr
    lw      ra, 0(a1)
    lw      sp, 4(a1)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    lw      s\n, (8 + 4 * \n)(a1)
    .endr
    ret

    .bss
    .balign 16
    .globl boot_stack
boot_stack:
    .space  KERNEL_STACK_SIZE
