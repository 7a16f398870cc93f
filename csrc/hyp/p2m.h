/* p2m.h - where a VM's memory really is: guest frame to machine frame.
 *
 * A frame is given on first touch, out of the reservation that was made when
 * the VM was created, so touching cannot fail and creation costs only what is
 * used. */
#ifndef HV_HYP_P2M_H
#define HV_HYP_P2M_H

#include "hyp/types.h"

struct vm;
struct pcpu;

struct p2m {
    uint32_t *hfn;   /* by gfn - first; NO_FRAME: not populated */
    uint32_t  first; /* guest frame number of hfn[0] */
    uint32_t  count;
    uint32_t  populated;
};

bool p2m_init(struct vm *vm);
void p2m_fini(struct vm *vm);

/* Is this guest frame RAM of the VM? */
bool p2m_has(const struct vm *vm, gfn_t gfn);
/* Its machine frame, if it has one already. */
bool p2m_lookup(const struct vm *vm, gfn_t gfn, hfn_t *hfn);
/* Its machine frame, given now if need be. False: not RAM of this VM. */
bool p2m_populate(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t *hfn);

#endif
