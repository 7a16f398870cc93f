/* account.c - exact charging: of what passed on a hart, every cycle is booked
 * once, when it is known for whom it was. Sampling at ticks is cheaper, and an
 * invitation: who sleeps when the tick comes runs for nothing (Zhou et al.,
 * Scheduler vulnerabilities and coordinated attacks in cloud computing, 2011;
 * csrc/sched/sampled.c). */
#include "sched/account.h"
#include "hyp/hyp.h"
#include "sched/sched.h"

void account(struct hyp_cpu *cpu, enum spent kind, struct vcpu *vcpu)
{
    uint64_t now = hal_cycles(cpu->pcpu), cycles = now - cpu->mark;

    cpu->mark = now;
    cpu->spent[kind] += cycles;
    if (!vcpu)
        return;
    if (kind == SPENT_GUEST)
        vcpu->vm->count.guest_cycles += cycles;
    else
        vcpu->vm->count.hyp_cycles += cycles;
    vcpu->charged += cycles;
    sched_charge(vcpu, cycles);
}

static enum runstate state_of(const struct vcpu *vcpu)
{
    if (vcpu->on)
        return RUN_RUNNING;
    if (vcpu->vm->state != VM_LIVE || vcpu->state == VCPU_STOPPED)
        return RUN_OFFLINE;
    return vcpu->state == VCPU_RUNNABLE ? RUN_RUNNABLE : RUN_BLOCKED;
}

/* Clocks of two harts differ a little: no span is negative. */
static uint64_t span(const struct vcpu *vcpu)
{
    uint64_t now = sched_now(vcpu->vm->hyp);

    return now > vcpu->run.since ? now - vcpu->run.since : 0;
}

void runstate_update(struct vcpu *vcpu)
{
    enum runstate state = state_of(vcpu);

    if (state == vcpu->run.state)
        return;
    vcpu->run.time[vcpu->run.state] += span(vcpu);
    vcpu->run.since += span(vcpu);
    vcpu->run.state = state;
}

void runstate_times(struct vcpu *vcpu, uint64_t time[NR_RUNSTATES])
{
    for (uint32_t i = 0; i < NR_RUNSTATES; i++)
        time[i] = vcpu->run.time[i];
    time[vcpu->run.state] += span(vcpu);
}
