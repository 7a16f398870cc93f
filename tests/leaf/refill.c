/* refill.c - a period's cycles are poured out by weight. What is right is said
 * by what fairness means (max-min, with weights), not by a way to get there:
 * nobody has more than it can use, nothing is left while anybody could use it,
 * and who could use more has no less for its weight than any other. Two ticks
 * of each may be lost: to the VM's part, and where vCPUs share it. */
#include "sched/refill.c"
#include "leaf_check.h"

#define VMS 3

static struct hyp  hyp;
static struct pcpu pcpu;
static struct vm   vms[VMS];
static struct vcpu vcpus[VMS][2];

static uint64_t can_use(const struct vm *vm)
{
    uint64_t all = (uint64_t)vm->config.nr_vcpus * hyp.config.period;
    uint64_t cap = (uint64_t)hyp.config.period * vm->sched.cap / 100;

    return vm->sched.cap && cap < all ? cap : all;
}

static bool check_fair(struct leaf *out, const uint64_t *got, uint32_t shape)
{
    uint64_t sum = 0, whole = (uint64_t)hyp.config.period * hyp.nr_cpus;
    bool     content = true;

    for (uint32_t i = 0; i < VMS; i++) {
        SAME("more than it can use", 0, got[i] > can_use(&vms[i]), shape, i,
             got[i], can_use(&vms[i]));
        sum += got[i];
        content = content && got[i] == can_use(&vms[i]);
    }
    SAME("more than there is", 0, sum > whole, shape, sum, whole, 0);
    if (!content)
        SAME("less than there is", 0, sum + 2 * VMS <= whole, shape, sum, whole,
             0);
    for (uint32_t i = 0; i < VMS; i++)
        for (uint32_t j = 0; got[i] < can_use(&vms[i]) && j < VMS; j++)
            SAME("unfair", 0,
                 (got[i] + 2) * vms[j].sched.weight <
                     got[j] * vms[i].sched.weight,
                 shape, i, j, got[i]);
    return true;
}

/* Those who owe or own nothing get a whole period's credit. */
static bool check_period(struct leaf *out, uint32_t shape)
{
    uint64_t got[VMS] = { 0 };

    for (uint32_t i = 0; i < VMS; i++)
        for (uint32_t k = 0; k < 2; k++)
            vcpus[i][k].sched.credit = (struct sched_credit){
                .active = k < vms[i].config.nr_vcpus
            };
    credit_account(&hyp, 0);
    for (uint32_t i = 0; i < VMS; i++)
        for (uint32_t k = 0; k < vms[i].config.nr_vcpus; k++)
            got[i] += (uint64_t)vcpus[i][k].sched.credit.credit;
    return check_fair(out, got, shape);
}

static bool check_give(struct leaf *out)
{
    struct vcpu vcpu = { .vm = &vms[0] };

    for (int64_t has = -20; has <= 20; has++)
        for (int64_t cycles = 0; cycles <= 12; cycles++)
            for (int64_t limit = 1; limit <= 9; limit++) {
                vcpu.sched.credit.credit = has;
                int64_t over = give(&vcpu, cycles, limit);
                int64_t now = vcpu.sched.credit.credit;

                SAME("give: bounds", true, now >= -limit && now <= limit, has,
                     cycles, limit, over);
                if (has + cycles >= -limit)
                    SAME("give: conserves", has + cycles, now + over, has,
                         cycles, limit, over);
            }
    return true;
}

static void set(struct vm *vm, uint32_t shape)
{
    static const uint32_t weights[] = { 1, 2, 3, 256, WEIGHT_MAX };
    static const uint32_t caps[] = { 0, 10, 50, 150 };

    vm->sched.weight = weights[shape % 5];
    vm->sched.cap = caps[shape / 5 % 4];
    vm->config.nr_vcpus = 1 + shape / 20;
}

bool leaf_refill(struct leaf *out)
{
    hyp.tick = 1;
    hyp.config.slice = hyp.config.period = 1000;
    hyp.cpu[0].pcpu = &pcpu;
    hyp.nr_slots = VMS + 1;
    for (uint32_t i = 0; i < VMS; i++) {
        vms[i] = (struct vm){ .hyp = &hyp, .vcpu = vcpus[i] };
        hyp.slot[i + 1] = &vms[i];
        vcpus[i][0].vm = vcpus[i][1].vm = &vms[i];
    }
    for (uint32_t shape = 0; shape < 40 * 40 * 40; shape++) {
        hyp.nr_cpus = 1 + shape % 3;
        set(&vms[0], shape % 40);
        set(&vms[1], shape / 40 % 40);
        set(&vms[2], shape / 1600);
        if (!check_period(out, shape))
            return false;
    }
    return check_give(out);
}
