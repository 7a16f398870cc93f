/* space.h - address spaces. */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include <stdbool.h>
#include <stdint.h>

struct space {
    uint32_t root; /* physical address of its root table; 0: there is none */
    uint32_t heap; /* where its heap starts and ... */
    uint32_t brk;  /* ... ends, within a page or at the end of one */
    uint32_t top;  /* from here to USER_STACK nothing was ever mapped */
};

extern struct space kernel_space;

/* Build the kernel's own tables. Panics if memory does not suffice. */
void space_init(void);

/* Make a space that holds the kernel and nothing else. False, and nothing was
 * taken, if there is no memory. */
bool space_create(struct space *space);

/* Give back everything that a space consists of. It must not be current. */
void space_destroy(struct space *space);

/* Put zeroed pages at [from, to), which must not be mapped, with `rights`
 * (PTE_R, PTE_W, PTE_X) for user mode. False if memory ran out: then some of
 * them are there, and space_unmap() or space_destroy() gives them back. */
bool space_map(struct space *space, uint32_t from, uint32_t to,
               uint32_t rights);

/* Take the pages at [from, to) away, those that are there. */
void space_unmap(struct space *space, uint32_t from, uint32_t to);

/* Copy all user pages of `from` into the fresh space `to`. False as above. */
bool space_copy(struct space *to, const struct space *from);

/* The physical address of `va` if user mode has all of `rights` there; 0 if
 * it has not. */
uint32_t space_find(const struct space *space, uint32_t va, uint32_t rights);

#endif
