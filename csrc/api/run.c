/* run.c - executing: until something happens, or one step.
 *
 * A budget counts instructions, and one that traps counts as one, so that a
 * guest that only traps uses its budget up too. Instructions that the
 * hypervisor emulates count once. Every instruction costs at least a cycle, so
 * running the hart for as many cycles as there are instructions left never
 * overshoots. */
#include "api/host.h"

#define FOREVER UINT64_MAX

/* A run that is under way. */
struct run {
    hv_host       *host;
    struct hart   *hart;
    struct hv_run *args;
    uint64_t       start; /* of the count */
    uint64_t       done;  /* instructions so far, when last looked */
};

/* Everything that moves a guest forward. */
static uint64_t progress(hv_host *host)
{
    const struct hart *hart = machine_hart(host->machine, 0);
    uint64_t n = hart->instret + hart->count.traps_s + hart->count.traps_vs;

    if (host_has_hyp(host))
        return n + host->hal.hyp.cpu[0].retired;
    return n + hart->count.traps_m + hart->count.irqs_s + hart->count.irqs_m;
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

/* What the hart is about to execute is a breakpoint of the running guest. */
static bool at_breakpoint(struct run *run)
{
    hv_host     *host = run->host;
    struct vcpu *vcpu = host_has_hyp(host) ? host->hal.hyp.cpu[0].current
                                           : NULL;
    uint32_t     vm = vcpu ? vcpu->vm->id : 0;

    for (uint32_t i = 0; i < host->nr_breaks; i++)
        if (host->breaks[i].vm == vm &&
            host->breaks[i].pc == run->hart->regs.pc) {
            run->args->vcpu = vcpu ? vcpu->id : 0;
            report(run, HV_RUN_BREAK, vm);
            return true;
        }
    return false;
}

/* How many cycles may pass before somebody's budget must be looked at. */
static uint64_t allowance(struct run *run)
{
    struct vcpu *vcpu = host_has_hyp(run->host)
                            ? run->host->hal.hyp.cpu[0].current
                            : NULL;
    uint64_t     left = FOREVER;

    if (run->host->nr_breaks)
        return 1;
    if (run->args->max_insns)
        left = run->args->max_insns - run->done;
    if (vcpu && vcpu->vm->config.max_insns) {
        uint64_t used = vm_insns(vcpu->vm) - vcpu->insns +
                        host_vcpu_insns(run->host, vcpu);
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
    uint64_t     until = hart->cycle + cycles;

    if (run->host->config.cost[COST_trap] == 0 || hart->waiting)
        return hart_step(hart);
    return hart_run(hart, until < hart->cycle ? FOREVER : until);
}

static bool audit_ok(hv_host *host)
{
    char why[sizeof(host->hal.why)];

    if (!host->config.audit || hv_audit(host, why, sizeof(why)) == HV_OK)
        return true;
    hal_halt(&host->hal, why);
}

/* Nobody runs: choose, or let time pass. False: the run ends here. */
static bool hyp_idle(struct run *run)
{
    struct hal *hal = &run->host->hal;
    bool        alive = false;

    if (hosted_wakes(hal, 0) != CYCLE_NEVER) {
        hosted_idle(hal, 0, CYCLE_NEVER);
        return true;
    }
    for (uint32_t slot = 1; slot < MAX_VMS; slot++)
        alive = alive ||
                (hal->hyp.slot[slot] && hal->hyp.slot[slot]->state == VM_LIVE);
    return report(run, alive ? HV_RUN_IDLE : HV_RUN_DONE, 0);
}

static bool hyp_advance(struct run *run)
{
    struct hal *hal = &run->host->hal;

    if (hal->hyp.ended) {
        report(run, HV_RUN_ENDED, hal->hyp.ended);
        hal->hyp.ended = 0;
        return false;
    }
    if (host_watch_full(run->host))
        return report(run, HV_RUN_EVENTS, 0);
    if (hal->console_full)
        return report(run, HV_RUN_CONSOLE, hal->console_full);
    if (hal->waiting[0])
        return hyp_idle(run);
    uint64_t cycles = allowance(run);
    if (hal->hyp.cpu[0].resched) { /* a budget ran out just now */
        hyp_schedule(&hal->pcpu[0]);
        return true;
    }
    if (run_hart(run, cycles) == HART_TRAP_M) {
        hosted_serve(hal, 0);
        return audit_ok(run->host);
    }
    return true;
}

static void bare_feed(hv_host *host)
{
    struct channel *in = &host->uart_in;

    while (in->head < in->len &&
           machine_uart_give(host->machine, in->bytes[in->head]))
        in->head++;
}

static bool bare_advance(struct run *run)
{
    hv_host *host = run->host;

    bare_feed(host);
    if (machine_uart_pending(host->machine) > CONSOLE_LIMIT)
        return report(run, HV_RUN_CONSOLE, 0);
    switch (run_hart(run, allowance(run))) {
    case HART_TRAP_M:
        firmware_serve(&host->fw, run->hart);
        return true;
    case HART_OFF:
        return report(run, HV_RUN_DONE, 0);
    case HART_IDLE:
        return report(run, HV_RUN_IDLE, 0);
    case HART_UNTIL:
        break;
    }
    return true;
}

static bool run_more(struct run *run)
{
    run->done = progress(run->host) - run->start;
    if (run->args->max_insns && run->done >= run->args->max_insns)
        return report(run, HV_RUN_BUDGET, 0);
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
        .args = args,
        .start = progress(host),
    };
    args->vm = args->vcpu = 0;
    while (run_more(&run))
        ;
    args->insns = progress(host) - run.start;
    return HV_OK;
}

/* One step of the bare machine: what the native firmware does counts as one,
 * like the instruction that called it. */
static int bare_step(hv_host *host)
{
    struct hart *hart = machine_hart(host->machine, 0);
    uint64_t before = hart->instret + hart->count.traps_s + hart->count.irqs_s;

    bare_feed(host);
    do {
        switch (hart_step(hart)) {
        case HART_TRAP_M:
            if (hart->csr.mcause == CAUSE_ECALL_S) {
                firmware_serve(&host->fw, hart);
                return HV_OK;
            }
            firmware_serve(&host->fw, hart);
            break;
        case HART_IDLE:
        case HART_OFF:
            return HV_ERR_STATE;
        case HART_UNTIL:
            break;
        }
    } while (hart->instret + hart->count.traps_s + hart->count.irqs_s ==
             before);
    return HV_OK;
}

/* Steps of a guest: what it retired, what the hypervisor did for it, and the
 * traps that it took without us. */
static uint64_t hyp_steps(const struct vcpu *vcpu, const struct hart *hart)
{
    return vcpu->steps + hart->instret + hart->count.traps_s +
           hart->count.irqs_s + hart->count.traps_vs + hart->count.irqs_vs;
}

static int hyp_step(hv_host *host, struct vm *vm, struct vcpu *vcpu)
{
    struct hal  *hal = &host->hal;
    struct hart *hart = machine_hart(host->machine, 0);
    uint64_t     before = hyp_steps(vcpu, hart);

    while (vm->state == VM_LIVE && hyp_steps(vcpu, hart) == before) {
        if (vcpu->state == VCPU_BLOCKED) {
            if (hosted_wakes(hal, 0) == CYCLE_NEVER)
                return HV_ERR_STATE;
            hosted_idle(hal, 0, CYCLE_NEVER);
            continue;
        }
        if (!hyp_switch_to(&hal->pcpu[0], vcpu))
            return HV_ERR_STATE;
        hyp_deliver(&hal->pcpu[0]);
        if (vcpu->on && hyp_steps(vcpu, hart) == before &&
            hart_step(hart) == HART_TRAP_M) {
            hosted_serve(hal, 0);
            audit_ok(host);
        }
    }
    return vm->state == VM_LIVE || hyp_steps(vcpu, hart) != before
               ? HV_OK
               : HV_ERR_STATE;
}

int hv_step(hv_host *host, uint32_t id, uint32_t n)
{
    struct vm *vm;
    int        status = host_vcpu(host, id, n, &vm);

    if (status != HV_OK)
        return status;
    if (vm ? vm->state != VM_LIVE : !host->booted)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    if (!vm)
        return bare_step(host);
    host->hal.hyp.cpu[0].stepping = true;
    status = hyp_step(host, vm, &vm->vcpu[n]);
    host->hal.hyp.cpu[0].stepping = false;
    return status;
}

int hv_break(hv_host *host, uint32_t id, uint32_t pc, int on)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);
    uint32_t   i = 0;

    if (status != HV_OK)
        return status;
    while (i < host->nr_breaks &&
           (host->breaks[i].vm != id || host->breaks[i].pc != pc))
        i++;
    if (on && i == MAX_BREAKS)
        return HV_ERR_NO_MEMORY;
    if (on && i == host->nr_breaks)
        host->breaks[host->nr_breaks++] = (struct breakpoint){ id, pc };
    if (!on && i < host->nr_breaks)
        host->breaks[i] = host->breaks[--host->nr_breaks];
    return HV_OK;
}
