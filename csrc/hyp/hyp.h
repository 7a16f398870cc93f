/* hyp.h - the hypervisor of one host: what it is made of, and what the floor
 * above (csrc/api) may ask of it.
 *
 * Reading order of csrc/hyp: hal.h (the seam below), hyp.h, vm.h, vcpu.h (what
 * there is); trap.c (what happens after an exit); emulate.c, vcsr.c, assist.c
 * (a kernel that does not know); hypercall.c, pv.c (one that does); frame.c,
 * p2m.c, walk.c, shadow.c, tag.c (memory); services.h (what is done with it);
 * pt_type.c, direct.c (memory whose tables are the guest's own); audit.c (what
 * must always hold). Time is a folder of its own, csrc/sched: policy.h, sched.c,
 * then the policies.
 *
 * Several harts, one lock. A hart takes it when it comes into the hypervisor
 * and gives it back when it goes out (trap.c), so all of csrc/hyp and csrc/sched
 * runs on one hart at a time, and every structure is whole whenever another
 * comes in: guests run in parallel, exits do not. For the few harts that one
 * hypervisor has, that costs little and cannot go wrong (Peters et al., For a
 * microkernel, a big lock is fine, APSys 2015). What remains to be said:
 *
 *   hyp->inside   names the hart that holds it. NULL: none, or the floor above
 *                 works between two turns, when no hart is in its guest either
 *   its own       a hart changes its own registers, CSRs, timer and clock, and
 *                 no other's. What another is to see or do: a bit in `raised`,
 *                 `resched`, and a kick, which it answers by coming in
 *   its guest     the state of a vCPU with `entered` set is in its hart; only
 *                 that hart can put it back (vcpu_leave_world)
 *   its TLB       who takes a translation away sees to it that no TLB knows it
 *                 before the frame means anything else: tag_forget(), which
 *                 stops the harts in question, and tag_forget_page() */
#ifndef HV_HYP_HYP_H
#define HV_HYP_HYP_H

#include "abi/memmap.h"
#include "hyp/frame.h"
#include "hyp/hal.h"
#include "hyp/services.h"
#include "hyp/tag.h"
#include "hyp/vm.h"
#include "sched/account.h"
#include "sched/queue.h"

#define MAX_VMS 1024 /* slots; slot 0 is never used */

struct hyp_config {
    const struct policy *policy;
    uint32_t slice;    /* ticks of `time` that a vCPU may run at a stretch */
    uint32_t period;   /* ticks: caps and credits are for so long */
    bool     ad_fault; /* guests get A/D page faults, as the machine does it */
    bool     overcommit; /* VMs are promised their minimum alone */
};

/*
 * Work that a guest can ask for at will is done in pieces. An exit that has
 * worked for so many cycles begins no further one: the guest goes back to the
 * instruction that asked, whoever is due has his turn, and it is executed
 * again. The longest piece is to validate a page table (direct), or to take one
 * shadow table apart; so that, with the costs of abi/costs.def, no exit lasts
 * longer than EXIT_BOUND before it looks who is due (P25).
 */
#define EXIT_ENOUGH 2000
#define EXIT_BOUND  12000

/* Pieces so small that they count as one; going back to the instruction can
 * undo some of them, and an exit is to get further than that. */
#define EXIT_LEAST 64 /* entries */

/* What one hart is doing. */
struct hyp_cpu {
    struct hyp  *hyp;
    struct pcpu *pcpu;
    struct vcpu *current;   /* NULL: waiting */
    struct vcpu *favoured;  /* next, if it still waits: a yield to it */
    struct queue queue;     /* runnable, and waits for this hart */
    uint64_t     slice_end; /* time at which current is preempted */
    uint64_t     armed;     /* what the machine's timer is set to */
    bool         new_slice; /* slice_end is to be set on the way out */
    uint64_t     ticked;    /* the policy's: for what it last had a tick() */
    struct vcpu *reserved;  /* edf: those at home here that have a budget */
    uint32_t     real_satp; /* what the hart runs with now */
    uint64_t     tags[NR_TAG_KINDS]; /* generations that its TLB may hold */
    bool         resched;  /* choose again before leaving the hypervisor */
    bool         stepping; /* hyp_deliver() delivers, not the way out */
    uint64_t     retired;  /* instructions emulated, exceptions delivered */
    uint64_t     mark;     /* cycles up to which all is accounted for ... */
    uint64_t     spent[NR_SPENT]; /* ... as this */
};

struct hyp {
    struct hal       *hal;
    struct hyp_config config;
    struct frames     frames;
    struct tags       tags[NR_TAG_KINDS];
    struct share      share;
    struct reclaim    reclaim;
    struct vm        *slot[MAX_VMS];
    uint32_t          generation[MAX_VMS]; /* of the ids given out */
    uint32_t          nr_vms;
    uint32_t          nr_slots; /* one more than the last slot ever taken */
    uint32_t          ended;    /* id of a VM that just ended, 0: none */
    bool         refused; /* vm_create() failed because the policy said no */
    struct vcpu *timers;  /* armed, soonest first */
    struct sched_host sched;
    uint32_t          tick; /* cycles in a tick of `time` */
    struct hyp_cpu    cpu[MAX_HARTS];
    uint32_t          nr_cpus;
    struct hyp_cpu   *inside; /* the hart that holds the lock; NULL: none */
};

/* Set up over memory the caller gives. False: not enough memory for the frame
 * table, and nothing is left behind. */
bool hyp_init(struct hyp *hyp, struct hal *hal,
              const struct hyp_config *config);
void hyp_add_cpu(struct hyp *hyp, struct pcpu *pcpu);
/* Destroy all VMs and return all memory to the port. */
void hyp_fini(struct hyp *hyp);

/* Another hart comes into the hypervisor before its guest goes on; nothing
 * happens if it is this one. */
void cpu_kick(struct hyp_cpu *cpu);

/* NULL if there is no VM of this id, or not any more. */
struct vm *hyp_vm(struct hyp *hyp, uint32_t id);

/* Choose what this waiting hart runs (nothing, if nothing is runnable). */
void hyp_schedule(struct pcpu *pcpu);
/* Make this very vCPU the one that its hart runs next, if it is runnable. */
bool hyp_switch_to(struct pcpu *pcpu, struct vcpu *vcpu);

/* For a debugger that wants one step at a time: with cpu->stepping set, an
 * exit delivers no interrupt; this does, if one is due. */
void hyp_deliver(struct pcpu *pcpu);

/* Has this exit worked enough? Never, for what the host does (NULL). */
bool exit_enough(struct pcpu *pcpu);

/* Translations were taken from guests that may be on a hart right now: they go
 * on without them. To be called outside of exits. */
void hyp_refresh(struct hyp *hyp);

/* For what is done on a hart's time, but outside of exits: begins, and ends. It
 * is charged to nobody. */
void hyp_work_begin(struct pcpu *pcpu);
void hyp_work_end(struct pcpu *pcpu);

/* There is input for this VM's console. */
void hyp_console_input(struct hyp *hyp, struct vm *vm);

#endif
