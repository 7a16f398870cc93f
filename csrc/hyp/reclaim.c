/* reclaim.c - more was promised than there is, and now it is wanted.
 *
 * Only a host whose admission is `overcommit` gets here: on a strict one every
 * frame that a guest can ask for is reserved. In this order, each step only if
 * the one before did not help:
 *
 *   1. little is left (a 16th)  balloons are asked to go down to the fair share
 *                               until a quarter is free again
 *   2. none is left             equal pages are looked for, a bounded piece
 *   3.                          the vCPU that needs a frame sleeps. It tries
 *                               again as soon as one is there, given back by a
 *                               balloon, a VM that ends, or a scan
 *   4. RECLAIM_TICKS later      all pages are scanned once; then the VM that
 *                               holds the most frames beyond its promise is
 *                               killed, the lowest id of equals
 *
 * A VM within its promise is never killed, and no other loses anything. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/services.h"
#include "sched/sched.h"
#include "sched/timer.h"

#define RECLAIM_TICKS 200000 /* of `time`: 20 ms */
#define RECLAIM_SCAN  256    /* entries */
#define LOW_PART      16
#define HIGH_PART     4

uint32_t reclaim_fair(const struct hyp *hyp)
{
    uint32_t frames = hyp->frames.count - hyp->frames.hyp;

    return hyp->nr_vms ? frames / hyp->nr_vms : frames;
}

enum trap_action reclaim_wait(struct vcpu *vcpu)
{
    struct hyp *hyp = vcpu->vm->hyp;
    uint32_t    merged = 0;

    HV_ASSERT(hyp->hal, hyp->config.overcommit);
    vcpu->vm->count.starved++;
    share_scan(hyp, vcpu->on, RECLAIM_SCAN, &merged);
    if (frames_available(&hyp->frames) > 0)
        return TRAP_RESUME;
    if (hyp->reclaim.at == TIME_NEVER)
        hyp->reclaim.at = hal_time(vcpu->on) + RECLAIM_TICKS;
    vcpu->state = VCPU_STARVED;
    sched_sleep(vcpu);
    return TRAP_RESUME;
}

/* marker: victim */
static uint32_t beyond(const struct vm *vm)
{
    return vm->p2m.own > vm->p2m.minimum ? vm->p2m.own - vm->p2m.minimum : 0;
}

static bool starves(const struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        if (vm->vcpu[i].state == VCPU_STARVED)
            return true;
    return false;
}

/* Where nobody has more than its promise, one of those that ask for more. */
static struct vm *victim(struct hyp *hyp)
{
    struct vm *worst = NULL;

    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        struct vm *vm = hyp->slot[slot];

        if (!vm || vm_ended(vm) || (!beyond(vm) && !starves(vm)))
            continue;
        if (!worst || beyond(vm) > beyond(worst) ||
            (beyond(vm) == beyond(worst) && vm->id < worst->id))
            worst = vm;
    }
    return worst;
}
/* marker: end */

/* It has ended; what it held goes at once, not when it is destroyed. */
static void kill_one(struct hyp *hyp, struct pcpu *pcpu)
{
    struct vm *vm = victim(hyp);

    if (!vm)
        return;
    vm_kill(vm,
            "machine memory ran out; frames beyond its promise:", beyond(vm));
    hyp->reclaim.kills++;
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        pv_reset(&vm->vcpu[i]);
    p2m_promise(vm, 0);
    for (uint32_t i = 0; i < vm->p2m.count; i++)
        p2m_drop(vm, pcpu, (gfn_t){ vm->p2m.first + i });
}

/* All try again. Who still finds nothing waits anew. */
static void wake(struct hyp *hyp)
{
    hyp->reclaim.at = TIME_NEVER;
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        struct vm *vm = hyp->slot[slot];

        for (uint32_t i = 0; vm && i < vm->config.nr_vcpus; i++)
            if (vm->vcpu[i].state == VCPU_STARVED) {
                vm->vcpu[i].state = VCPU_RUNNABLE;
                sched_wake(&vm->vcpu[i]);
            }
    }
}

void reclaim_tick(struct pcpu *pcpu)
{
    struct hyp     *hyp = pcpu->hyp->hyp;
    struct reclaim *reclaim = &hyp->reclaim;
    uint32_t        left = frames_available(&hyp->frames), merged = 0;

    if (!hyp->config.overcommit)
        return;
    if (left < hyp->frames.count / LOW_PART)
        reclaim->scarce = true;
    else if (left >= hyp->frames.count / HIGH_PART)
        reclaim->scarce = false;
    if (reclaim->at == TIME_NEVER)
        return;
    if (left == 0 && hal_time(pcpu) >= reclaim->at) {
        share_scan(hyp, pcpu, SHARE_ROUND, &merged);
        if (frames_available(&hyp->frames) == 0)
            kill_one(hyp, pcpu);
        wake(hyp);
    } else if (left > 0) {
        wake(hyp);
    }
}
