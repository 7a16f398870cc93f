/* shadow_set.h - what the files about shadows share: setters of entries, and
 * the life of a table. */
#ifndef HV_HYP_SHADOW_SET_H
#define HV_HYP_SHADOW_SET_H

#include "hyp/shadow.h"

/* Is this entry valid? */
bool shadow_used(const struct shadow *shadow, uint32_t index);

/* Map a populated page of the VM with these rights (of PTE_RWX and U; R or X
 * among them), less W where the p2m has not, or the frame is a table. */
void shadow_set_leaf(struct vcpu *vcpu, struct shadow *shadow, uint32_t index,
                     gfn_t gfn, uint32_t rights);
/* Point a root's entry at one of the VM's leaf tables or fragments. */
void shadow_set_link(struct vcpu *vcpu, struct shadow *root, uint32_t index,
                     struct shadow *table);
/* Remove an entry and what it held. pcpu: who pays, or NULL. */
void shadow_clear(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                  uint32_t index);
/* All of them; how many there were. */
uint32_t shadow_clear_all(struct vm *vm, struct pcpu *pcpu,
                          struct shadow *shadow);
/* Take W from a leaf. */
void shadow_cut(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                uint32_t index);

/* The table of this key, if there is one. */
struct shadow *shadow_find(struct vm *vm, uint32_t key);
/* Nothing refers to it any more: back to the free list, its frame all zero. */
void shadow_retire(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow);

/* Derived from one of the guest's tables? Fragments and the untranslated root
 * are derived from the p2m alone; nothing can make them stale. */
static inline bool shadow_synchronised(const struct shadow *shadow)
{
    return shadow_kind(shadow) == SHADOW_ROOT ||
           shadow_kind(shadow) == SHADOW_LEAF;
}
static inline bool shadow_is_root(const struct shadow *shadow)
{
    return shadow_kind(shadow) == SHADOW_ROOT ||
           shadow_kind(shadow) == SHADOW_BARE;
}

/* shadow_sync.c. A table was made, or goes: see to stores to the guest's. */
void sync_begin(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow);
void sync_end(struct vm *vm, struct shadow *shadow);
/* It is about to be used where it was not linked: no stale entry in it. */
void sync_relink(struct vm *vm, struct pcpu *pcpu, struct shadow *table);

#endif
