/* audit.h - what audit.c and audit_direct.c share: the recount. */
#ifndef HV_HYP_AUDIT_H
#define HV_HYP_AUDIT_H

#include "hyp/hyp.h"

struct audit {
    struct hyp *hyp;
    uint32_t   *refs; /* recounted, by frame ... */
    uint32_t   *uses; /* ... those among them that use it as its type */
    uint32_t    frame;
};

/* Note which frame it is about; false if it is not this owner's. */
bool audit_owned(struct audit *a, uint32_t hfn, uint32_t owner);
/* One reference more, and one use if `use`. */
void audit_count(struct audit *a, uint32_t hfn, bool use);

/* The tables and roots of a VM of style `direct`. NULL if all is well. */
const char *audit_direct(struct audit *a, struct vm *vm);

#endif
