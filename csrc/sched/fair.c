/* fair.c - virtual time: who has had least of what is due to it, is next.
 *
 * A vCPU's vtime grows with every cycle that it runs, the slower the more its
 * VM weighs, and it is the key: so all vtimes grow alike, and cycles as the
 * weights. A VM's weight is that of all its runnable vCPUs together. (Stride
 * scheduling: Waldspurger and Weihl, 1995; Linux's CFS, 2007.)
 *
 * There is one virtual time for all harts, which steal from each other what
 * lags behind. On one hart no two vtimes are ever further apart than a slice
 * of one of them is worth. On several they could be: one that weighs more than
 * a hart can give falls behind for ever, one that nobody competes with runs
 * ahead. The first has no claim to what it could not use, and the second owes
 * nothing; and who sleeps saves no more than one slice. */
#include "hyp/hyp.h"

/* vtime has this many units for a cycle of a VM of weight 1, so that a cycle of
 * the heaviest still counts. It wraps after 2^45 of those. */
#define SCALE 65536u

/* A slice may take longer by one exit; a longer one than this is no slice. */
#define LONGEST_EXIT  20000u
#define LONGEST_SLICE (1ull << 40)
#define MAX_LEAD      ((int64_t)1 << 46) /* of a vtime, to be reckoned with */

static uint64_t worth(const struct vcpu *vcpu, uint64_t cycles)
{
    uint32_t active = sched_active(vcpu->vm);

    if (cycles > LONGEST_SLICE)
        cycles = LONGEST_SLICE;
    return cycles * SCALE * (active ? active : 1) / vcpu->vm->sched.weight;
}

static uint64_t worth_slice(const struct vcpu *vcpu)
{
    const struct hyp *hyp = vcpu->vm->hyp;

    return worth(vcpu, (uint64_t)hyp->config.slice * hyp->tick + LONGEST_EXIT);
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The least vtime of those that wait, and of those that run, but `but`.
 * UINT64_MAX: there are none. */
struct least { uint64_t waits, runs; };

static struct least least_of(const struct hyp *hyp, const struct vcpu *but)
{
    struct least least = { UINT64_MAX, UINT64_MAX };

    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        const struct vcpu *front = sched_front(&hyp->cpu[i]);
        const struct vcpu *current = hyp->cpu[i].current;

        if (front)
            least.waits = min(least.waits, front->sched.vtime);
        if (current && current != but && sched_runnable(current))
            least.runs = min(least.runs, current->sched.vtime);
    }
    return least;
}

/* Where virtual time is. One that runs may be far behind, since it weighs too
 * much for its hart: it only counts if nobody waits. */
static uint64_t floor_of(const struct hyp *hyp, const struct vcpu *but)
{
    struct least least = least_of(hyp, but);

    return least.waits != UINT64_MAX ? least.waits : least.runs;
}

/* How far behind those that wait it can honestly be. */
static uint64_t claim(const struct hyp *hyp)
{
    uint64_t least = UINT64_MAX;

    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        const struct vcpu *front = sched_front(&hyp->cpu[i]);

        if (front)
            least = min(least,
                        less(front->sched.vtime, 2 * worth_slice(front)));
    }
    return least == UINT64_MAX ? 0 : least;
}

static void fair_wake(struct vcpu *vcpu, uint64_t now)
{
    struct sched_vcpu *s = &vcpu->sched;
    uint64_t floor = floor_of(vcpu->vm->hyp, vcpu), slice = worth_slice(vcpu);

    (void)now;
    if (floor != UINT64_MAX && s->vtime < less(floor, slice))
        s->vtime = less(floor, slice);
    if (floor != UINT64_MAX && s->vtime > floor + 2 * slice)
        s->vtime = floor + 2 * slice;
    s->key = s->vtime;
}

static uint64_t fair_requeue(struct vcpu *vcpu, uint64_t now)
{
    struct sched_vcpu *s = &vcpu->sched;
    const struct hyp  *hyp = vcpu->vm->hyp;
    uint64_t           least = claim(hyp), floor = floor_of(hyp, vcpu);

    (void)now;
    if (s->vtime < least)
        s->vtime = least;
    if (floor != UINT64_MAX && !sched_front(s->home) &&
        s->vtime > floor + 2 * worth_slice(vcpu))
        s->vtime = floor + 2 * worth_slice(vcpu);
    return s->vtime;
}

static void fair_charge(struct vcpu *vcpu, uint64_t cycles)
{
    vcpu->sched.vtime += worth(vcpu, cycles);
}

static bool fair_preempts(const struct vcpu *woken, const struct vcpu *current)
{
    return woken->sched.vtime < current->sched.vtime;
}

/* Only what would still be behind after a slice: moving costs. */
static bool fair_steals(const struct vcpu *theirs, const struct vcpu *mine)
{
    return theirs->sched.vtime + worth_slice(theirs) < mine->sched.key;
}

/* Another weight: what it is ahead by stays as many cycles. */
static bool fair_admit(struct vm *vm, const struct sched_params *params,
                       const char **why)
{
    struct least least = least_of(vm->hyp, NULL);
    uint64_t     floor = min(least.waits, least.runs);
    int64_t      before = vm->sched.weight, now = params->weight;

    (void)why;
    for (uint32_t i = 0; before && i < vm->config.nr_vcpus; i++) {
        struct sched_vcpu *s = &vm->vcpu[i].sched;
        int64_t            lead = (int64_t)(s->vtime - floor);

        if (floor == UINT64_MAX || lead > MAX_LEAD || lead < -MAX_LEAD)
            continue;
        lead = lead * before / now;
        s->vtime = lead < 0 ? less(floor, (uint64_t)-lead)
                            : floor + (uint64_t)lead;
        sched_rekey(&vm->vcpu[i], s->vtime);
    }
    return true;
}

const struct policy policy_fair = {
    .name = "fair",
    .admit = fair_admit,
    .wake = fair_wake,
    .requeue = fair_requeue,
    .charge = fair_charge,
    .preempts = fair_preempts,
    .steals = fair_steals,
};
