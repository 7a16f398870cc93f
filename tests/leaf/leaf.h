/* leaf.h - checks of leaf functions, over all of what they may be asked.
 *
 * A harness includes one source file of csrc whole, so that its static
 * functions can be called, and has a second opinion on each of them: written
 * from the specification, in wide arithmetic, or by brute force. */
#ifndef HV_TESTS_LEAF_H
#define HV_TESTS_LEAF_H

#include <stdbool.h>
#include <stdint.h>

struct leaf {
    uint64_t    cases;     /* that were tried */
    const char *what;      /* NULL, or of what an answer was wrong ... */
    uint64_t    want, got; /* ... and how */
    uint64_t    in[4];     /* for which arguments */
};

/* True: every answer was right. */
bool leaf_csrs(struct leaf *out);
bool leaf_caps(struct leaf *out);
bool leaf_edf(struct leaf *out);
bool leaf_edf_admit(struct leaf *out);
bool leaf_frames(struct leaf *out);
bool leaf_p2m(struct leaf *out);
bool leaf_plic(struct leaf *out);
bool leaf_ranges(struct leaf *out);
bool leaf_copies(struct leaf *out);
bool leaf_refill(struct leaf *out);
bool leaf_rights(struct leaf *out);
bool leaf_rounds(struct leaf *out);
bool leaf_serial(struct leaf *out);
bool leaf_tags(struct leaf *out);
bool leaf_tlb(struct leaf *out);
bool leaf_turns(struct leaf *out);
bool leaf_walks(struct leaf *out);

#endif
