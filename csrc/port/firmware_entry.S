/* firmware_entry.S - the firmware's first instructions and its trap vector,
 * when it runs as machine code.
 *
 * Each hart has a stack of FW_STACK_SIZE bytes, at whose top lies the frame
 * (struct regs) in which the interrupted registers are kept.
 *
 *   mscratch = top of this hart's stack while S or U runs; 0 while we run, so
 *              that a trap taken in here is recognised as a bug of ours or as
 *              memory that a supervisor named and that is not there */
#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/regs.h"
#include "port/firmware_code.h"

#define PMP_ALL_RWX 0x1f /* naturally aligned region, read, write, execute */

    .section .text.start, "ax"
    .globl _start
_start: /* a0 = hart id, a1 = device tree, a2 = fw_dynamic_info or junk */
    csrw    mie, zero
    csrw    mscratch, zero
    li      t0, MAX_HARTS
    bgeu    a0, t0, sleep_forever

    /* A hart with physical memory protection refuses S-mode everything until
     * an entry allows it. A hart without traps here, to just behind. */
    la      t0, pmp_done
    csrw    mtvec, t0
    li      t0, -1
    csrw    pmpaddr0, t0
    li      t0, PMP_ALL_RWX
    csrw    pmpcfg0, t0
    .balign 4
pmp_done:
    la      t0, trap_vector
    csrw    mtvec, t0

    la      sp, stacks
    addi    t0, a0, 1
    li      t1, FW_STACK_SIZE
    mul     t0, t0, t1
    add     sp, sp, t0
    addi    sp, sp, -FW_FRAME_SIZE
    bnez    a0, wait_for_hart0

    la      t0, fw_bss
    la      t1, fw_bss_end
1:  sw      zero, 0(t0)
    addi    t0, t0, 4
    bltu    t0, t1, 1b
    mv      a0, sp
    call    fw_code_boot
    la      t0, hart0_ready
    li      t1, 1
    fence   rw, rw
    sw      t1, 0(t0)
    j       leave

wait_for_hart0:
    la      t0, hart0_ready
1:  lw      t1, 0(t0)
    beqz    t1, 1b
    fence   rw, rw
    mv      a0, sp
    call    fw_code_park
    j       leave

sleep_forever:
    wfi
    j       sleep_forever

/*
 * The trap vector.
 *
 *   in    mscratch = top of this hart's stack
 *   does  saves x1-x31 in the frame, calls fw_code_trap(frame)
 *   out   restores what it left there, mret
 */
    .balign 4
trap_vector:
    csrrw   sp, mscratch, sp
    beqz    sp, trap_in_firmware
    addi    sp, sp, -FW_FRAME_SIZE
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sw      x\n, REGS_X(\n)(sp)
    .endr
    csrrw   t0, mscratch, zero
    sw      t0, REGS_X(2)(sp)
    mv      a0, sp
    call    fw_code_trap

leave: /* sp = the frame */
    addi    t0, sp, FW_FRAME_SIZE
    csrw    mscratch, t0
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    lw      x\n, REGS_X(\n)(sp)
    .endr
    lw      sp, REGS_X(2)(sp)
    mret

trap_in_firmware:
    li      t0, TEST_BASE
    li      t1, TEST_FAIL | 0xff << 16
    sw      t1, 0(t0)
    j       sleep_forever

    .data
    .balign 4
hart0_ready: /* not in .bss, which hart 0 clears while others look here */
    .word   0

    .section .stacks, "aw", @nobits
    .balign 16
stacks:
    .space  MAX_HARTS * FW_STACK_SIZE
