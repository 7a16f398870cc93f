/* pv.h - what only the paravirtual kernel is made of (priv_pv.S). */
#ifndef KERNEL_PV_H
#define KERNEL_PV_H

/* The entry for traps of vCPU n is at pv_trap_entries + n times this. */
#define PV_TRAP_ENTRY_SIZE 32

#ifndef __ASSEMBLER__
#include <stdbool.h>
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
#define HCALL_ARGS_3 uint32_t a, uint32_t b, uint32_t c
#define HYPERCALL(nr, name, nargs, version, signature, doc) \
    struct hcall_ret hcall_##name(HCALL_ARGS_##nargs);
#include "abi/hypercalls.def"
#undef HYPERCALL

extern char pv_shared_page[]; /* abi/pv.h says what is where */
extern char pv_trap_entries[];

/* priv_pv.c. A call that cannot fail unless one of the two sides is wrong; an
 * entry to be stored with others, and all of them now. */
uint32_t pv_must(const char *call, struct hcall_ret ret);
void pv_update(uint32_t slot, uint32_t pte);
void pv_update_flush(void);

/* Several calls for the price of one exit; `what` is for a panic. */
struct multicall {
    uint32_t nr;
    int32_t  error;
    uint32_t arg[4];
};
void pv_multicall(const char *what, struct multicall *calls, uint32_t count);
struct pt_update { uint32_t slot, pte; };

/* priv_direct.c, if the machine walks our tables: see priv.h. */
extern bool pv_direct;
void direct_memory_init(void);
uint32_t direct_pte_make(uint32_t pa, uint32_t bits);
uint32_t direct_pte_address(uint32_t pte);
void direct_pte_set(uint32_t *slot, uint32_t pte);
bool direct_table_make(uint32_t page, uint32_t level);
void direct_table_free(uint32_t page);
void direct_roots(uint32_t root, uint32_t *kernel, uint32_t *user);

#endif

#endif
