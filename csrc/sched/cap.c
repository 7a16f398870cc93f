/* cap.c - a VM with a cap gets no more, even if nobody else wants the rest.
 *
 * In each period it may use `cap` percent of one hart's cycles. Its vCPUs may
 * run on several harts at once, so each takes what its next slice can cost
 * out of the VM's purse beforehand, and puts back what is left. No slice of a
 * capped VM goes beyond the end of the period. What was used too much, since
 * a step of the hypervisor cannot be cut short, is missing in the next. */
#include "hyp/hyp.h"
#include "sched/sched.h"

/* marker: lab-cap-take */
uint64_t cap_take(struct vcpu *vcpu, uint64_t ticks, uint64_t now)
{
    struct hyp *hyp = vcpu->vm->hyp;
    struct vm  *vm = vcpu->vm;

    if (!vm->sched.cap)
        return ticks;
    cap_return(vcpu);
    if (now < hyp->sched.period_end && ticks > hyp->sched.period_end - now)
        ticks = hyp->sched.period_end - now;
    if (cap_spent(vm))
        return 0;
    if (ticks > (uint64_t)vm->cap_left / hyp->tick)
        ticks = (uint64_t)vm->cap_left / hyp->tick;
    vcpu->sched.granted = ticks * hyp->tick;
    vm->cap_left -= (int64_t)vcpu->sched.granted;
    return ticks;
}
/* marker: end */

void cap_return(struct vcpu *vcpu)
{
    vcpu->vm->cap_left += (int64_t)vcpu->sched.granted;
    vcpu->sched.granted = 0;
}

/* marker: lab-cap-charge */
void cap_charge(struct vcpu *vcpu, uint64_t cycles)
{
    uint64_t granted = vcpu->sched.granted;

    if (!vcpu->vm->sched.cap)
        return;
    if (cycles > granted) {
        vcpu->vm->cap_left -= (int64_t)(cycles - granted);
        cycles = granted;
    }
    vcpu->sched.granted -= cycles;
}
/* marker: end */

bool cap_spent(const struct vm *vm)
{
    return vm->sched.cap && vm->cap_left < (int64_t)vm->hyp->tick;
}

void cap_refill(struct vm *vm)
{
    const struct hyp *hyp = vm->hyp;
    int64_t           debt = vm->cap_left < 0 ? vm->cap_left : 0;
    uint64_t          cycles = hyp->config.period * (uint64_t)hyp->tick;

    vm->cap_left = debt + (int64_t)(cycles * vm->sched.cap / 100);
}
