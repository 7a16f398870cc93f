/* space.h - address spaces.
 *
 * Creating, mapping, flipping and copying take effect with the next space_commit(), all
 * together; unmapping and destroying commit by themselves. */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include <stdbool.h>
#include <stdint.h>

struct space {
    uint32_t root; /* physical address of its root table; 0: there is none */
    uint32_t heap; /* where its heap starts and ... */
    uint32_t brk;  /* ... ends, within a page or at the end of one */
    uint32_t top;  /* from here to USER_STACK nothing was ever mapped */
    /* The leaf table that was mapped in last, and what it maps; 0: none. */
    uint32_t table, table_va;
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

/* Make what was done so far certain. Before this, no space that was changed may
 * be entered, and none of its new pages found. */
void space_commit(void);

/* Take the pages at [from, to) away, those that are there. */
void space_unmap(struct space *space, uint32_t from, uint32_t to);

/* Exchange the pages at two ranges of `pages` pages, all of them mapped, that do
 * not overlap. */
void space_flip(struct space *space, uint32_t a, uint32_t b, uint32_t pages);

/* Copy all user pages of `from` into the fresh space `to`. False as above. */
bool space_copy(struct space *to, const struct space *from);

/* The physical address of `va` if user mode has all of `rights` there; 0 if
 * it has not. */
uint32_t space_find(const struct space *space, uint32_t va, uint32_t rights);

#endif
