/* run.c - executing until something happens.
 *
 * A budget counts instructions, and one that traps counts as one, so that a
 * guest that only traps uses its budget up too. Instructions that the
 * hypervisor emulates count once. Every instruction costs at least a cycle, so
 * running a hart for as many cycles as there are instructions left never
 * overshoots.
 *
 * One pass of the loop, run_more(), moves one hart: the only one, or the one
 * whose turn it is (interleave.h). All that a later pass needs to know is in
 * the host, so the loop may be left and entered between any two. */
#include "api/host.h"

#define FOREVER UINT64_MAX

/* A run that is under way. */
struct run {
    hv_host       *host;
    struct hart   *hart;  /* whose turn it is, */
    uint64_t       until; /* ... which ends at this cycle */
    struct hv_run *args;
    uint64_t       start; /* of the count */
    uint64_t       done;  /* instructions so far, when last looked */
};

/* Everything that moves a guest forward. */
static uint64_t hart_progress(hv_host *host, uint32_t id)
{
    const struct hart *hart = machine_hart(host->machine, id);
    uint64_t n = hart->instret + hart->count.traps_s + hart->count.traps_vs;

    if (host_has_hyp(host))
        return n + host->hal.hyp.cpu[id].retired;
    return n + hart->count.traps_m + hart->count.irqs_s + hart->count.irqs_m;
}

static uint64_t progress(hv_host *host)
{
    uint64_t n = 0;

    for (uint32_t id = 0; id < host->config.harts; id++)
        n += hart_progress(host, id);
    return n;
}

uint64_t host_vcpu_insns(hv_host *host, struct vcpu *vcpu)
{
    uint64_t n = vcpu->insns;

    if (vcpu->on)
        n += machine_hart(host->machine, vcpu->on->id)->instret -
             vcpu->insns_base;
    return n;
}

static bool report(struct run *run, enum hv_run_reason reason, uint32_t vm)
{
    run->args->reason = reason;
    run->args->vm = vm;
    return false;
}

/* The vCPU on the hart; NULL if there is none, or no hypervisor. */
static struct vcpu *run_vcpu(const struct run *run)
{
    return host_has_hyp(run->host)
               ? run->host->hal.hyp.cpu[run->hart->id].current
               : NULL;
}

/* What the hart is about to execute is a breakpoint of the running guest. */
static bool at_breakpoint(struct run *run)
{
    hv_host     *host = run->host;
    struct vcpu *vcpu = run_vcpu(run);
    uint32_t     vm = vcpu ? vcpu->vm->id : 0;

    for (uint32_t i = 0; i < host->nr_breaks; i++)
        if (host->breaks[i].vm == vm &&
            host->breaks[i].pc == run->hart->regs.pc) {
            run->args->vcpu = vcpu ? vcpu->id : run->hart->id;
            report(run, HV_RUN_BREAK, vm);
            return true;
        }
    return false;
}

/* What all its vCPUs have retired by now. */
static uint64_t host_vm_insns(hv_host *host, struct vm *vm)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        n += host_vcpu_insns(host, &vm->vcpu[i]);
    return n;
}

/* How many cycles may pass before somebody's budget must be looked at. */
static uint64_t allowance(struct run *run)
{
    struct vcpu *vcpu = run_vcpu(run);
    uint64_t     left = FOREVER;

    if (run->host->nr_breaks)
        return 1;
    if (run->args->max_insns)
        left = run->args->max_insns - run->done;
    if (vcpu && vcpu->vm->config.max_insns) {
        uint64_t used = host_vm_insns(run->host, vcpu->vm);
        uint64_t budget = vcpu->vm->config.max_insns;

        if (used >= budget)
            vm_out_of_budget(vcpu->vm);
        else if (budget - used < left)
            left = budget - used;
    }
    return left;
}

/* Let the hart run for so many cycles at most. Where traps cost nothing, time
 * could stand still in a loop of traps: then step by step. A hart in wfi may
 * have a long way to go, which is no work: one step, too. */
static enum hart_exit run_hart(struct run *run, uint64_t cycles)
{
    struct hart *hart = run->hart;
    uint64_t     left = run->until - hart->cycle;

    if (run->host->config.cost[COST_trap] == 0 || hart->waiting)
        return hart_step(hart);
    return hart_run(hart, cycles < left ? hart->cycle + cycles : run->until);
}

bool host_audit_ok(hv_host *host)
{
    char why[sizeof(host->hal.why)];
    int  status = HV_OK;

    if (host->config.audit)
        status = host_audit(host, why, sizeof(why));
    if (status == HV_OK || status == HV_ERR_NO_MEMORY)
        return true; /* or nothing was looked at, so nothing was found */
    hal_halt(&host->hal, why);
}

/* Everybody waits, and nothing but the outside will change that. */
static bool report_idle(struct run *run)
{
    const struct hyp *hyp = &run->host->hal.hyp;
    bool              alive = !host_has_hyp(run->host);

    for (uint32_t slot = 1; !alive && slot < hyp->nr_slots; slot++)
        alive = hyp->slot[slot] && hyp->slot[slot]->state == VM_LIVE;
    return report(run, alive ? HV_RUN_IDLE : HV_RUN_DONE, 0);
}

/* --- turns --------------------------------------------------------------- */

static bool takes_turns(const hv_host *host)
{
    return host->config.harts > 1;
}

/* The first cycle at which a hart can do something, as hart_ready_cycle()
 * says; beneath the hypervisor the harts wait in it, and not in wfi. */
