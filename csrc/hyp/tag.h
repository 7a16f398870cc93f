/* tag.h - address-space tags, so that the TLB need not be flushed.
 *
 * A root that a hart walks has a tag (satp's ASID), and entries of different
 * tags do not see each other. Tags are given out one after the other; when
 * all are used, a new generation begins: every hart flushes its TLB before it
 * enters with a tag of that generation, and then no entry carries any of them
 * (P12). To forget all that the TLB knows of one VM, its roots get new tags,
 * and the old entries are never looked at again. A machine without ASIDs has
 * one tag, and each new owner of it is a new generation. */
#ifndef HV_HYP_TAG_H
#define HV_HYP_TAG_H

#include "hyp/hal.h"

struct hyp;
struct vm;

/* ASIDs are of shadow roots, VMIDs of vCPUs with a second stage: not of VMs,
 * since two vCPUs of a VM have different tables of their own. */
enum tag_kind { TAG_ASID, TAG_VMID, NR_TAG_KINDS };

/* Of one root. All zero: none yet. */
struct tag {
    uint64_t generation; /* of hyp->tags[kind], never 0 */
    uint32_t vm;         /* the VM's count of forgettings, vm->tags */
    uint32_t id;         /* the ASID or VMID */
};

/* Of one host and kind. */
struct tags {
    uint64_t generation;
    uint32_t count; /* how many the machine tells apart */
    uint32_t used;  /* in this generation */
};

void tags_init(struct tags *tags, uint32_t count);
/* Is what the TLB holds under this tag reachable, and so to be true? */
bool tag_valid(const struct vm *vm, enum tag_kind kind, const struct tag *tag);
/* The tag to enter this root with; flushes this hart's TLB if need be. */
uint32_t tag_use(struct vm *vm, struct pcpu *pcpu, enum tag_kind kind,
                 struct tag *tag);
/* A new generation, of both kinds: every hart begins with an empty TLB, and
 * what others have used up is there again. */
void tags_renew(struct hyp *hyp);
/* Whatever any TLB knows of this VM is forgotten, before its guest runs: harts
 * that run it at present are stopped, and enter it anew. */
void tag_forget(struct vm *vm);
/* The same of one page. */
void tag_forget_page(struct vm *vm, gva_t page);

#endif
