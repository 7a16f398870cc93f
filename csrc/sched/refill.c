/* refill.c - a new period: all harts' cycles are given out as credit.
 *
 * They go to the VMs that were active, as their weights say, but to none more
 * than it can use: a vCPU runs on one hart at a time, and a VM may have a cap.
 * What is over goes to the others, by weight again ("water-filling": pour, and
 * where a cup is full, the rest is poured into those that are not). Of a VM's
 * part, each active vCPU gets as much, but saves no more than its part and a
 * slice; what would be more, the others of its VM get. Likewise nobody owes
 * more than that: who used what others left has taken nothing from them. */
#include "hyp/trace.h"
#include "sched/credit.h"

/* What is left of the period's ticks, for VMs of so much weight together. */
struct rest { uint64_t ticks, weight; };

static bool is_active(const struct vcpu *vcpu)
{
    return vcpu->sched.credit.active || sched_runnable(vcpu);
}

static uint32_t nr_active(const struct vm *vm)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        n += is_active(&vm->vcpu[i]);
    return n;
}

/* How many ticks the VM can use in a period. */
static uint64_t most(const struct vm *vm)
{
    uint64_t period = vm->hyp->config.period;
    uint64_t ticks = nr_active(vm) * period, cap = period * vm->sched.cap / 100;

    return vm->sched.cap && cap < ticks ? cap : ticks;
}

/* marker: lab-credit-part */
static uint64_t part(const struct vm *vm, struct rest rest)
{
    uint64_t ticks = most(vm);

    if (rest.weight && rest.ticks * vm->sched.weight / rest.weight < ticks)
        ticks = rest.ticks * vm->sched.weight / rest.weight;
    return ticks;
}
/* marker: end */

/* Pour again, given what was left to the others the last time: `rest` is left
 * to those who would not have been full. */
static struct rest pour(const struct hyp *hyp, struct rest last)
{
    struct rest rest = { (uint64_t)hyp->config.period * hyp->nr_cpus, 0 };

    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        const struct vm *vm = hyp->slot[slot];

        if (!vm || !nr_active(vm))
            continue;
        if (part(vm, last) == most(vm))
            rest.ticks -= most(vm);
        else
            rest.weight += vm->sched.weight;
    }
    return rest;
}

/* For a vCPU that neither saves nor owes more than `limit`: what it cannot
 * take of these cycles. */
static int64_t give(struct vcpu *vcpu, int64_t cycles, int64_t limit)
{
    int64_t sum = vcpu->sched.credit.credit + cycles;
    int64_t bound = sum > limit ? limit : sum < -limit ? -limit : sum;

    vcpu->sched.credit.credit = bound;
    return sum > bound ? sum - bound : 0;
}

static void refill(struct vm *vm, int64_t cycles)
{
    const struct hyp *hyp = vm->hyp;
    int64_t           slice = (int64_t)hyp->config.slice * hyp->tick;
    int64_t           each = cycles / nr_active(vm), over = 0, needy = 0;
    int64_t           limit = each + slice;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        struct sched_credit *c = &vm->vcpu[i].sched.credit;

        if (is_active(&vm->vcpu[i])) {
            over += give(&vm->vcpu[i], each, limit);
            needy += c->credit < limit;
        }
    }
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        if (over && is_active(&vm->vcpu[i]) &&
            vm->vcpu[i].sched.credit.credit < limit)
            give(&vm->vcpu[i], over / needy, INT64_MAX);
}

/* Its place among those that wait is by what it has now. */
static void begin_period(struct vcpu *vcpu)
{
    const struct hyp *hyp = vcpu->vm->hyp;
    uint64_t          key;

    vcpu->sched.credit.active = false;
    vcpu->sched.credit.boost = (int64_t)hyp->config.slice * hyp->tick;
    key = credit_key(vcpu);
    trace(vcpu->sched.home ? vcpu->sched.home->pcpu : hyp->cpu[0].pcpu,
          EVENT_credit, vcpu, (uint32_t)vcpu->sched.credit.credit);
    if (key >> RANK_SHIFT == OVER ||
        key >> RANK_SHIFT != vcpu->sched.key >> RANK_SHIFT)
        sched_rekey(vcpu, key);
}

void credit_account(struct hyp *hyp, uint64_t now)
{
    struct rest last, rest = { 0, 1 }; /* as if nobody were full */

    (void)now;
    do {
        last = rest;
        rest = pour(hyp, last);
    } while (rest.weight != last.weight);
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        struct vm *vm = hyp->slot[slot];

        if (vm && nr_active(vm))
            refill(vm, (int64_t)(part(vm, rest) * hyp->tick));
        for (uint32_t i = 0; vm && i < vm->config.nr_vcpus; i++)
            begin_period(&vm->vcpu[i]);
    }
}
