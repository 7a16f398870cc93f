/* edf.c - budgets: so many ticks in each period, whatever the others do.
 *
 * The vCPU whose period ends first runs first (earliest deadline first: Liu
 * and Layland, 1973), and each hart is a machine of its own: no vCPU leaves
 * the hart that admission found for it. A budget is kept to as well as
 * promised: when it is used up, its vCPU waits for the next period. Who sleeps
 * and wakes goes on with what is left of its budget, if it could not use that
 * up faster than its share; else it begins a new period (the constant bandwidth
 * server of Abeni and Buttazzo, 1998). An exit that took too long is paid back
 * out of the next budget.
 *
 * Who has no budget runs when no other does, in round robin. */
#include "sched/edf.h"
#include "hyp/trace.h"
#include "sched/sched.h"
#include "sched/timer.h"

/* Behind every deadline. */
#define BACKGROUND (1ull << 63)

static int64_t budget(const struct vcpu *vcpu)
{
    return (int64_t)vcpu->vm->sched.budget * vcpu->vm->hyp->tick;
}

/* Less than a tick cannot be measured out. */
static bool spent(const struct vcpu *vcpu)
{
    return vcpu->sched.edf.left < (int64_t)vcpu->vm->hyp->tick;
}

/* A new period, up to there. What was used too much, is missing. */
static void renew(struct vcpu *vcpu, uint64_t deadline)
{
    struct sched_edf *e = &vcpu->sched.edf;

    e->left = budget(vcpu) + (e->left < 0 ? e->left : 0);
    e->deadline = deadline < BACKGROUND ? deadline : BACKGROUND - 1;
}

static uint64_t key_of(const struct vcpu *vcpu)
{
    if (edf_reserved(vcpu))
        return vcpu->sched.edf.deadline;
    return BACKGROUND | ++vcpu->vm->hyp->sched.seq;
}

/* Its place is what its budget and deadline now say. */
static void settle(struct vcpu *vcpu)
{
    uint64_t key = key_of(vcpu);

    if (edf_reserved(vcpu) && spent(vcpu)) {
        sched_park(vcpu);
        return;
    }
    sched_rekey(vcpu, key);
    vcpu->sched.key = key;
    sched_unpark(vcpu);
    if (vcpu->on)
        sched_again(vcpu->on->hyp);
}

void edf_begin(struct vcpu *vcpu, uint64_t now)
{
    vcpu->sched.edf.left = 0;
    renew(vcpu, now + vcpu->vm->sched.period);
    settle(vcpu);
}

/* marker: lab-edf-wake */
/* With what is left it would get more than its share until its deadline. */
static bool too_much_left(const struct vcpu *vcpu, uint64_t now)
{
    const struct sched_params *params = &vcpu->vm->sched;
    const struct sched_edf    *e = &vcpu->sched.edf;

    return e->left > 0 &&
           (uint64_t)e->left / vcpu->vm->hyp->tick * params->period >
               (e->deadline - now) * params->budget;
}

static void edf_wake(struct vcpu *vcpu, uint64_t now)
{
    if (edf_reserved(vcpu)) {
        if (now >= vcpu->sched.edf.deadline || too_much_left(vcpu, now))
            renew(vcpu, now + vcpu->vm->sched.period);
        vcpu->sched.parked = spent(vcpu);
    }
    vcpu->sched.key = key_of(vcpu);
}
/* marker: end */

static uint64_t edf_requeue(struct vcpu *vcpu, uint64_t now)
{
    (void)now;
    return key_of(vcpu);
}

static uint64_t edf_limit(struct vcpu *vcpu, uint64_t now)
{
    const struct hyp       *hyp = vcpu->vm->hyp;
    const struct sched_edf *e = &vcpu->sched.edf;

    if (!edf_reserved(vcpu))
        return hyp->config.slice;
    if (spent(vcpu) || now >= e->deadline)
        return 1; /* about to be seen to */
    uint64_t ticks = (uint64_t)e->left / hyp->tick;
    return ticks < e->deadline - now ? ticks : e->deadline - now;
}

/* marker: lab-edf-charge */
static void edf_charge(struct vcpu *vcpu, uint64_t cycles)
{
    if (!edf_reserved(vcpu))
        return;
    vcpu->sched.edf.left -= (int64_t)cycles;
    if (spent(vcpu))
        sched_park(vcpu);
}
/* marker: end */

static bool edf_preempts(const struct vcpu *woken, const struct vcpu *current)
{
    return woken->sched.key < current->sched.key;
}

static uint64_t edf_next(const struct hyp_cpu *cpu)
{
    uint64_t next = TIME_NEVER;

    for (const struct vcpu *v = cpu->reserved; v; v = v->sched.edf.next)
        if (sched_runnable(v) && v->sched.edf.deadline < next)
            next = v->sched.edf.deadline;
    return next;
}

static void edf_tick(struct hyp_cpu *cpu, uint64_t now)
{
    for (struct vcpu *v = cpu->reserved; v; v = v->sched.edf.next) {
        struct sched_edf *e = &v->sched.edf;
        uint64_t          period = v->vm->sched.period;

        if (!sched_runnable(v) || now < e->deadline)
            continue;
        trace(cpu->pcpu, EVENT_credit, v, (uint32_t)e->left);
        renew(v, e->deadline + ((now - e->deadline) / period + 1) * period);
        settle(v);
    }
}

/* Whoever has no budget does not interrupt one who has. */
static bool edf_hears(const struct hyp_cpu *cpu, const struct vcpu *vcpu)
{
    return !cpu->current || vcpu == cpu->current || edf_reserved(vcpu) ||
           !edf_reserved(cpu->current);
}

const struct policy policy_edf = {
    .name = "edf",
    .partitioned = true,
    .admit = edf_admit,
    .forget = edf_forget,
    .wake = edf_wake,
    .requeue = edf_requeue,
    .limit = edf_limit,
    .charge = edf_charge,
    .preempts = edf_preempts,
    .next = edf_next,
    .tick = edf_tick,
    .hears = edf_hears,
};
