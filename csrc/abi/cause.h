/* cause.h - what mcause and scause can say (Privileged Specification, table
 * 14). Interrupts are IRQ_x of csr.h with the top bit set. */
#ifndef HV_ABI_CAUSE_H
#define HV_ABI_CAUSE_H

#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS     1
#define CAUSE_ILLEGAL          2
#define CAUSE_BREAKPOINT       3
#define CAUSE_LOAD_MISALIGNED  4
#define CAUSE_LOAD_ACCESS      5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS     7
#define CAUSE_ECALL_U          8
#define CAUSE_ECALL_S          9
#define CAUSE_ECALL_VS         10
#define CAUSE_ECALL_M          11
#define CAUSE_FETCH_PAGE       12
#define CAUSE_LOAD_PAGE        13
#define CAUSE_STORE_PAGE       15
#define CAUSE_FETCH_GUEST_PAGE 20 /* of the second stage; so are 21 and 23 */
#define CAUSE_LOAD_GUEST_PAGE  21
#define CAUSE_VIRTUAL          22 /* virtual instruction */
#define CAUSE_STORE_GUEST_PAGE 23
#define NR_CAUSES              24
#define CAUSE_INTERRUPT        0x80000000

#endif
