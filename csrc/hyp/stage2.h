/* stage2.h - the second stage: from guest-physical to machine addresses, for the
 * machine to walk by itself (extension H, Sv32x4).
 *
 *      guest's own tables           this table
 *      gva -> gpa            then   gpa -> hpa      both walked by the machine
 *
 * It says what the p2m says, for as much of guest memory as has been touched: a
 * root of four frames, and below it one table for each 4 MiB of guest memory.
 * So its size is known from the start, promised when it is made, and nothing is
 * ever evicted. Every leaf holds a reference to the frame it maps, every link
 * one to the table. Leaves have U, since the machine makes every access of a
 * second stage in the name of U, and A and D: nobody watches them. */
#ifndef HV_HYP_STAGE2_H
#define HV_HYP_STAGE2_H

#include "hyp/hal.h"

struct vm;

#define STAGE2_ROOT_FRAMES 4 /* 4096 entries: 34 bits of guest address */

struct stage2 {
    bool     made;
    hfn_t    root;     /* of its first frame */
    uint32_t promised; /* frames reserved for it, root included ... */
    uint32_t framed;   /* ... of which so many are in use */
};

/* Make an empty one: paging_stage2's prepare. */
bool stage2_init(struct vm *vm, const char **why);
/* Return everything, if there is one. */
void stage2_fini(struct vm *vm);
/* As if it had just been made: all but the root is promised, and not in use. */
void stage2_clear(struct vm *vm);

/* Let the guest reach this frame of its RAM, which is populated, as far as the
 * p2m does. */
void stage2_map(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);
/* Take it away again: the next access exits. The TLB forgets it, too. */
void stage2_zap(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);
/* Let the guest's stores to it exit, and its walks where they set A or D. */
void stage2_protect(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);

/* The leaf of this frame, 0 if there is none: for audit and views. */
uint32_t stage2_leaf(const struct vm *vm, gfn_t gfn);
/* Entry `index` of the root, or of the table that a link of it names. */
uint32_t stage2_read(const struct vm *vm, hfn_t table, uint32_t index);

#endif
