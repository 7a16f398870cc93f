/* pv.h - what only the paravirtual kernel is made of (priv_pv.S). */
#ifndef KERNEL_PV_H
#define KERNEL_PV_H

#include <stdint.h>

/* Two registers, as the C calling convention returns them: a0, a1. */
struct hcall_ret {
    int32_t  error;
    uint32_t value;
};

/* HCALL_name = number, and a function hcall_name for each hypercall. The
 * functions take as many arguments as the call has. */
enum hcall {
#define HYPERCALL(nr, name, nargs, version, signature, doc) HCALL_##name = nr,
#include "abi/hypercalls.def"
#undef HYPERCALL
};

#define HCALL_ARGS_0 void
#define HCALL_ARGS_1 uint32_t a
#define HCALL_ARGS_2 uint32_t a, uint32_t b
#define HYPERCALL(nr, name, nargs, version, signature, doc) \
    struct hcall_ret hcall_##name(HCALL_ARGS_##nargs);
#include "abi/hypercalls.def"
#undef HYPERCALL

extern char pv_shared_page[]; /* abi/pv.h says what is where */
extern char pv_trap_entry[];

#endif
