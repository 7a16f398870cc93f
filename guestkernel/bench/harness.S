/*
 * harness.S - the smallest kernel that can run a benchmark: a page table, one
 * user program, nothing else.
 *
 *   in    S-mode, untranslated, a0 = hart id (as an SBI firmware starts it)
 *   does  maps the image where it is, by 4 KiB pages, with U; its own first
 *         page without; turns Sv32 on; calls main() in U
 *   ends  when main returns: its value goes to the console by SBI (legacy
 *         putchar) as 8 hex digits and a newline, then SBI shutdown. Any other
 *         trap prints "trap" and shuts down, too.
 *
 * From user mode, ecall with a7 = 0 ends the program with a0; with any other
 * a7 it comes straight back: the round trip that trap.c measures.
 */
#include "abi/csr.h"
#include "abi/pte.h"

#define LEAF_S (PTE_V | PTE_RWX | PTE_A | PTE_D)
#define LEAF_U (LEAF_S | PTE_U)
#define STACK  65536

    .section .text.start
    .globl _start
_start:
    la      sp, kernel_stack_end
    la      t0, trap_entry
    csrw    stvec, t0
    csrw    sscratch, sp

    /* The image and its bss: leaf tables for image_start to image_end. */
    la      t0, image_start
    la      t1, image_end
    la      t2, leaves
    srli    t3, t0, MEGAPAGE_SHIFT
    slli    t3, t3, MEGAPAGE_SHIFT    /* where the first table begins */
    sub     t4, t0, t3
    srli    t4, t4, PAGE_SHIFT - 2
    add     t4, t4, t2                /* its slot of image_start */
    li      t5, LEAF_S                /* the first page is this file's */
1:  srli    t6, t0, PAGE_SHIFT
    slli    t6, t6, PTE_PPN_SHIFT
    or      t6, t6, t5
    sw      t6, 0(t4)
    li      t5, LEAF_U
    addi    t4, t4, 4
    li      t6, PAGE_SIZE
    add     t0, t0, t6
    bltu    t0, t1, 1b

    /* The root names the tables. */
    la      t0, root
    srli    t4, t3, MEGAPAGE_SHIFT - 2
    add     t0, t0, t4
2:  srli    t6, t2, PAGE_SHIFT
    slli    t6, t6, PTE_PPN_SHIFT
    ori     t6, t6, PTE_V
    sw      t6, 0(t0)
    addi    t0, t0, 4
    li      t6, PAGE_SIZE
    add     t2, t2, t6
    li      t6, MEGAPAGE_SIZE
    add     t3, t3, t6
    bltu    t3, t1, 2b

    la      t0, root
    srli    t0, t0, PAGE_SHIFT
    li      t1, SATP_MODE
    or      t0, t0, t1
    csrw    satp, t0
    sfence.vma

    li      t0, MSTATUS_SPP
    csrc    sstatus, t0
    li      t0, MSTATUS_SUM           /* its stack lies in the program's pages */
    csrs    sstatus, t0
    la      t0, user_start
    csrw    sepc, t0
    la      sp, user_stack_end
    sret

/* Keeps every register of the program but a0. */
    .balign 4
trap_entry:
    csrrw   sp, sscratch, sp
    sw      t0, -4(sp)
    csrr    t0, scause
    addi    t0, t0, -8                /* ecall from U */
    bnez    t0, bad_trap
    beqz    a7, finish
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    lw      t0, -4(sp)
    csrrw   sp, sscratch, sp
    sret

finish:
    mv      s0, a0
    li      s1, 28
1:  srl     a0, s0, s1
    andi    a0, a0, 15
    li      t0, 10
    blt     a0, t0, 2f
    addi    a0, a0, 'a' - '0' - 10
2:  addi    a0, a0, '0'
    li      a7, 1
    ecall
    addi    s1, s1, -4
    bgez    s1, 1b
    li      a0, '\n'
    li      a7, 1
    ecall
3:  li      a7, 8
    ecall
    j       3b

bad_trap:
    la      s0, message
1:  lbu     a0, 0(s0)
    beqz    a0, 3b
    li      a7, 1
    ecall
    addi    s0, s0, 1
    j       1b
message:
    .asciz  "trap\n"

/* Everything below runs in U. */
    .section .text.user
user_start:
    call    main
    li      a7, 0
    ecall

    .bss
    .balign 4096
root:
    .skip   4096
leaves:
    .skip   4 * 4096                  /* 16 MiB from the image's first 4 */
    .skip   4096
kernel_stack_end:
    .skip   STACK
user_stack_end:
