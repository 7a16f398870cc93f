/* timer.c - a list of armed timers, soonest first; a vCPU is in it exactly
 * when its `timer` is not TIME_NEVER. */
#include "sched/timer.h"
#include "hyp/hyp.h"

static void timer_remove(struct vcpu *vcpu)
{
    struct vcpu **at = &vcpu->vm->hyp->timers;

    if (vcpu->timer == TIME_NEVER)
        return;
    while (*at != vcpu)
        at = &(*at)->timer_next;
    *at = vcpu->timer_next;
    vcpu->timer = TIME_NEVER;
}

void timer_set(struct vcpu *vcpu, uint64_t time)
{
    struct vcpu **at = &vcpu->vm->hyp->timers;

    timer_remove(vcpu);
    vcpu->csr.sip &= ~(uint32_t)MIP_STIP;
    if (time == TIME_NEVER)
        return;
    while (*at && (*at)->timer <= time)
        at = &(*at)->timer_next;
    vcpu->timer = time;
    vcpu->timer_next = *at;
    *at = vcpu;
}

/* Only at home; and some policies do not let every timer interrupt now. */
static bool heard(const struct vcpu *vcpu, const struct hyp_cpu *cpu)
{
    const struct policy *policy = cpu->hyp->config.policy;

    return vcpu->sched.home == cpu &&
           (!policy->hears || policy->hears(cpu, vcpu));
}

struct vcpu *timer_expire(struct hyp_cpu *cpu, uint64_t now)
{
    struct vcpu *vcpu = cpu->hyp->timers, *next, *owner = NULL;

    for (; vcpu && vcpu->timer <= now; vcpu = next) {
        next = vcpu->timer_next;
        if (!heard(vcpu, cpu))
            continue;
        timer_remove(vcpu);
        vcpu_raise(vcpu, MIP_STIP);
        if (vcpu != cpu->current)
            owner = vcpu;
    }
    return owner;
}

uint64_t timer_next(const struct hyp_cpu *cpu)
{
    const struct vcpu *vcpu = cpu->hyp->timers;

    while (vcpu && !heard(vcpu, cpu))
        vcpu = vcpu->timer_next;
    return vcpu ? vcpu->timer : TIME_NEVER;
}

void timer_ask(struct vcpu *vcpu, uint64_t deadline)
{
    uint64_t now = hal_time(vcpu->on), guest = vcpu_time(vcpu);
    uint64_t wait = deadline > guest ? deadline - guest : 0;

    /* By how long it is from now: a guest may be older than its machine, which
     * restored it, and then it was born before time 0. */
    bool never = deadline == TIME_NEVER || wait >= TIME_NEVER - now;
    timer_set(vcpu, never ? TIME_NEVER : now + wait);
    timer_expire(vcpu->on->hyp, now);
}
