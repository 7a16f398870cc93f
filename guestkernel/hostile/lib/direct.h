/* direct.h - what the hostile kernels of style direct share: tables that the
 * machine walks, built and pinned as a good kernel would. */
#ifndef HOSTILE_DIRECT_H
#define HOSTILE_DIRECT_H

#include "hostile/lib/hostile.h"

#define PARAM   SBI_ERR_INVALID_PARAM
#define DENIED  SBI_ERR_DENIED
#define OUTSIDE SBI_ERR_INVALID_ADDRESS

/* Where the free pages[] are seen, by address: as they are. */
#define UL (PTE_U | LEAF)

/* The tables in use: both roots, and the leaf table below each. The kernel's
 * maps the image where it is, tables read-only; the user's maps user_page at
 * user_base = USER_WINDOW. */
extern uint32_t kernel_root[PT_ENTRIES], user_root[PT_ENTRIES];
extern uint32_t kernel_leaf[PT_ENTRIES], user_leaf[PT_ENTRIES];

/* Build, pin, and load them. */
void direct_on(void);

/* An entry for one of our own pages. */
uint32_t own(const volatile void *where, uint32_t flags);
/* The entry of the kernel's leaf table for an address of the image. */
uint32_t *leaf_entry(const volatile void *where);

/* One entry, by pt_update; pin, unpin, load: the error. */
int32_t update(const uint32_t *slot, uint32_t value);
int32_t pin(const uint32_t *table, uint32_t level);
int32_t unpin(const uint32_t *table);
int32_t load_roots(const uint32_t *kernel, const uint32_t *user);

/* They must succeed. */
void good(int32_t error, const char *what);

#endif
