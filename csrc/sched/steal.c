/* steal.c - a guest can know what it did not get.
 *
 * Its clock goes on while others run, so a process that was charged by that
 * clock pays for their time. A kernel that knows asks how much that was: by
 * the standard way, SBI's steal-time extension, or by a call of ours that
 * tells all. Kernels that do not know are not told that there is such a thing,
 * since the bare machine has none. */
#include "abi/pv.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"

#define NS_PER_TICK (1000000000 / TIMEBASE_HZ)

#define OK(v)  ((struct sbi_ret){ SBI_SUCCESS, (v) })
#define ERR(e) ((struct sbi_ret){ (e), 0 })

static void tell_word(struct vcpu *vcpu, uint32_t field, uint32_t val)
{
    gpa_t at = { vcpu->pv.sta.raw + field };
    bool  there = vm_write32(vcpu->vm, NULL, at, val);

    /* Checked when it was set, and held since: vm_holds(). */
    HV_ASSERT(vcpu->vm->hyp->hal, there);
}

/* Even, odd, even: who reads in between reads again. */
void steal_tell(struct vcpu *vcpu, bool runs)
{
    uint64_t time[NR_RUNSTATES];
    uint32_t sequence = 0;

    if (!vcpu->pv.sta_set)
        return;
    runstate_times(vcpu, time);
    uint64_t ns = time[RUN_RUNNABLE] * NS_PER_TICK;
    vm_read32(vcpu->vm, vcpu->pv.sta, &sequence);
    tell_word(vcpu, STA_SEQUENCE, sequence | 1);
    tell_word(vcpu, STA_STEAL, (uint32_t)ns);
    tell_word(vcpu, STA_STEAL + 4, (uint32_t)(ns >> 32));
    tell_word(vcpu, STA_PREEMPTED, !runs);
    tell_word(vcpu, STA_SEQUENCE, (sequence | 1) + 1);
}

void steal_forget(struct vcpu *vcpu)
{
    if (vcpu->pv.sta_set)
        vm_release(vcpu->vm, vcpu->pv.sta);
    vcpu->pv.sta_set = false;
}

struct sbi_ret steal_set(struct vcpu *vcpu, const uint32_t *arg)
{
    static const uint8_t zeros[STA_SIZE];
    gpa_t                at = { arg[0] };

    if (arg[2] != 0)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (arg[0] == UINT32_MAX && arg[1] == UINT32_MAX) {
        steal_forget(vcpu);
        return OK(0);
    }
    if (at.raw % STA_SIZE != 0)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (arg[1] != 0 || !vm_writable(vcpu->vm, at, STA_SIZE))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    if (vm_ready(vcpu->vm, vcpu->on, at, STA_SIZE) != P2M_OK)
        return ERR(CALL_STARVED);
    if (!vm_hold(vcpu->vm, vcpu->on, at))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    steal_forget(vcpu);
    vm_write(vcpu->vm, vcpu->on, at, zeros, STA_SIZE);
    hal_charge(vcpu->on, HAL_COST_word_copy, STA_SIZE / 4);
    vcpu->pv.sta = at;
    vcpu->pv.sta_set = true;
    return OK(0);
}

struct sbi_ret steal_runstate(struct vcpu *vcpu, uint32_t id, gpa_t to)
{
    struct vm *vm = vcpu->vm;
    uint64_t   time[NR_RUNSTATES];
    uint32_t   words[2 * NR_RUNSTATES];

    if (id >= vm->config.nr_vcpus || to.raw % 4 != 0)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (!vm_writable(vm, to, sizeof(words)))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    if (vm_ready(vm, vcpu->on, to, sizeof(words)) != P2M_OK)
        return ERR(CALL_STARVED);
    runstate_times(&vm->vcpu[id], time);
    for (uint32_t i = 0; i < NR_RUNSTATES; i++) {
        words[2 * i] = (uint32_t)time[i];
        words[2 * i + 1] = (uint32_t)(time[i] >> 32);
    }
    vm_write(vm, vcpu->on, to, words, sizeof(words));
    hal_charge(vcpu->on, HAL_COST_word_copy, 2 * NR_RUNSTATES);
    return OK(0);
}
