/* host_life.c - VMs come and go, run and stand still. */
#include "hvp/run.h"

#define RUN_PIECES 8
#define SOON       100000 /* ticks */

static void anything(struct hvp_run *run)
{
    for (uint32_t i = 0; i < HVP_VMS; i++)
        hvp_owe_unknown(&run->vm[i]);
}

/* With fixed slots, who has none waits for ever, and whoever waits for him. */
static bool has_time(const struct hyp *hyp, const struct vm *vm)
{
    const struct slot_table *table = hyp->sched.table + 1;

    if (hyp->config.policy != &policy_slots)
        return true;
    for (uint32_t i = 0; i < table->nr; i++)
        if (table->slot[i].vm == vm->id)
            return true;
    return false;
}

/* Somebody can run now, or soon. */
static bool anybody(struct hvp_run *run)
{
    const struct hyp  *hyp = &run->host->hal.hyp;
    const struct hart *hart = machine_hart(run->host->machine, 0);
    uint64_t           soon = hart_time(hart) + SOON;

    if (hyp->timers && hyp->timers->timer < soon &&
        has_time(hyp, hyp->timers->vm))
        return true;
    for (uint32_t i = 0; i < HVP_VMS; i++) {
        struct vm *vm = hvp_live(run, &run->vm[i]);

        for (uint32_t n = 0; vm && n < vm->config.nr_vcpus; n++)
            if (vm->vcpu[n].state == VCPU_RUNNABLE && has_time(hyp, vm))
                return true;
    }
    return false;
}

void hvp_op_do_run(struct hvp_run *run, struct hvp_act *act)
{
    struct hv_run args = { .max_insns = 0 };
    uint64_t      left = (act->a % 64 + 1) * 16u;

    hvp_trace_untimed(run);

    for (uint32_t i = 0; i < RUN_PIECES && left && anybody(run); i++) {
        args.max_insns = left;
        if (hv_run(run->host, &args) != HV_OK || args.reason == HV_RUN_DONE ||
            args.reason == HV_RUN_IDLE)
            break;
        left -= args.insns < left ? args.insns : left;
        hvp_check_consoles(run);
    }
    anything(run);
}

void hvp_op_do_pause(struct hvp_run *run, struct hvp_act *act)
{
    if (act->a == 1)
        hv_vm_pause(run->host, act->vm->id);
    else
        hv_vm_resume(run->host, act->vm->id);
}

void hvp_op_do_destroy(struct hvp_run *run, struct hvp_act *act)
{
    if (hv_vm_destroy(run->host, act->vm->id) == HV_OK)
        hvp_vm_gone(run, act->place);
}

void hvp_op_do_create(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t pages = 16 + act->b % (HVP_PAGES - 16 + 1);

    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (!run->vm[i].id) {
            hvp_vm_make(run, i, act->a, pages);
            /* A direct one knows which frames were left for it. */
            if (run->vm[i].style == HV_STYLE_DIRECT)
                hvp_trace_until(run, i);
            /* What a VM does to begin is nothing that others see. */
            run->last = (struct hvp_outcome){ .done = false };
            return;
        }
}

void hvp_op_do_set_style(struct hvp_run *run, struct hvp_act *act)
{
    hv_vm_set_style(run->host, act->vm->id, act->a);
    hv_vm_set_sync(run->host, act->vm->id, act->b);
    hvp_owe_unknown(act->vm);
}

void hvp_op_do_sched(struct hvp_run *run, struct hvp_act *act)
{
    struct hv_sched sched;

    if (hv_sched_get(run->host, act->vm->id, &sched) != HV_OK)
        return;
    sched.weight = act->a;
    sched.cap = act->b;
    hvp_trace_untimed(run); /* whether it may run depends on others' time */
    hv_sched_set(run->host, act->vm->id, &sched, NULL, 0);
}

void hvp_op_do_affinity(struct hvp_run *run, struct hvp_act *act)
{
    hv_affinity_set(run->host, act->vm->id, act->a, act->b, NULL, 0);
}

/* Before the actor's next operations, somebody else is first, once. */
void hvp_op_do_preempt(struct hvp_run *run, struct hvp_act *act)
{
    run->preempt = act->a % 8 + 1;
    run->first = (act->place + 1) % HVP_VMS * HVP_VCPUS + act->b % HVP_VCPUS;
}
