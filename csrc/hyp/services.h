/* services.h - what a hypervisor does with its guests' memory while they run:
 * take some back (balloon.c), keep equal pages once (share.c), note which are
 * written (dirty.c), and what happens when there is no more (reclaim.c).
 *
 * All rest on p2m.h, and on two operations of struct paging: zap and protect.
 * Of a VM whose style cannot zap, stores are logged and that is all. */
#ifndef HV_HYP_SERVICES_H
#define HV_HYP_SERVICES_H

#include "hyp/call.h"
#include "hyp/style.h"

struct hyp;
struct pcpu;
struct vcpu;
struct vm;

/* --- balloon.c ------------------------------------------------------------ */

/* How many frames the VM is asked to have: what the host set, or less while
 * memory is short, but never less than it was promised. */
uint32_t balloon_target(const struct vm *vm);
/* How many it has: populated or not, but not given back. */
uint32_t balloon_actual(const struct vm *vm);
/* The calls. All of a list, or nothing. */
struct sbi_ret balloon_tell(struct vcpu *vcpu, uint32_t said);
struct sbi_ret balloon_give(struct vcpu *vcpu, gpa_t list, uint32_t count);
struct sbi_ret balloon_take(struct vcpu *vcpu, gpa_t list, uint32_t count);

/* --- share.c -------------------------------------------------------------- */

struct share {
    uint32_t *bucket; /* by hash: the first frame of a chain, or NO_FRAME */
    uint32_t *next;   /* by frame: the one behind it in its chain */
    uint32_t *seen;   /* by frame: the round in which it was put there */
    uint32_t  slot, index; /* where the next scan begins */
    uint32_t  round;       /* how often it began at the beginning */
};

/* A whole round, from the first page of the first VM. */
#define SHARE_ROUND 0xffffffffu

/* Look at so many entries of p2m from where the last scan ended, at most to
 * the end of the round, and merge pages that are equal byte for byte; *merged
 * grows by how many. False: no memory to remember pages in. */
bool share_scan(struct hyp *hyp, struct pcpu *pcpu, uint32_t entries,
                uint32_t *merged);
void share_fini(struct hyp *hyp);

/* --- dirty.c -------------------------------------------------------------- */

/* From here on, pages that change are noted. */
void dirty_start(struct vm *vm);
/* Set the bits of those that changed since the last call or the start, and
 * begin anew. Returns how many. */
uint32_t dirty_fetch(struct vm *vm, uint8_t *bitmap);
void dirty_stop(struct vm *vm);

/* --- reclaim.c ------------------------------------------------------------ */

struct reclaim {
    uint64_t at;     /* when a VM is killed; TIME_NEVER: nobody waits */
    bool     scarce; /* little is left: balloons are asked for more */
    uint32_t kills;
};

/* There is no frame for what this guest does: it waits, and tries again. */
enum trap_action reclaim_wait(struct vcpu *vcpu);
/* On every way out of the hypervisor. */
void reclaim_tick(struct pcpu *pcpu);
/* What each VM may have when all have the same. */
uint32_t reclaim_fair(const struct hyp *hyp);

#endif
