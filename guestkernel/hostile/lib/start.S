/* start.S - entry, trap entry and return, attempts, and user mode's page.
 *
 * A trap saves everything in the one frame `trap_frame` and runs on a stack of
 * its own, so it works whatever the attack did to sp. Traps do not nest. */
#include "abi/csr.h"
#include "abi/pv.h"
#include "abi/sbi.h"
#include "hostile/lib/hostile.h"

#define STACK_SIZE 4096

/*   in    a0 = hart id, a1 = device tree */
    .section .text.start, "ax"
    .globl _start
_start:
    la      t0, image_bss
    la      t1, image_end
1:  sw      zero, 0(t0)
    addi    t0, t0, 4
    bltu    t0, t1, 1b
    la      sp, boot_stack + STACK_SIZE
    mv      a0, a1
    call    hostile_main
2:  j       2b

    .macro  save_all_but_sp
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    sw      x\n, FRAME_X(\n)(sp)
    .endr
    .endm

/*   in    sscratch = trap_frame */
    .text
    .balign 4
    .globl vector_native
vector_native:
    csrrw   sp, sscratch, sp
    save_all_but_sp
    csrrw   t0, sscratch, sp
    csrr    t1, sepc
    csrr    t2, scause
    csrr    t3, stval
    csrr    t4, sstatus
    j       trap_common

/*   in    sp is in the shared page, so the register is free */
    .balign 4
    .globl vector_pv
vector_pv:
    la      sp, trap_frame
    save_all_but_sp
    lw      t5, shared_at
    lw      t0, SI_SP(t5)
    lw      t1, SI_EPC(t5)
    lw      t2, SI_CAUSE(t5)
    lw      t3, SI_TVAL(t5)
    lw      t4, SI_PREV(t5)
trap_common:
    sw      t0, FRAME_X(2)(sp)
    sw      t1, FRAME_EPC(sp)
    sw      t2, FRAME_CAUSE(sp)
    sw      t3, FRAME_TVAL(sp)
    sw      t4, FRAME_STATUS(sp)
    mv      a0, sp
    la      sp, trap_stack + STACK_SIZE
    call    trap_handle
    la      a0, trap_frame

/*
 * void resume(const struct trapframe *frame)
 *
 *   out   the processor is in the state that the frame describes
 */
    .globl resume
resume:
    mv      sp, a0
    lw      t1, FRAME_EPC(sp)
    lw      t4, FRAME_STATUS(sp)
    lbu     t0, paravirtual
    bnez    t0, resume_pv
    csrw    sepc, t1
    csrw    sstatus, t4
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    lw      x\n, FRAME_X(\n)(sp)
    .endr
    lw      sp, FRAME_X(2)(sp)
    sret

resume_pv:
    lw      t5, shared_at
    lw      t0, FRAME_X(2)(sp)
    lw      t2, FRAME_X(16)(sp)
    lw      t3, FRAME_X(17)(sp)
    sw      t0, SI_SP(t5)
    sw      t1, SI_EPC(t5)
    sw      t2, SI_A6(t5)
    sw      t3, SI_A7(t5)
    sw      t4, SI_PREV(t5)
    .irp n, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, \
            18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    lw      x\n, FRAME_X(\n)(sp)
    .endr
#define HYPERCALL(nr, name, nargs, version, signature, doc) \
    .equ HCALL_NR_##name, nr;
#include "abi/hypercalls.def"
#undef HYPERCALL
    li      a6, HCALL_NR_iret
    li      a7, SBI_EXT_HV
    ecall
1:  j       1b                  /* iret does not return */

/*
 * bool attempt(void (*fn)(uint32_t), uint32_t arg)
 *
 *   out   a0 = 1 if fn returned; 0 if it trapped: trap_handle() saw that
 *         `recovery` is set, and resumed at attempt_failed
 */
    .globl attempt, attempt_failed
attempt:
    addi    sp, sp, -64
    sw      ra, 0(sp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    sw      s\n, (4 + 4 * \n)(sp)
    .endr
    la      t0, recovery
    lw      t1, 0(t0)           /* attempts may nest */
    sw      t1, 52(sp)
    sw      sp, 0(t0)
    mv      t0, a0
    mv      a0, a1
    jalr    t0
    li      a0, 1
1:  la      t0, recovery
    lw      t1, 52(sp)
    sw      t1, 0(t0)
    lw      ra, 0(sp)
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
    lw      s\n, (4 + 4 * \n)(sp)
    .endr
    addi    sp, sp, 64
    ret
attempt_failed:
    lw      sp, recovery
    li      a0, 0
    j       1b

/*
 * void execute_slot(uint32_t regs[2])
 *
 *   does  the instruction in kernel_slot, with a0 and a1 from regs[]
 */
    .globl execute_slot
execute_slot:
    addi    sp, sp, -16
    sw      ra, 0(sp)
    sw      a0, 4(sp)
    lw      a1, 4(a0)
    lw      a0, 0(a0)
    la      t0, kernel_slot
    jalr    t0
    lw      t0, 4(sp)
    sw      a0, 0(t0)
    sw      a1, 4(t0)
    lw      ra, 0(sp)
    addi    sp, sp, 16
    ret

    .data
    .balign 4
    .globl kernel_slot
kernel_slot:
    .word   0
    ret

/* What user mode executes: each ends in an ecall, which comes back to us. */
    .section .user, "ax"
    .globl user_load, user_store, user_slot
user_load:
    lw      a0, 0(a0)
    ecall
user_store:
    sw      a1, 0(a0)
    ecall
user_slot:
    .word   0
    ecall

    .bss
    .balign 16
boot_stack:
    .space  STACK_SIZE
trap_stack:
    .space  STACK_SIZE
    .globl trap_frame, recovery
trap_frame:
    .space  FRAME_SIZE
recovery:
    .space  4
