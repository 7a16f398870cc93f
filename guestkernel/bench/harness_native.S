/* harness_native.S - the harness's privileged half: CSRs, sret, sfence.vma. */
#include "abi/cause.h"
#include "abi/csr.h"
#include "bench/harness_window.S"

    .section .text.start.half, "ax"
    .globl harness_start
harness_start:
    la      t0, trap_entry
    csrw    stvec, t0
    csrw    sscratch, sp
    srli    a0, a0, PAGE_SHIFT
    li      t1, SATP_MODE
    or      a0, a0, t1
    csrw    satp, a0
    sfence.vma
    li      t0, MSTATUS_SUM           /* supervisor() may use program data */
    csrs    sstatus, t0
    ret

    .globl harness_enter_user
harness_enter_user:
    li      t0, MSTATUS_SPP
    csrc    sstatus, t0
    csrw    sepc, a1
    mv      sp, a2
    sret

/* Keeps every register of the program but a0. */
    .balign 4
trap_entry:
    csrrw   sp, sscratch, sp
    sw      t0, -4(sp)
    csrr    t0, scause
    addi    t0, t0, -CAUSE_ECALL_U
    bnez    t0, fault
    beqz    a7, finish
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    lw      t0, -4(sp)
    csrrw   sp, sscratch, sp
    sret

/* Map the page that was touched, unmap the last one. */
fault:
    sw      t1, -8(sp)
    sw      t2, -12(sp)
    csrr    t0, stval
    window_leaf t1, t0, t2, bad_trap
    lw      t2, 0(t1)
    andi    t0, t2, PTE_V
    bnez    t0, bad_trap
    ori     t2, t2, PTE_V
    sw      t2, 0(t1)
    la      t2, last_mapped
    lw      t0, 0(t2)
    sw      t1, 0(t2)
    beqz    t0, 1f
    lw      t1, 0(t0)
    xori    t1, t1, PTE_V
    sw      t1, 0(t0)
    la      t2, leaves
    sub     t0, t0, t2
    slli    t0, t0, PAGE_SHIFT - 2
    la      t2, image_start
    add     t0, t0, t2
    sfence.vma t0
1:  lw      t2, -12(sp)
    lw      t1, -8(sp)
    lw      t0, -4(sp)
    csrrw   sp, sscratch, sp
    sret
