/*
 * tour.S - a kernel that does four things and switches the machine off.
 *
 * It starts in S-mode, untranslated, on hart 0. It prints a line on the UART,
 * adds up some numbers, walks into two traps on purpose, and asks the firmware
 * to power off. What has no comment is explained in the handout.
 */
#define UART 0x10000000 /* a byte stored here is sent */

    .section .text.start
    .globl _start
_start:
    la      sp, stack_top
    la      t0, handler
    csrw    stvec, t0
    .globl main
main:
    la      a0, greeting
    call    puts
    .globl printed
printed:
    la      a0, numbers
    li      a1, 5
    call    sum
    .globl summed
summed:
    la      t0, result
    sw      a0, 0(t0)
    .globl first_trap
first_trap:
    ebreak
    .globl after_first
after_first:
    .globl second_trap
second_trap:
    lw      t0, 0(zero) /* nothing answers at address 0 */
    .globl after_second
after_second:
    li      a7, 0x53525354 /* SBI, System Reset Extension: power off */
    li      a6, 0
    li      a0, 0
    li      a1, 0
    ecall

    .text
/* marker: tour-puts */
    .globl puts
puts:
    li      t0, UART
1:
    lbu     t1, 0(a0)
    beqz    t1, 2f
    sb      t1, 0(t0)
    addi    a0, a0, 1
    j       1b
2:
    ret
/* marker: end */

/* marker: tour-sum */
    .globl sum
sum:
    li      t0, 0
1:
    beqz    a1, 2f
    lw      t1, 0(a0)
    add     t0, t0, t1
    addi    a0, a0, 4
    addi    a1, a1, -1
    j       1b
2:
    mv      a0, t0
    ret
/* marker: end */

    .balign 4
/* marker: tour-handler */
    .globl handler
handler:
    addi    sp, sp, -8
    sw      t0, 0(sp)
    sw      t1, 4(sp)
    la      t0, traps
    lw      t1, 0(t0)
    addi    t1, t1, 1
    sw      t1, 0(t0)
    csrr    t1, scause
    la      t0, last_cause
    sw      t1, 0(t0)
    csrr    t0, sepc
    addi    t0, t0, 4
    csrw    sepc, t0
    lw      t0, 0(sp)
    lw      t1, 4(sp)
    addi    sp, sp, 8
    sret
/* marker: end */

    .data
    .balign 4
    .globl numbers
numbers:
    .word   3, 1, 4, 1, 5
    .globl result
result:
    .word   0
    .globl traps
traps:
    .word   0
    .globl last_cause
last_cause:
    .word   0
greeting:
    .asciz  "hello, machine\n"
    .balign 16
    .skip   1024
stack_top:
