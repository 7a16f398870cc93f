/* purse.c - a cap's cycles: taken, spent and put back, they add up, for all
 * purses that a period can fill. */
#include "prove.h"
#include "sched/cap.c"

void prove_purse(void);

void prove_purse(void)
{
    static struct hyp  hyp;
    static struct vm   vm;
    static struct vcpu vcpu;
    uint64_t           ticks = any_u32(), used = any_u32();

    hyp.tick = any_u32();
    hyp.sched.period_end = any_u64();
    vm.hyp = &hyp;
    vcpu.vm = &vm;
    vcpu.sched.granted = 0;
    vm.sched.cap = any_u32();
    vm.cap_left = (int64_t)any_u64();
    ASSUME(hyp.tick >= 1 && hyp.tick <= 1000000);
    ASSUME(vm.sched.cap >= 1 && ticks >= 1);
    ASSUME(vm.cap_left > -(1ll << 60) && vm.cap_left < 1ll << 60);
    int64_t  before = vm.cap_left;
    uint64_t got = cap_take(&vcpu, ticks, 0);
    PROVE(got <= ticks);
    PROVE(got == 0 || vm.cap_left >= 0);
    PROVE(vm.cap_left + (int64_t)vcpu.sched.granted == before);
    cap_charge(&vcpu, used);
    cap_return(&vcpu);
    PROVE(vm.cap_left == before - (int64_t)used);
}
