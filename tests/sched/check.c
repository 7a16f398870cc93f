/* check.c - what must hold of queues, harts and books after every step. */
#include "sched/sched.h"
#include "sim_internal.h"

static bool runnable(const struct vcpu *vcpu)
{
    return vcpu->state == VCPU_RUNNABLE && vcpu->vm->state == VM_LIVE;
}

static const char *check_queue(const struct hyp_cpu *cpu)
{
    const struct vcpu *before = NULL;
    uint32_t           n = 0;

    for (const struct vcpu *at = cpu->queue.head; at; at = at->sched.next) {
        if (++n > cpu->queue.len)
            return "a queue is longer than it says";
        if (!at->sched.queued || at->sched.home != cpu)
            return "a vCPU is on a queue that is not its home's";
        if (!runnable(at) || at->on || at->sched.parked)
            return "a vCPU is queued that does not wait";
        if (!(at->sched.affinity >> cpu->pcpu->id & 1))
            return "a vCPU waits where it may not run";
        if (at->sched.prev != before)
            return "a queue is not the same backwards";
        if (before && before->sched.key > at->sched.key)
            return "a queue is out of order";
        before = at;
    }
    if (n != cpu->queue.len || cpu->queue.tail != before)
        return "a queue is shorter than it says";
    return NULL;
}

static const char *check_hart(const struct sim *sim, uint32_t id)
{
    const struct hyp_cpu *cpu = &sim->hal.hyp.cpu[id];
    const struct vcpu    *current = cpu->current;
    uint64_t sum = cpu->spent[SPENT_GUEST] + cpu->spent[SPENT_HYP] +
                   cpu->spent[SPENT_IDLE];

    if (current && (!current->on || current->on->hyp != cpu))
        return "a hart runs what is not on it";
    if (!current != sim->hal.hart[id].waiting)
        return "a hart waits with a vCPU, or runs without";
    if (sum != cpu->mark || cpu->mark > sim->hal.hart[id].cycle)
        return "guest, hypervisor and idle time are not what has passed";
    return check_queue(cpu);
}

/* On its way to a hart, or to be looked at there: nothing has got lost. */
static bool will_look(const struct sim *sim, uint32_t id)
{
    return sim->hal.hart[id].kicked || sim->hal.hart[id].msip ||
           sim->hal.hyp.cpu[id].resched;
}

static const char *check_vcpu(const struct sim *sim, const struct vcpu *vcpu)
{
    const struct hyp *hyp = &sim->hal.hyp;
    bool              waits = runnable(vcpu) && !vcpu->on;

    if (vcpu->on && vcpu->on->hyp->current != vcpu)
        return "a vCPU is on a hart that runs another";
    if (vcpu->sched.queued && vcpu->on)
        return "a vCPU is queued and on a hart";
    if (waits && !vcpu->sched.parked && !vcpu->sched.queued)
        return "lost: runnable, but on no queue and no hart";
    if (vcpu->state == VCPU_BLOCKED && vcpu->vm->state == VM_LIVE &&
        vcpu_sip(&vcpu->vm->vcpu[vcpu->id]))
        return "lost wake-up: blocked with an interrupt pending";
    if (vcpu->on && !(runnable(vcpu) && !vcpu->sched.parked) &&
        !will_look(sim, vcpu->on->id))
        return "a vCPU runs that may not";
    if (hyp->config.policy->partitioned || hyp->sched.gang)
        return NULL;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (will_look(sim, i))
            return NULL;
    for (uint32_t i = 0; vcpu->sched.queued && i < hyp->nr_cpus; i++)
        if (!hyp->cpu[i].current && vcpu->sched.affinity >> i & 1)
            return "a hart is idle while a vCPU waits that may run there";
    return NULL;
}

const char *sim_check(struct sim *sim)
{
    const struct hyp *hyp = &sim->hal.hyp;
    const char       *why = NULL;

    for (uint32_t i = 0; !why && i < hyp->nr_cpus; i++)
        why = check_hart(sim, i);
    for (uint32_t slot = 1; !why && slot < MAX_VMS; slot++) {
        const struct vm *vm = hyp->slot[slot];

        for (uint32_t i = 0; vm && !why && i < vm->config.nr_vcpus; i++)
            why = check_vcpu(sim, &vm->vcpu[i]);
    }
    return why;
}
