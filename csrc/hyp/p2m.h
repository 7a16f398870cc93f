/* p2m.h - where a VM's memory really is: guest frame to machine frame.
 *
 * A frame is given on first touch. As many as the VM was promised when it was
 * created (all of them, unless the host is over-committed) come out of a
 * reservation, so giving those cannot fail; beyond, there may be none left.
 *
 * Beside the frame an entry says what may be done with it now. Whoever writes
 * to guest memory, in whose name ever, asks p2m_writable() first; whoever lets
 * the machine write there gives W only while p2m_may_write() holds. So a
 * shared page is copied, and a logged one noted, before it changes. */
#ifndef HV_HYP_P2M_H
#define HV_HYP_P2M_H

#include "hyp/types.h"

struct vm;
struct pcpu;

#define P2M_SHARED 1 /* the frame is others', too: copied on write */
#define P2M_CLEAN  2 /* logged, and not written since it was last fetched */
#define P2M_GONE   4 /* in the balloon: no memory at all */

struct p2m {
    uint32_t *hfn;   /* by gfn - first; NO_FRAME: not populated */
    uint8_t  *state; /* the same, of P2M_x */
    uint32_t  first; /* guest frame number of hfn[0] */
    uint32_t  count;
    uint32_t  populated; /* entries with a frame ... */
    uint32_t  own;       /* ... that is not shared */
    uint32_t  gone;      /* entries in the balloon */
    uint32_t  minimum;   /* frames that it was promised */
    bool      logging;   /* dirty.c */
};

enum p2m_result {
    P2M_OK,
    P2M_OUTSIDE,   /* no RAM of this VM */
    P2M_EXHAUSTED, /* the machine has no frame left that is not promised */
};

bool p2m_init(struct vm *vm);
void p2m_fini(struct vm *vm);
/* Promise it so many frames from here on. False: the machine has not so many,
 * and nothing changed. */
bool p2m_promise(struct vm *vm, uint32_t minimum);
/* How many of those it does not have yet. They are reserved. */
uint32_t p2m_owed(const struct p2m *p2m);

/* Is this guest frame RAM of the VM? */
bool p2m_has(const struct vm *vm, gfn_t gfn);
/* Its machine frame, if it has one already. */
bool p2m_lookup(const struct vm *vm, gfn_t gfn, hfn_t *hfn);
/* Is it populated, and may it be written without asking? */
bool p2m_may_write(const struct vm *vm, gfn_t gfn);

/* Its machine frame, given now if need be: to be read; one that nobody else
 * has; one that is about to be written. On failure the guest sees no change. */
enum p2m_result p2m_populate(struct vm *vm, struct pcpu *pcpu, gfn_t gfn,
                             hfn_t *hfn);
enum p2m_result p2m_own(struct vm *vm, struct pcpu *pcpu, gfn_t gfn,
                        hfn_t *hfn);
enum p2m_result p2m_writable(struct vm *vm, struct pcpu *pcpu, gfn_t gfn,
                             hfn_t *hfn);

/* Its contents are lost: translations and references go, then the frame. */
void p2m_drop(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);
/* Let go of a number of entries that may be written (the balloon); take them
 * up again: false if the promise grows and cannot be kept. */
void p2m_give(struct vm *vm, struct pcpu *pcpu, const uint32_t *gfn,
              uint32_t n);
bool p2m_take(struct vm *vm, const uint32_t *gfn, uint32_t n);

/* share.c: this entry's frame becomes shared, if the promise allows; this
 * entry names that shared frame, of equal contents, from here on. */
bool p2m_share(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);
void p2m_join(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t shared);
/* The same for an entry that was never populated: a fork begins with it. */
void p2m_adopt(struct vm *vm, gfn_t gfn, hfn_t shared);

#endif
