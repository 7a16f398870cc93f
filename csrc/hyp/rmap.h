/* rmap.h - the reverse map: from a machine frame to every shadow entry that
 * names it, leaves and links alike.
 *
 * Each frame heads a list of entries; an entry is named by the frame of its
 * table and its index there. The links of the list lie beside the table (struct
 * rmap_link, PT_ENTRIES of them), so that adding and removing is a few stores
 * whatever a guest maps how often. */
#ifndef HV_HYP_RMAP_H
#define HV_HYP_RMAP_H

#include "hyp/frame.h"

struct hyp;
struct shadow;
struct vm;

#define RMAP_MAX 128

struct rmap_link { uint32_t next, prev; };

/* An entry that names a frame, as found on its list. */
struct rmap_entry {
    struct vm     *vm;
    struct shadow *shadow;
    uint32_t       index;
};

void rmap_add(struct hyp *hyp, hfn_t hfn, struct shadow *shadow,
              uint32_t index);
void rmap_remove(struct hyp *hyp, hfn_t hfn, struct shadow *shadow,
                 uint32_t index);

/* Are there RMAP_MAX entries of this VM on the list? The oldest is handed out. */
bool rmap_full(const struct vm *vm, hfn_t hfn, struct rmap_entry *oldest);

/* Walk the list: false at its end. `at` begins as the frame's `map` and is
 * moved on before the entry is handed out, which may so be removed. */
bool rmap_next(struct hyp *hyp, uint32_t *at, struct rmap_entry *out);

#endif
