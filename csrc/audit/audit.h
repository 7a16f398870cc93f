/* audit.h - is what the hypervisor keeps still what it says it is?
 *
 * A floor of its own, above the hypervisor, which does not know of it: nothing
 * here is a part of what isolates guests, and nothing here shares code with
 * what it checks beyond reading tables. */
#ifndef HV_AUDIT_AUDIT_H
#define HV_AUDIT_AUDIT_H

#include "hyp/hyp.h"

/*
 * Recompute every count and check every invariant from scratch. NULL if all
 * holds, otherwise the name of the first property that does not; *frame is the
 * frame it is about, or ~0. Without memory to count in it says so, by
 * audit_no_memory, and nothing of the rest.
 */
extern const char audit_no_memory[];
const char *hyp_audit(struct hyp *hyp, uint32_t *frame);

#endif
