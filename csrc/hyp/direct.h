/* direct.h - the style `direct`: the machine walks the guest's own tables.
 *
 * Entries hold machine frame numbers (hfn), which the guest learns by the call
 * memory_map. A page becomes a table when the guest pins it: every entry is
 * then validated, and from there on only the hypervisor stores into it, by
 * pt_update, after validating what is stored. What may stand in an entry:
 *
 *   root    a pointer to a pinned leaf table of this VM: V and nothing else
 *   leaf    a frame of this VM, U and R or X; W only if it is no table; no G
 *
 * or anything without V. So there are no megapages and no tables that contain
 * themselves, and no call looks at more than the 1024 entries of one table.
 * Every leaf has U since the guest's kernel runs in real U-mode; what keeps its
 * programs from its own memory is a second root. Of each pair of roots the one
 * for the present mode is in force.
 *
 * Until it has roots a vCPU runs untranslated, on fragments of shadow.h, where
 * tables are read-only as well. While stores are logged (dirty.c) it runs on
 * shadows all the time: the machine would write what the guest's tables let it
 * write, and what stands there is not for the hypervisor to change. They are
 * derived from the tables as any shadow is, but with frame numbers taken back
 * to the guest's own; pt_update tells of each entry that changes, so they are
 * never behind; and they are gone when the log is. */
#ifndef HV_HYP_DIRECT_H
#define HV_HYP_DIRECT_H

#include "abi/access.h"
#include "hyp/call.h"
#include "hyp/frame.h"
#include "hyp/walk.h"

struct vm;
struct vcpu;

/* What a vCPU runs on, by mode; NO_FRAME: nothing, it is untranslated. */
struct roots { hfn_t kernel, user; };
#define NO_ROOTS ((struct roots){ { NO_FRAME }, { NO_FRAME } })

/* False: no memory for the tags, and nothing is left behind. */
bool direct_init(struct vm *vm, const char **why);
/* All of its memory, at once: a guest that knows frames cannot find one gone
 * or new. */
void direct_populate(struct vm *vm);
/* No vCPU of it has roots: no page is a table any more. */
void direct_fini(struct vm *vm);

/* Run on these from here on, and let go of those before. */
void direct_load(struct vcpu *vcpu, struct roots roots);
bool direct_loaded(const struct vcpu *vcpu);
/* Of those, the root for the present mode: where its guest sees it. */
gfn_t direct_root(const struct vcpu *vcpu);
/* Stores are logged no longer: nothing is left that was derived from tables. */
void direct_unlog(struct vm *vm);
/* What one access in the present mode sees; only if it has roots. */
struct walk direct_walk(struct vcpu *vcpu, gva_t va, enum access access);

/* The calls. Entries of pt_update are { slot gpa, value }. */
struct sbi_ret direct_map(struct vcpu *vcpu, gfn_t first, uint32_t count,
                          gpa_t list);
struct sbi_ret direct_set_roots(struct vcpu *vcpu, gpa_t kernel, gpa_t user);
struct sbi_ret direct_update(struct vcpu *vcpu, uint32_t (*entry)[2],
                             uint32_t     count);

/* pt_type.c: when a page is a table, and what may stand in it. */
struct sbi_ret pt_pin(struct vcpu *vcpu, gpa_t page, uint32_t level);
struct sbi_ret pt_unpin(struct vcpu *vcpu, gpa_t page);
/* May this stand in a table of this type? */
bool pt_entry_ok(const struct vm *vm, enum frame_type table, uint32_t pte);
/* Store it there; it may. True if a translation was there before that is not
 * the same now, so that a TLB may know too much. */
bool pt_entry_set(struct vm *vm, hfn_t table, uint32_t index, uint32_t pte);
/* One user of a table less; the last one makes it a plain page. */
void pt_drop(struct vm *vm, struct pcpu *pcpu, hfn_t table);

#endif
