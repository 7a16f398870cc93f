/* recount.h - what the files of the audit share: the recount. */
#ifndef HV_AUDIT_RECOUNT_H
#define HV_AUDIT_RECOUNT_H

#include "audit/audit.h"

struct audit {
    struct hyp *hyp;
    uint32_t   *refs;   /* recounted, by frame ... */
    uint32_t   *uses;   /* ... those among them that use it as its type */
    uint32_t   *traced; /* the shadows that follow its bytes */
    uint32_t   *shares; /* entries of p2m that share it ... */
    uint32_t   *whose;  /* ... the last of them being this VM's */
    uint32_t   *table;  /* a copy of the table that is looked at */
    uint32_t    frame;  /* the one looked at last */
};

/* The count of references to this frame, as far as the audit has come. */
uint32_t *audit_refs(struct audit *a, uint32_t hfn);
/* Note which frame it is about; false if it is not this owner's. */
bool audit_owned(struct audit *a, uint32_t hfn, uint32_t owner);
/* One reference more, and one use if `use`. */
void audit_count(struct audit *a, uint32_t hfn, bool use);

/* Begin to look at the entries of the table in this frame, of which most are 0;
 * whoever opens another one meanwhile opens this one again. */
void audit_open(struct audit *a, hfn_t table);
/* Its next entry that is not 0, from this one on; PT_ENTRIES: none. */
uint32_t audit_next(const struct audit *a, uint32_t from);

/* traced.c, stage2.c, direct.c: what does not add up, or NULL. */
const char *audit_traced(struct audit *a, struct vm *vm,
                         const struct shadow *shadow);
const char *audit_stage2(struct audit *a, struct vm *vm);
const char *audit_direct(struct audit *a, struct vm *vm);
/* sched.c: the same of all queues and accounts. */
const char *audit_sched(const struct hyp *hyp);

#endif
