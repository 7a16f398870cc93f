/* harness_pv.S - the same half for a guest that knows: hypercalls and the
 * shared page, which lies above the kernel stack, so that sp finds it. */
#include "abi/cause.h"
#include "abi/csr.h"
#include "abi/pv.h"
#include "abi/sbi.h"
#include "bench/harness_window.S"

#define HYPERCALL(nr, name, nargs, version, signature, doc) \
    .equ HCALL_NR_##name, nr;
#include "abi/hypercalls.def"
#undef HYPERCALL

    .macro  hypercall name
    li      a6, HCALL_NR_\name
    li      a7, SBI_EXT_HV
    ecall
    .endm

    .section .text.start.half, "ax"
    .globl harness_start
harness_start:
    mv      t0, a0
    la      a0, shared
    hypercall set_shared
    la      a0, trap_entry
    la      a1, kernel_stack_end
    hypercall set_entry
    srli    a0, t0, PAGE_SHIFT
    li      t1, SATP_MODE
    or      a0, a0, t1
    hypercall set_root
    ret

    .globl harness_enter_user
harness_enter_user:
    la      t0, shared
    sw      a1, SI_EPC(t0)
    sw      a2, SI_SP(t0)
    sw      zero, SI_PREV(t0)
    hypercall iret

/*   in    sp = the shared page, which has the program's sp */
    .balign 4
trap_entry:
    sw      t0, -4(sp)
    lw      t0, SI_CAUSE(sp)
    addi    t0, t0, -CAUSE_ECALL_U
    bnez    t0, fault
    beqz    a7, finish
    lw      t0, SI_EPC(sp)
    addi    t0, t0, 4
    sw      t0, SI_EPC(sp)
    lw      t0, -4(sp)
    sw      a6, SI_A6(sp)
    sw      a7, SI_A7(sp)
    hypercall iret

/* Map the page that was touched, unmap the last one: one call for both. */
fault:
    sw      t1, -8(sp)
    sw      t2, -12(sp)
    sw      a0, -16(sp)
    sw      a1, -20(sp)
    sw      a6, SI_A6(sp)
    sw      a7, SI_A7(sp)
    lw      t0, SI_TVAL(sp)
    window_leaf t1, t0, t2, bad_trap
    lw      t2, 0(t1)
    andi    t0, t2, PTE_V
    bnez    t0, bad_trap
    ori     t2, t2, PTE_V
    sw      t1, -40(sp)               /* {slot, value}, twice */
    sw      t2, -36(sp)
    la      t2, last_mapped
    lw      t0, 0(t2)
    sw      t1, 0(t2)
    li      a1, 1
    beqz    t0, 1f
    lw      t1, 0(t0)
    xori    t1, t1, PTE_V
    sw      t0, -32(sp)
    sw      t1, -28(sp)
    li      a1, 2
1:  addi    a0, sp, -40
    hypercall pt_update
    lw      a1, -20(sp)
    lw      a0, -16(sp)
    lw      t2, -12(sp)
    lw      t1, -8(sp)
    lw      t0, -4(sp)
    hypercall iret
