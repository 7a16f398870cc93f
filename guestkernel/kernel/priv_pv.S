/* priv_pv.S - trap entry and return by the shared-info page and a hypercall.
 *
 * Side by side with priv_native.S: the same frame is filled from memory
 * instead of from CSRs, and `sret` became a call. */
#include "abi/pv.h"
#include "abi/sbi.h"
#include "kernel/cpu.h"
#include "kernel/pv.h"
#include "kernel/trapframe.h"

    .text
/* The hypercalls as C functions: arguments and results are where C has them. */
#define HYPERCALL(nr, name, nargs, version, signature, doc) \
    .equ HCALL_NR_##name, nr; \
    .globl hcall_##name; \
hcall_##name: \
    li      a6, nr; \
    li      a7, SBI_EXT_HV; \
    ecall; \
    ret;
#include "abi/hypercalls.def"
#undef HYPERCALL

/*
 *   in    sp = top of the process's kernel stack, or where the kernel was;
 *         the shared page describes the trap; interrupts off
 *   does  builds a struct trapframe on the kernel stack, trap_handle(frame)
 *   out   falls into priv_trap_return
 *
 * Each vCPU has an entry of its own, which knows its struct cpu.
 */
    .globl pv_trap_entries
    .balign PV_TRAP_ENTRY_SIZE
pv_trap_entries:
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7
    .balign PV_TRAP_ENTRY_SIZE
    addi    sp, sp, -TF_SIZE
    sw      tp, TF_X(4)(sp)
    la      tp, cpus + CPU_SIZE * \n
    j       pv_trap_entry
    .endr
    .balign PV_TRAP_ENTRY_SIZE
pv_trap_entry:
    .irp n, 1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sw      x\n, TF_X(\n)(sp)
    .endr
/* marker: lab-pv-entry */
    lw      t5, CPU_SHARED(tp)
    lw      t0, SI_SP(t5)
    lw      t1, SI_EPC(t5)
    lw      t2, SI_CAUSE(t5)
    lw      t3, SI_TVAL(t5)
    lw      t4, SI_PREV(t5)
    sw      t0, TF_X(2)(sp)
    sw      t1, TF_EPC(sp)
    sw      t2, TF_CAUSE(sp)
    sw      t3, TF_TVAL(sp)
    sw      t4, TF_STATUS(sp)
/* marker: end */
    mv      a0, sp
    call    trap_handle

/*
 *   in    sp = struct trapframe, interrupts off
 *   out   the processor is in the state that the frame describes: the
 *         hypervisor sets pc, mode and interrupts, and sp, a6 and a7, which
 *         are in use until the call is made; the others are set here
 */
    .globl priv_trap_return
priv_trap_return:
/* marker: lab-pv-return */
    lw      t5, CPU_SHARED(tp)
    lw      t0, TF_X(2)(sp)
    lw      t1, TF_EPC(sp)
    lw      t2, TF_STATUS(sp)
    lw      t3, TF_X(16)(sp)
    lw      t4, TF_X(17)(sp)
    sw      t0, SI_SP(t5)
    sw      t1, SI_EPC(t5)
    sw      t2, SI_PREV(t5)
    sw      t3, SI_A6(t5)
    sw      t4, SI_A7(t5)
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    lw      x\n, TF_X(\n)(sp)
    .endr
    li      a6, HCALL_NR_iret
    li      a7, SBI_EXT_HV
    ecall
1:  j       1b                  /* iret does not return */
/* marker: end */

    .bss
    .balign 4096
    .globl pv_shared_page
pv_shared_page:
    .space  4096
