/* caps.c - a purse: what is taken, spent and put back adds up to what was in it,
 * and no slice is longer than what can be paid. */
#include "leaf_check.h"
#include "sched/cap.c"

static struct hyp hyp;
static struct vm  vm = { .hyp = &hyp };

static int64_t all(const struct vcpu *vcpu)
{
    return vm.cap_left + (int64_t)vcpu->sched.granted;
}

/* Take for a slice, use some of it or more, put back. */
static bool check(struct leaf *out, int64_t purse, uint64_t ticks,
                  uint64_t used)
{
    struct vcpu vcpu = { .vm = &vm };
    uint64_t    until = hyp.sched.period_end;
    bool        poor = purse < (int64_t)hyp.tick;

    vm.cap_left = purse;
    uint64_t got = cap_take(&vcpu, ticks, 0);
    SAME("cap_take: conserves", purse, all(&vcpu), purse, ticks, got, 0);
    SAME("cap_take: asked for more", 0, got > ticks, purse, ticks, got, 0);
    SAME("cap_take: beyond the period", 0, until && got > until, purse, ticks,
         got, until);
    SAME("cap_take: who has nothing", poor, got == 0, purse, ticks, got, 0);
    if (!poor)
        SAME("cap_take: can pay", true, vm.cap_left >= 0, purse, ticks, got, 0);
    cap_charge(&vcpu, used);
    SAME("cap_charge", purse - (int64_t)used, all(&vcpu), purse, ticks, used,
         0);
    cap_return(&vcpu);
    SAME("cap_return", purse - (int64_t)used, vm.cap_left, purse, ticks, used,
         0);
    SAME("cap_return: all of it", 0, vcpu.sched.granted, purse, ticks, used, 0);
    return true;
}

static bool check_refill(struct leaf *out, int64_t purse)
{
    unsigned __int128 cycles = hyp.config.period;
    int64_t           debt = purse < 0 ? purse : 0;

    vm.cap_left = purse;
    cap_refill(&vm);
    cycles = cycles * hyp.tick * vm.sched.cap / 100;
    SAME("cap_refill", debt + (int64_t)cycles, vm.cap_left, purse,
         hyp.config.period, hyp.tick, vm.sched.cap);
    return true;
}

bool leaf_caps(struct leaf *out)
{
    vm.sched.cap = 50;
    for (hyp.tick = 1; hyp.tick <= 3; hyp.tick++)
        for (hyp.sched.period_end = 0; hyp.sched.period_end < 4;
             hyp.sched.period_end++)
            for (int64_t purse = -4; purse <= 14; purse++)
                for (uint64_t ticks = 1; ticks <= 6; ticks++)
                    for (uint64_t used = 0; used <= 16; used++)
                        if (!check(out, purse, ticks, used))
                            return false;
    for (vm.sched.cap = 1; vm.sched.cap <= 100 * MAX_HARTS; vm.sched.cap++)
        for (uint32_t i = 1; i < COUNT_OF(edges); i++) {
            hyp.config.period = edges[i];
            hyp.tick = 1;
            if (!check_refill(out, -7) || !check_refill(out, 7))
                return false;
            hyp.tick = 1000000;
            if (!check_refill(out, 0))
                return false;
        }
    return true;
}
