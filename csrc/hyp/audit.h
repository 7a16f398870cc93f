/* audit.h - what the files of the audit share. */
#ifndef HV_HYP_AUDIT_H
#define HV_HYP_AUDIT_H

#include "hyp/hyp.h"

struct audit {
    struct hyp *hyp;
    uint32_t   *refs;   /* recounted, by frame */
    uint32_t   *traced; /* the same */
    uint32_t    frame;  /* the one looked at last */
};

/* The count of references to this frame, as far as the audit has come. */
uint32_t *audit_refs(struct audit *a, uint32_t hfn);
/* Is there such a frame, and is it theirs? */
bool audit_owned(struct audit *a, uint32_t hfn, uint32_t owner);

/* audit_stage2.c: what does not add up, or NULL. */
const char *audit_stage2(struct audit *a, struct vm *vm);

#endif
