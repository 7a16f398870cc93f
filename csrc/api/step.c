/* step.c - one vCPU alone, one architectural step; and where to stop. */
#include "api/host.h"
#include "sched/timer.h"

/* One step of the bare machine: what the native firmware does counts as one,
 * like the instruction that called it. */
static int bare_step(hv_host *host, struct hart *hart)
{
    uint64_t before = hart->instret + hart->count.traps_s + hart->count.irqs_s;

    host_feed(host);
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

struct pcpu *host_step_pcpu(hv_host *host, const struct vcpu *vcpu)
{
    if (vcpu->on)
        return vcpu->on;
    return vcpu->sched.home ? vcpu->sched.home->pcpu : &host->hal.pcpu[0];
}

/* An attempt may be in vain: the hypervisor fills a shadow, serves a part of a
 * long call, or somebody's timer. Nothing needs nearly so many; whose vCPU does
 * would never get on, and that is our mistake. */
#define STEP_ATTEMPTS (1u << 20)

static int hyp_step(hv_host *host, struct vm *vm, struct vcpu *vcpu)
{
    struct hal  *hal = &host->hal;
    struct pcpu *pcpu = host_step_pcpu(host, vcpu);
    struct hart *hart = machine_hart(host->machine, pcpu->id);
    uint64_t     before = hyp_steps(vcpu, hart);
    uint32_t     attempts = 0;

    while (vm->state == VM_LIVE && hyp_steps(vcpu, hart) == before) {
        if (vcpu->state == VCPU_BLOCKED) {
            /* Nobody else runs, so nothing but its own timer can wake it. */
            if (vcpu->timer == TIME_NEVER ||
                !hosted_idle(hal, pcpu->id, CYCLE_NEVER))
                return HV_ERR_STATE;
            continue;
        }
        if (attempts++ == STEP_ATTEMPTS)
            hal_halt(hal, "step.c: a step has no end: the guest exits, and "
                          "neither gets on nor takes a trap");
        const struct vcpu *last = pcpu->hyp->current;
        if (!hyp_switch_to(pcpu, vcpu))
            return HV_ERR_STATE;
        if (last && last != vcpu)
            hart->reserved = false; /* as the trap of a switch would do */
        hyp_deliver(pcpu);
        if (vcpu->on && hyp_steps(vcpu, hart) == before &&
            hart_step(hart) == HART_TRAP_M) {
            hosted_serve(hal, pcpu->id);
            host_audit_ok(host);
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
        return bare_step(host, machine_hart(host->machine, n));
    struct hyp_cpu *cpu = host_step_pcpu(host, &vm->vcpu[n])->hyp;
    cpu->stepping = true;
    status = hyp_step(host, vm, &vm->vcpu[n]);
    cpu->stepping = false;
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
