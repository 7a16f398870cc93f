/* regs.h - the registers of one hart, as a trap leaves them.
 *
 * The one struct that the machine, the ports and the hypervisor share: the
 * hosted port lends the hart's own registers to the hypervisor, so a trap
 * copies nothing; the bare port's trap vector saves into one. The constants
 * are for that assembly. */
#ifndef HV_ABI_REGS_H
#define HV_ABI_REGS_H

#define REGS_X(n) (4 * (n))
#define REGS_PC   128
#define REGS_SIZE 132

/* Integer registers by their ABI names. */
#define REG_RA 1
#define REG_SP 2
#define REG_GP 3
#define REG_TP 4
#define REG_A0 10
#define REG_A1 11
#define REG_A2 12
#define REG_A3 13
#define REG_A4 14
#define REG_A5 15
#define REG_A6 16
#define REG_A7 17

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct regs {
    uint32_t x[32]; /* x[0] is kept 0 */
    uint32_t pc;
};

_Static_assert(offsetof(struct regs, x) == REGS_X(0), "REGS_X");
_Static_assert(offsetof(struct regs, pc) == REGS_PC, "REGS_PC");
_Static_assert(sizeof(struct regs) == REGS_SIZE, "REGS_SIZE");
#endif

#endif
