/*
 * harness.S - the smallest kernel that can run a benchmark: page tables, one
 * program, nothing else. harness_native.S or harness_pv.S is its other half.
 *
 *   in    S-mode, untranslated, a0 = hart id (as an SBI firmware starts it)
 *   does  maps the image where it is by 4 KiB pages: the program's with U, its
 *         own without, those of the window not at all; turns Sv32 on; prints
 *         "go" and a newline; calls main(rounds) in user mode or, where a
 *         program has it, supervisor(rounds) here
 *   ends  when that returns: its value goes to the console by SBI (legacy
 *         putchar) as 8 hex digits and a newline, then SBI shutdown. A trap
 *         that nobody expects prints "trap" and shuts down, too.
 *
 * From user mode, ecall with a7 = 0 ends the program with a0; with any other
 * a7 it comes straight back: the round trip that trap.c measures. A page fault
 * in the window maps that page and unmaps the one before: fault.c.
 */
#include "abi/pte.h"

#define LEAF_S (PTE_V | PTE_RWX | PTE_A | PTE_D)
#define LEAF_U (LEAF_S | PTE_U)
#define STACK  65536

    .section .text.start, "ax"
    .globl _start
_start:
    la      t0, rounds
    lw      s0, 0(t0)
    la      sp, kernel_stack_end
    call    map_image
    la      a0, root
    call    harness_start
    la      a0, message_go
    call    print
    mv      a0, s0
    call    supervisor

/* The result is in a0. */
    .globl finish
finish:
    mv      s0, a0
    li      s1, 28
1:  srl     a0, s0, s1
    andi    a0, a0, 15
    li      t0, 10
    blt     a0, t0, 2f
    addi    a0, a0, 'a' - '0' - 10
2:  addi    a0, a0, '0'
    call    put
    addi    s1, s1, -4
    bgez    s1, 1b
    li      a0, '\n'
    call    put
3:  li      a7, 8
    ecall
    j       3b

    .globl bad_trap
bad_trap:
    la      a0, message_trap
    call    print
    j       3b

/* A text that ends in 0, at a0. */
print:
    mv      s2, a0
    mv      s3, ra
1:  lbu     a0, 0(s2)
    beqz    a0, 2f
    call    put
    addi    s2, s2, 1
    j       1b
2:  jr      s3

put:
    li      a7, 1
    ecall
    ret

/* Leaf tables for image_start, which begins a megapage, to image_end. */
map_image:
    la      t0, image_start
    la      t1, image_end
    la      t2, leaves
    la      a2, user_text
    la      a3, harness_data
    la      a4, window_start
    la      a5, window_end
1:  li      t5, LEAF_S
    bltu    t0, a2, 2f                /* harness, program, window, program, */
    bgeu    t0, a3, 2f                /* ... harness */
    li      t5, LEAF_U
    bltu    t0, a4, 2f
    bgeu    t0, a5, 2f
    li      t5, LEAF_U & ~PTE_V
2:  srli    t6, t0, PAGE_SHIFT - PTE_PPN_SHIFT
    or      t6, t6, t5
    sw      t6, 0(t2)
    addi    t2, t2, 4
    li      t6, PAGE_SIZE
    add     t0, t0, t6
    bltu    t0, t1, 1b

    la      t0, image_start           /* the root names the tables */
    la      t2, leaves
    la      t3, root
    srli    t4, t0, MEGAPAGE_SHIFT - 2
    add     t3, t3, t4
3:  srli    t6, t2, PAGE_SHIFT - PTE_PPN_SHIFT
    ori     t6, t6, PTE_V
    sw      t6, 0(t3)
    addi    t3, t3, 4
    li      t6, PAGE_SIZE
    add     t2, t2, t6
    li      t6, MEGAPAGE_SIZE
    add     t0, t0, t6
    bltu    t0, t1, 3b
    ret

/* What a program has that does not replace it: user mode, at main(). */
    .weak   supervisor
supervisor:
    la      a1, user_start
    la      a2, user_stack_end
    j       harness_enter_user

message_go:
    .asciz  "go\n"
message_trap:
    .asciz  "trap\n"

/* Everything below runs in U. */
    .section .text.user, "ax"
user_start:
    call    main
    li      a7, 0
    ecall
    .weak   main
main:
    ret

    .bss
    .balign 16
    .skip   STACK
user_stack_end:

    .section .bss.harness, "aw", @nobits
    .balign 4096
    .globl  leaves, shared, kernel_stack_end, last_mapped
root:
    .skip   4096
leaves:
    .skip   4 * 4096                  /* 16 MiB */
last_mapped:
    .skip   4096                      /* and the stack */
kernel_stack_end:
shared:
    .skip   4096
