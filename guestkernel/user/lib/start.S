/* start.S - a program's first instructions, and its system calls. */
    .section .text.start, "ax"
    .globl _start
_start: /* a0 = name, a1 = arguments; sp is set */
    call    program_start

/* Arguments and result are where C has them already. */
    .text
#define SYSCALL(nr, name, meaning) \
    .globl name; \
name: \
    li      a7, nr; \
    ecall; \
    ret;
#include "lib/syscalls.def"
#undef SYSCALL
