/* priv_native.S - trap entry and return by privileged instructions.
 *
 *   sscratch = in user mode, the top of the process's kernel stack;
 *              in the kernel, 0 */
#include "abi/csr.h"
#include "kernel/trapframe.h"

/*
 *   in    sp, sscratch, sepc, scause, stval, sstatus as the trap left them
 *   does  builds a struct trapframe on the kernel stack, trap_handle(frame)
 *   out   falls into priv_trap_return
 */
    .text
    .balign 4
    .globl native_trap_vector
native_trap_vector:
    csrrw   sp, sscratch, sp
    bnez    sp, from_user
    csrr    sp, sscratch        /* from the kernel: stay on its stack */
    sw      tp, TF_X(0) - TF_SIZE(sp)
from_user:
    addi    sp, sp, -TF_SIZE
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sw      x\n, TF_X(\n)(sp)
    .endr
    lw      tp, TF_X(0)(sp)
    csrrw   t0, sscratch, zero
    csrr    t1, sepc
    csrr    t2, scause
    csrr    t3, stval
    csrr    t4, sstatus
    sw      t0, TF_X(2)(sp)
    sw      t1, TF_EPC(sp)
    sw      t2, TF_CAUSE(sp)
    sw      t3, TF_TVAL(sp)
    sw      t4, TF_STATUS(sp)
    mv      a0, sp
    call    trap_handle

/*
 *   in    sp = struct trapframe, interrupts off
 *   out   the processor is in the state that the frame describes. A frame for
 *         user mode lies at the top of its stack, so its end is the stack for
 *         the next trap.
 */
    .globl priv_trap_return
priv_trap_return:
    lw      t0, TF_STATUS(sp)
    lw      t1, TF_EPC(sp)
    csrw    sstatus, t0
    csrw    sepc, t1
    andi    t0, t0, MSTATUS_SPP
    bnez    t0, to_kernel
    addi    t0, sp, TF_SIZE
    csrw    sscratch, t0
    sw      tp, TF_X(0)(sp)     /* for the next trap */
to_kernel:
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    lw      x\n, TF_X(\n)(sp)
    .endr
    lw      sp, TF_X(2)(sp)
    sret

/*
 * bool native_sret_works(void)
 *
 *   does  an sret from supervisor to supervisor mode, interrupts off
 *   out   false if the instruction behind the sret was reached
 */
    .globl native_sret_works
native_sret_works:
    li      t0, MSTATUS_SPP
    la      t1, 1f
    csrs    sstatus, t0
    csrw    sepc, t1
    li      a0, 0
    sret
    ret
1:  li      a0, 1
    ret
