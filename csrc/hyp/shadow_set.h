/* shadow_set.h - the setters of shadow entries, for shadow_fill.c only. */
#ifndef HV_HYP_SHADOW_SET_H
#define HV_HYP_SHADOW_SET_H

#include "hyp/shadow.h"

bool shadow_used(const struct shadow *shadow, uint32_t index);

/* Map a frame of the VM with these rights (of PTE_RWX; R or X among them). */
void shadow_set_leaf(struct vcpu *vcpu, struct shadow *shadow, uint32_t index,
                     hfn_t hfn, uint32_t rights);
/* Point a root's entry at one of the VM's leaf tables or fragments. */
void shadow_set_link(struct vcpu *vcpu, struct shadow *root, uint32_t index,
                     struct shadow *table);
/* Remove an entry and what it held. pcpu: who pays, or NULL. */
void shadow_clear(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                  uint32_t index);

#endif
