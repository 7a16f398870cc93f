/* policy.h - what a scheduling policy decides, and what sched.c does for it.
 *
 * Every hart has a queue of the vCPUs that want to run there, the smallest key
 * first, equal keys in the order of their coming. A policy says what the key
 * is, how long one may run, and what a cycle costs; sched.c keeps the queues,
 * switches, moves vCPUs between harts, and sees to caps and gangs. A policy
 * never looks at a queue, but through the functions at the end.
 *
 * Times are in ticks of `time`, as the timers'; charges are in cycles, exact
 * to the last one: hyp->tick says how many cycles a tick has. */
#ifndef HV_SCHED_POLICY_H
#define HV_SCHED_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct hyp;
struct hyp_cpu;
struct vcpu;
struct vm;

#define WEIGHT_DEFAULT 256
#define WEIGHT_MAX     65535
#define ALL_HARTS      0xff

/* Of one VM. All can change while it runs. */
struct sched_params {
    uint32_t weight; /* 1..WEIGHT_MAX: its share, against the others' */
    uint32_t cap;    /* percent of one hart that it gets at most; 0: no cap */
    uint32_t budget; /* edf: ticks that each vCPU gets ... */
    uint32_t period; /* ... in each period of so many ticks; 0, 0: none */
    bool     gang;   /* its vCPUs run at the same time, or not at all */
};

/* What a policy keeps of a vCPU. */
struct sched_credit {
    int64_t credit; /* cycles that it may still run at its fair share */
    int64_t boost;  /* cycles that it may run first after a wake */
    bool    boosted;
    bool    active; /* was runnable in this period */
};
struct sched_edf {
    uint64_t     deadline; /* of the present period */
    int64_t      left;     /* cycles of the budget */
    struct vcpu *next;     /* with a budget, at home on the same hart */
};

struct sched_vcpu {
    struct hyp_cpu *home;        /* on whose queue it is, or was last */
    struct vcpu    *next, *prev; /* in that queue */
    bool            queued;
    bool            parked;   /* runnable, but not allowed to run at present */
    bool            yielded;  /* the others first, this once */
    uint64_t        key;      /* its place in the queue */
    uint32_t        affinity; /* mask of the harts that it may run on */
    uint64_t        granted;  /* cycles of its VM's cap, set aside for it */
    uint64_t        seen;     /* cycles: no clock that it reads is before */
    uint64_t        vtime;    /* fair: weighted cycles */
    struct sched_credit credit;
    struct sched_edf    edf;
};

/* One row of a table of fixed slots; vm 0: nobody. A table begins anew after
 * `length`, the sum of its ticks. */
struct slot { uint32_t vm, ticks; };
#define MAX_SLOTS 64
struct slot_table {
    struct slot slot[MAX_SLOTS];
    uint32_t    nr;
    uint64_t    begins, length;
};

/* What policies keep of a host. */
struct sched_host {
    uint64_t   seq;        /* so that keys can be in order of coming */
    uint64_t   period_end; /* of caps and credits; TIME_NEVER: not needed */
    uint32_t   nr_capped;  /* VMs with a cap */
    struct vm *gang;       /* whose vCPUs all harts are to run ... */
    uint64_t   gang_until; /* ... until then */
    struct slot_table table[2]; /* slots: the last one, and the present ... */
    uint64_t          slot_at;  /* ... of which this slot began last */
};

/* All pointers but name may be NULL: then there is nothing to do. */
struct policy {
    const char *name;
    /* vCPUs stay on the hart that admission chose. */
    bool partitioned;
    /* Called once at the end of each period. */
    void (*account)(struct hyp *hyp, uint64_t now);
    /* May this VM have these parameters? Changes nothing but what it keeps of
     * a VM that is let in; false, with *why set, leaves everything as it was.
     * Called when it is created and at each change. */
    bool (*admit)(struct vm *vm, const struct sched_params *params,
                  const char **why);
    /* The VM is gone. */
    void (*forget)(struct vm *vm);
    /* It becomes runnable, and is about to be queued: set the key. */
    void (*wake)(struct vcpu *vcpu, uint64_t now);
    /* It is on a hart and could go on: the key that it would be queued with. */
    uint64_t (*requeue)(struct vcpu *vcpu, uint64_t now);
    /* It goes from the queue of one hart, home, to another's. */
    void (*move)(struct vcpu *vcpu, struct hyp_cpu *to);
    /* For how many ticks it may run from now on, at least 1. */
    uint64_t (*limit)(struct vcpu *vcpu, uint64_t now);
    /* It ran, or was worked for. */
    void (*charge)(struct vcpu *vcpu, uint64_t cycles);
    /* Is the woken one to run at once, instead of the one that runs? */
    bool (*preempts)(const struct vcpu *woken, const struct vcpu *current);
    /* Is a hart to take `theirs` from another's queue, rather than to run
     * `mine`, the best of its own? Without one it always does. */
    bool (*steals)(const struct vcpu *theirs, const struct vcpu *mine);
    /* When this hart's tick() is to be called next; and the call. */
    uint64_t (*next)(const struct hyp_cpu *cpu);
    void (*tick)(struct hyp_cpu *cpu, uint64_t now);
    /* Choose otherwise than by key: NULL is nobody. The chosen one, which is
     * queued or runs already, runs for limit(). */
    struct vcpu *(*pick)(const struct hyp_cpu *cpu);
    /* Nobody runs on this hart before this cycle; once it is over, it does not
     * matter any more. */
    uint64_t (*pad)(const struct hyp_cpu *cpu);
    /* Is this vCPU's timer to interrupt the hart now? */
    bool (*hears)(const struct hyp_cpu *cpu, const struct vcpu *vcpu);
};

extern const struct policy policy_rr, policy_credit, policy_fair, policy_edf,
    policy_slots, policy_sampled;

/* csrc/sched/slots.c: a new table, from the next turn of the present one on.
 * False, with *why set, and nothing changed. */
bool slots_set(struct hyp *hyp, const struct slot *slot, uint32_t nr,
               const char **why);
/* May a row be so short? */
bool slot_long_enough(const struct hyp *hyp, uint32_t ticks);

/* For policies. Not allowed to run for now, and allowed again: the second
 * queues it under its key. Both may be called of one that is not runnable. */
void sched_park(struct vcpu *vcpu);
void sched_unpark(struct vcpu *vcpu);
/* The hart is to choose anew, soon. */
void sched_again(struct hyp_cpu *cpu);
/* Who waits on this hart with the smallest key; NULL: nobody. */
const struct vcpu *sched_front(const struct hyp_cpu *cpu);
/* If it waits in a queue, then from now on under this key. */
void sched_rekey(struct vcpu *vcpu, uint64_t key);
/* It has something to do: it is running, queued or parked. */
bool sched_runnable(const struct vcpu *vcpu);
/* How many vCPUs of a VM have. */
uint32_t sched_active(const struct vm *vm);

#endif
