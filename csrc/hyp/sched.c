/* sched.c - round robin with preemption.
 *
 * Runnable vCPUs of all VMs wait in one queue; the one in front runs until its
 * slice ends, it blocks, or it yields. Invariant: a vCPU is queued exactly
 * when it is runnable, its VM is live, and it is on no hart. */
#include "hyp/sched.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/timer.h"

static void queue_push(struct hyp *hyp, struct vcpu *vcpu)
{
    vcpu->queued = true;
    vcpu->queue_next = NULL;
    if (hyp->queue_tail)
        hyp->queue_tail->queue_next = vcpu;
    else
        hyp->queue_head = vcpu;
    hyp->queue_tail = vcpu;
}

static void queue_remove(struct hyp *hyp, struct vcpu *vcpu)
{
    struct vcpu *before = NULL, *at = hyp->queue_head;

    while (at != vcpu) {
        before = at;
        at = at->queue_next;
    }
    if (before)
        before->queue_next = vcpu->queue_next;
    else
        hyp->queue_head = vcpu->queue_next;
    if (hyp->queue_tail == vcpu)
        hyp->queue_tail = before;
    vcpu->queued = false;
}

void sched_wake(struct vcpu *vcpu)
{
    bool ready = vcpu->state == VCPU_RUNNABLE && vcpu->vm->state == VM_LIVE;

    if (ready && !vcpu->on && !vcpu->queued)
        queue_push(vcpu->vm->hyp, vcpu);
}

void sched_sleep(struct vcpu *vcpu)
{
    if (vcpu->queued)
        queue_remove(vcpu->vm->hyp, vcpu);
    if (vcpu->on)
        vcpu->on->hyp->resched = true;
}

void sched_give_way(struct vcpu *vcpu)
{
    if (vcpu->on)
        vcpu->on->hyp->resched = true;
}

void sched_tick(struct pcpu *pcpu, uint64_t now)
{
    timer_expire(pcpu->hyp->hyp, now);
    if (now >= pcpu->hyp->slice_end)
        pcpu->hyp->resched = true;
}

void sched_deschedule(struct vcpu *vcpu)
{
    struct pcpu *pcpu = vcpu->on;

    if (!pcpu)
        return;
    vcpu_leave_world(vcpu);
    vcpu->saved = *pcpu->regs;
    vcpu->on = NULL;
    vcpu->vm->style->paging->release(vcpu);
    pcpu->hyp->current = NULL;
    hal_wait(pcpu);
    sched_wake(vcpu);
}

/* A guest can sleep until the end of time. What would end after it, never
 * ends; a sum that wrapped would lie in the past, and every slice with it. */
static uint64_t slice_from(struct pcpu *pcpu)
{
    uint64_t now = hal_time(pcpu), slice = pcpu->hyp->hyp->config.slice;

    return slice < TIME_NEVER - now ? now + slice : TIME_NEVER;
}

static void sched_run(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    queue_remove(cpu->hyp, vcpu);
    vcpu->on = pcpu;
    *pcpu->regs = vcpu->saved;
    cpu->current = vcpu;
    cpu->new_slice = true;
    vcpu->insns_base = hal_instret(pcpu);
    vcpu->cycles_in = hal_cycles(pcpu);
    vcpu->traps_base = hal_traps(pcpu);
    vcpu->vm->count.switches++;
    hal_charge(pcpu, HAL_COST_world_switch, 1);
}

bool hyp_switch_to(struct pcpu *pcpu, struct vcpu *vcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    if (cpu->current == vcpu)
        return true;
    if (!vcpu->queued)
        return false;
    if (cpu->current) {
        vcpu_account(cpu->current);
        sched_deschedule(cpu->current);
    }
    sched_run(pcpu, vcpu);
    cpu->resched = false;
    return true;
}

/* The one in front; the present one, if it may go on, only when alone. */
static void sched_pick(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;
    struct vcpu    *old = cpu->current;
    bool            goes_on = old && old->state == VCPU_RUNNABLE &&
                              old->vm->state == VM_LIVE;

    cpu->resched = false;
    hal_charge(pcpu, HAL_COST_pick, 1);
    if (goes_on && !cpu->hyp->queue_head) {
        cpu->new_slice = true;
        return;
    }
    if (old)
        sched_deschedule(old);
    if (cpu->hyp->queue_head)
        sched_run(pcpu, cpu->hyp->queue_head);
}

void sched_leave(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    if (cpu->resched || !cpu->current)
        sched_pick(pcpu);
}

void sched_arm(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;
    uint64_t        next = timer_next(cpu->hyp);

    if (cpu->new_slice)
        cpu->slice_end = slice_from(pcpu);
    cpu->new_slice = false;
    if (cpu->hyp->reclaim.at < next)
        next = cpu->hyp->reclaim.at;
    if (cpu->current && cpu->slice_end < next)
        next = cpu->slice_end;
    if (next != cpu->armed)
        hal_set_timer(pcpu, next);
    cpu->armed = next;
}
