/* sampled.c - an exhibit: credit, but charged at the tick. Do not use it.
 *
 * At fixed times, a slice apart, whoever runs then pays for a whole slice, and
 * whoever has just woken goes first until the next tick. Both look cheap and
 * fair enough, and Xen did the same until 2011: but a guest that sleeps just
 * before each tick never pays, and so is never without credit and goes first
 * whenever it wakes. It gets nearly all of the hart (Zhou, Goel, Desnoyers and
 * Sundaram, Scheduler vulnerabilities and coordinated attacks in cloud
 * computing, 2011). guestkernel/sched/theft.c does just that. */
#include "sched/credit.h"
#include "sched/timer.h"

static uint64_t sampled_next(const struct hyp_cpu *cpu)
{
    uint64_t slice = cpu->hyp->config.slice;

    if (!cpu->current)
        return TIME_NEVER;
    return (hal_time(cpu->pcpu) / slice + 1) * slice;
}

static void sampled_tick(struct hyp_cpu *cpu, uint64_t now)
{
    uint64_t slice = cpu->hyp->config.slice;

    if (now / slice == cpu->ticked)
        return;
    cpu->ticked = now / slice;
    if (!cpu->current)
        return;
    struct sched_credit *c = &cpu->current->sched.credit;
    c->credit -= (int64_t)(slice * cpu->hyp->tick);
    c->boosted = false;
    cpu->resched = true;
}

const struct policy policy_sampled = {
    .name = "sampled",
    .account = credit_account,
    .wake = credit_wake,
    .requeue = credit_requeue,
    .limit = credit_limit,
    .preempts = credit_preempts,
    .steals = credit_steals,
    .next = sampled_next,
    .tick = sampled_tick,
};
