/* start.S - two harts, each with a stack, and a trap entry for both. */
#include "abi/csr.h"

#define STACK_SIZE 2048

/*   in    hart 0 alone, as the firmware starts it */
    .section .text.start, "ax"
    .globl _start
_start:
    la      t0, image_bss
    la      t1, image_end
1:  sw      zero, 0(t0)
    addi    t0, t0, 4
    bltu    t0, t1, 1b
    la      sp, stacks + STACK_SIZE
    la      t0, trap_entry
    csrw    stvec, t0
    call    race_main
1:  j       1b

/*   in    hart 1, started by race_main() */
    .globl second_start
second_start:
    la      sp, stacks + 2 * STACK_SIZE
    la      t0, trap_entry
    csrw    stvec, t0
    call    second_main
1:  wfi
    j       1b

/* An access that faults is skipped, and `faulted` says that one did. */
    .balign 4
trap_entry:
    csrw    sscratch, t0
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    la      t0, faulted
    sw      sp, 0(t0)
    csrr    t0, sscratch
    sret

    .bss
    .balign 16
stacks:
    .space  2 * STACK_SIZE
