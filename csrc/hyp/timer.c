/* timer.c - a list of armed timers, soonest first; a vCPU is in it exactly
 * when its `timer` is not TIME_NEVER. */
#include "hyp/timer.h"
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

void timer_expire(struct hyp *hyp, uint64_t now)
{
    while (hyp->timers && hyp->timers->timer <= now) {
        struct vcpu *vcpu = hyp->timers;

        timer_remove(vcpu);
        vcpu->csr.sip |= MIP_STIP;
        vcpu_wake(vcpu);
    }
}

uint64_t timer_next(const struct hyp *hyp)
{
    return hyp->timers ? hyp->timers->timer : TIME_NEVER;
}
