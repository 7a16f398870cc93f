/* space.h - address spaces.
 *
 * Creating, mapping, flipping and copying take effect with the next
 * space_commit(), all together; unmapping and destroying commit by themselves.
 * A space that a process runs in is changed, or searched, with its lock held
 * from the first change to the commit. */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include "kernel/lock.h"
#include <stdbool.h>
#include <stdint.h>

struct space {
    struct lock lock;
    uint32_t    harts; /* a bit for each hart that may have it loaded */
    uint32_t    users; /* processes; 0: this entry is not in use */

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

/* Make a space that holds the kernel and nothing else, for one process. NULL,
 * and nothing was taken, if there is no memory. */
struct space *space_create(void);

/* One more process of a space that has some; one less. The last one gives back
 * everything that the space consists of; then it must not be loaded. */
struct space *space_share(struct space *space);
void space_leave(struct space *space);

/* Load it on this hart, and take traps from user mode on the stack that ends at
 * `stack`. */
void space_enter(struct space *space, uint32_t stack);

/* Put zeroed pages at [from, to), which must not be mapped, with `rights`
 * (PTE_R, PTE_W, PTE_X) for user mode. False if memory ran out: then some of
 * them are there, and space_unmap() or space_leave() gives them back. */
bool space_map(struct space *space, uint32_t from, uint32_t to,
               uint32_t rights);

/* Make what was done so far certain, on all harts. Before this, the space may
 * not be entered if it is new, and none of its new pages found. */
void space_commit(const struct space *space);

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
