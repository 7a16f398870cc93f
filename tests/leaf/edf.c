/* edf.c - budgets: how long one may run, what is left, and when it is too much;
 * in small numbers all of them, and at the largest that parameters allow. */
#include "sched/edf.c"
#include "leaf_check.h"

static struct hyp     hyp;
static struct hyp_cpu at;
static struct pcpu    pcpu = { .hyp = &at };
static struct vm      vm = { .hyp = &hyp };

typedef unsigned __int128 wide;

/* left / until > budget / period, without a division. */
static bool faster(const struct vcpu *vcpu, uint64_t now)
{
    const struct sched_edf *e = &vcpu->sched.edf;

    return e->left > 0 &&
           (wide)((uint64_t)e->left / hyp.tick) * vm.sched.period >
               (wide)(e->deadline - now) * vm.sched.budget;
}

static uint64_t limit(const struct vcpu *vcpu, uint64_t now)
{
    const struct sched_edf *e = &vcpu->sched.edf;
    uint64_t                ticks = 1;

    while (e->left >= (int64_t)hyp.tick && now + ticks < e->deadline &&
           (int64_t)((ticks + 1) * hyp.tick) <= e->left)
        ticks++;
    return ticks;
}

static bool check_left(struct leaf *out, int64_t left, uint64_t until)
{
    struct vcpu vcpu = { .vm = &vm };
    uint64_t    now = 1000;

    vcpu.sched.edf = (struct sched_edf){ .left = left,
                                         .deadline = now + until };
    if (until)
        SAME("too_much_left", faster(&vcpu, now), too_much_left(&vcpu, now),
             left, until, vm.sched.budget, vm.sched.period);
    if (left < 1000)
        SAME("edf_limit", limit(&vcpu, now), edf_limit(&vcpu, now), left, until,
             hyp.tick, 0);
    SAME("spent", left / (int64_t)hyp.tick < 1, spent(&vcpu), left, hyp.tick, 0,
         0);
    renew(&vcpu, now);
    SAME("renew", (int64_t)vm.sched.budget * hyp.tick + (left < 0 ? left : 0),
         vcpu.sched.edf.left, left, vm.sched.budget, hyp.tick, 0);
    return true;
}

static bool check_small(struct leaf *out)
{
    for (hyp.tick = 1; hyp.tick <= 3; hyp.tick++)
        for (vm.sched.period = 1; vm.sched.period <= 9; vm.sched.period++)
            for (vm.sched.budget = 1; vm.sched.budget <= vm.sched.period;
                 vm.sched.budget++)
                for (int64_t left = -9; left <= 30; left++)
                    for (uint64_t until = 0; until <= 12; until++)
                        if (!check_left(out, left, until))
                            return false;
    return true;
}

static bool check_large(struct leaf *out)
{
    static const uint32_t large[] = { 1,          2,          0x7fffffff,
                                      0x80000000, 0xfffffffe, 0xffffffff };

    hyp.tick = 1000000;
    for (uint32_t i = 0; i < COUNT_OF(large); i++)
        for (uint32_t j = 0; j < COUNT_OF(large); j++)
            for (uint32_t k = 0; k < COUNT_OF(large); k++) {
                vm.sched.period = large[i];
                vm.sched.budget = large[j];
                int64_t left = (int64_t)large[j] * hyp.tick;
                if (large[j] <= large[i] && !check_left(out, left, large[k]))
                    return false;
            }
    return true;
}

/* After a tick, however late, the deadline is the first one behind it. */
static bool check_ticks(struct leaf *out)
{
    struct vcpu vcpu = { .vm = &vm, .state = VCPU_RUNNABLE };

    vm.state = VM_LIVE;
    hyp.tick = 1;
    vm.sched.budget = 2;
    at = (struct hyp_cpu){ .hyp = &hyp, .pcpu = &pcpu, .reserved = &vcpu };
    for (vm.sched.period = 2; vm.sched.period < 8; vm.sched.period++)
        for (uint64_t deadline = 0; deadline < 30; deadline++)
            for (uint64_t now = 0; now < 60; now++) {
                uint64_t want = deadline;

                while (want <= now)
                    want += vm.sched.period;
                vcpu.sched.edf = (struct sched_edf){ .deadline = deadline };
                edf_tick(&at, now);
                SAME("edf_tick", want, vcpu.sched.edf.deadline, deadline, now,
                     vm.sched.period, 0);
            }
    return true;
}

bool leaf_edf(struct leaf *out)
{
    return check_small(out) && check_large(out) && check_ticks(out);
}