static uint64_t ready_cycle(hv_host *host, uint32_t id)
{
    const struct hal  *hal = &host->hal;
    const struct hart *hart = machine_hart(host->machine, id);

    if (!host_has_hyp(host))
        return hart_ready_cycle(hart);
    if (!hal->waiting[id] || hosted_wakes(hal, id) < hart->cycle)
        return hart->cycle;
    return hosted_wakes(hal, id);
}

/* Nobody's clock is before this cycle any more, unless it is in reset, where
 * there is no time. */
static void skip_all(hv_host *host, uint64_t cycle)
{
    for (uint32_t id = 0; id < host->config.harts; id++) {
        struct hart *hart = machine_hart(host->machine, id);

        if (!hart->stopped)
            hart_skip(hart, cycle);
    }
}

/* Begin a round when somebody can run: if need be later than now. False, with
 * nothing changed, if nobody ever will. */
static bool next_round(hv_host *host)
{
    struct interleave *il = &host->interleave;
    uint64_t           first = CYCLE_NEVER;

    for (uint32_t id = 0; id < il->harts; id++) {
        uint64_t ready = ready_cycle(host, id);

        first = ready < first ? ready : first;
    }
    if (first == CYCLE_NEVER)
        return false;
    if (first < il->end) /* just started, by one who was ahead of it */
        first = il->end;
    skip_all(host, first);
    interleave_begin(il, first);
    return true;
}

/* Find out whose turn it is. False if everybody waits. A hart has had its turn
 * when its clock is at the end of the round, which is where it is moved if it
 * could only wait until then. */
static bool next_turn(struct run *run)
{
    hv_host           *host = run->host;
    struct interleave *il = &host->interleave;

    do {
        for (; il->turn < il->harts; il->turn++) {
            uint32_t     id = il->round.order[il->turn];
            struct hart *hart = machine_hart(host->machine, id);
            uint64_t     ready = ready_cycle(host, id);

            if (ready < il->end) {
                hart_skip(hart, ready);
                run->hart = hart;
                run->until = il->end;
                return true;
            }
            if (!hart->stopped)
                hart_skip(hart, il->end);
        }
    } while (next_round(host));
    return false;
}

/* --- with a hypervisor --------------------------------------------------- */

/* Nobody runs on this hart: let time pass. False: the run ends here. */
static bool hyp_idle(struct run *run)
{
    struct hal *hal = &run->host->hal;
    uint32_t    id = run->hart->id;

    if (!takes_turns(run->host) && hosted_wakes(hal, id) == CYCLE_NEVER)
        return report_idle(run);
    hosted_idle(hal, id, run->until);
    return true;
}

static bool hyp_advance(struct run *run)
{
    struct hal *hal = &run->host->hal;
    uint32_t    id = run->hart->id;

    if (hal->hyp.ended) {
        report(run, HV_RUN_ENDED, hal->hyp.ended);
        hal->hyp.ended = 0;
        return false;
    }
    if (host_watch_full(run->host))
        return report(run, HV_RUN_EVENTS, 0);
    if (hal->console_full)
        return report(run, HV_RUN_CONSOLE, hal->console_full);
    if (hal->waiting[id])
        return hyp_idle(run);
    if (run_hart(run, allowance(run)) == HART_TRAP_M) {
        hosted_serve(hal, id);
        return host_audit_ok(run->host);
    }
    return true;
}

/* --- bare ---------------------------------------------------------------- */

void host_feed(hv_host *host)
{
    struct channel *in = &host->uart_in;

    while (in->head < in->len &&
           machine_uart_give(host->machine, in->bytes[in->head]))
        in->head++;
}

static bool bare_advance(struct run *run)
{
    hv_host *host = run->host;

    host_feed(host);
    if (machine_uart_pending(host->machine) > CONSOLE_LIMIT)
        return report(run, HV_RUN_CONSOLE, 0);
    switch (run_hart(run, allowance(run))) {
    case HART_TRAP_M:
        firmware_serve(&host->fw, run->hart);
        return true;
    case HART_OFF:
        return report(run, HV_RUN_DONE, 0);
    case HART_IDLE:
        return takes_turns(host) || report_idle(run);
    case HART_UNTIL:
        break;
    }
    return true;
}

/* --- the loop ------------------------------------------------------------ */

static bool run_more(struct run *run)
{
    run->done = progress(run->host) - run->start;
    if (run->args->max_insns && run->done >= run->args->max_insns)
        return report(run, HV_RUN_BUDGET, 0);
    if (takes_turns(run->host)) {
        host_feed(run->host); /* it may end somebody's wait */
        if (!next_turn(run))
            return report_idle(run);
    }
    if (run->host->nr_breaks && !run->host->at_break && at_breakpoint(run)) {
        run->host->at_break = true;
        return false;
    }
    run->host->at_break = false;
    return host_has_hyp(run->host) ? hyp_advance(run) : bare_advance(run);
}

int hv_run(hv_host *host, struct hv_run *args)
{
    if (!host || !args)
        return HV_ERR_INVALID;
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    if (!host_has_hyp(host) && !host->booted)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    struct run run = {
        .host = host,
        .hart = machine_hart(host->machine, 0),
        .until = FOREVER,
        .args = args,
        .start = progress(host),
    };
    args->vm = args->vcpu = 0;
    while (run_more(&run))
        ;
    args->insns = progress(host) - run.start;
    return HV_OK;
}
