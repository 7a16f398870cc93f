/* trapframe.h - what is saved when a trap interrupts a program or the kernel.
 *
 * The frame of a trap from user mode lies at the very top of the process's
 * kernel stack; one from kernel mode lies wherever the stack was. */
#ifndef KERNEL_TRAPFRAME_H
#define KERNEL_TRAPFRAME_H

#define TF_X(n)   (4 * (n)) /* x0 is not saved; its place is priv_native.S's */
#define TF_EPC    128
#define TF_CAUSE  132
#define TF_TVAL   136
#define TF_STATUS 140
#define TF_SIZE   144

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct trapframe {
    uint32_t x[32];
    uint32_t epc, cause, tval;
    uint32_t status; /* native: sstatus; pv: PV_PREV_x. Only priv_*.c look */
};

_Static_assert(offsetof(struct trapframe, x) == TF_X(0), "TF_X");
_Static_assert(offsetof(struct trapframe, epc) == TF_EPC, "TF_EPC");
_Static_assert(offsetof(struct trapframe, cause) == TF_CAUSE, "TF_CAUSE");
_Static_assert(offsetof(struct trapframe, tval) == TF_TVAL, "TF_TVAL");
_Static_assert(offsetof(struct trapframe, status) == TF_STATUS, "TF_STATUS");
_Static_assert(sizeof(struct trapframe) == TF_SIZE, "TF_SIZE");
#endif

#endif
