/* image_vm.c - from a VM that stands still to records; image_thaw.c is back.
 *
 * Times are relative to the moment of saving, so that an image means the same
 * on a machine with another clock. That moment is the latest that any hart has
 * reached; on the machine that restores it, the latest there, moved on to the
 * same place within a tick: so a VM alone on one hart goes on as if nothing had
 * been, to the cycle. */
#include "abi/pv.h"
#include "api/image.h"
#include "sched/timer.h"
#include <string.h>

_Static_assert(VM_CREATED == 0 && VM_LIVE == 1 && VM_PAUSED == 2 &&
                   VM_OFF == 3 && VM_KILLED == 4 && VM_BUDGET == 5 &&
                   VCPU_STOPPED == 0 && VCPU_RUNNABLE == 1 && VCPU_BLOCKED == 2,
               "states have these numbers in images, for ever");

/* --- time ------------------------------------------------------------------- */

uint64_t host_latest(hv_host *host)
{
    uint64_t cycle = 0;

    for (uint32_t i = 0; i < host->config.harts; i++)
        if (machine_hart(host->machine, i)->cycle > cycle)
            cycle = machine_hart(host->machine, i)->cycle;
    return cycle;
}

void vcpu_look_again(const struct vcpu *vcpu)
{
    if (vcpu->sched.home)
        sched_again(vcpu->sched.home);
}

void host_flush_owed(hv_host *host)
{
    struct hyp *hyp = &host->hal.hyp;

    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        struct hyp_cpu *cpu = &hyp->cpu[i];

        if (cpu->tags[TAG_ASID] == hyp->tags[TAG_ASID].generation &&
            cpu->tags[TAG_VMID] == hyp->tags[TAG_VMID].generation)
            continue;
        hyp_work_begin(cpu->pcpu);
        hal_fence(cpu->pcpu, (struct fence){ .size = 0 });
        hal_fence_vmids(cpu->pcpu);
        for (uint32_t kind = 0; kind < NR_TAG_KINDS; kind++)
            cpu->tags[kind] = hyp->tags[kind].generation;
        hyp_work_end(cpu->pcpu);
    }
}

/* --- from a VM -------------------------------------------------------------- */

void vm_freeze(hv_host *host, struct vm *vm)
{
    const struct tags *tags = host->hal.hyp.tags;

    vm_settle(vm);
    if (tags[TAG_ASID].used || tags[TAG_VMID].used)
        tags_renew(&host->hal.hyp);
    host_flush_owed(host);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        vm->vcpu[i].sched.seen = host_latest(host);
        vcpu_look_again(&vm->vcpu[i]);
    }
}

static struct image_in text_of(const void *at, size_t len)
{
    return (struct image_in){ .at = at, .left = len };
}

/* How many of its VM wait before it. */
static uint32_t order_of(const struct vcpu *vcpu)
{
    const struct sched_vcpu *s = &vcpu->sched;
    uint64_t                 key = s->queued ? s->key : UINT64_MAX;
    uint32_t                 before = 0;

    for (uint32_t i = 0; i < vcpu->vm->config.nr_vcpus; i++) {
        const struct sched_vcpu *other = &vcpu->vm->vcpu[i].sched;
        uint64_t theirs = other->queued ? other->key : UINT64_MAX;

        before += theirs < key || (theirs == key && i < vcpu->id);
    }
    return before;
}

static void describe_vcpu(hv_host *host, struct vcpu *vcpu,
                          struct image_vcpu *r)
{
    const struct vcsr     *csr = &vcpu->csr;
    const struct pv_state *pv = &vcpu->pv;
    uint64_t               now = host_latest(host) / host->hal.hyp.tick;

    *r = (struct image_vcpu){
        .state = vcpu->state,
        .order = order_of(vcpu),
        .affinity = vcpu->sched.affinity,
        .home = vcpu->sched.home ? vcpu->sched.home->pcpu->id : 0,
        .pc = vcpu->saved.pc,
        .mode = vcpu->mode,
        .sstatus = csr->sstatus,
        .sie = csr->sie,
        .sip = csr->sip,
        .stvec = csr->stvec,
        .scounteren = csr->scounteren,
        .sscratch = csr->sscratch,
        .sepc = csr->sepc,
        .scause = csr->scause,
        .stval = csr->stval,
        .satp = csr->satp,
        .shared_set = pv->shared_set,
        .shared = pv->shared.raw,
        .entry_set = pv->entry_set,
        .entry = pv->entry,
        .stack = pv->stack,
        .kicked = pv->kicked,
        .polls = pv->polls,
        .sta_set = pv->sta_set,
        .sta = pv->sta.raw,
        .timer = vcpu->timer == TIME_NEVER ? TIME_NEVER
                 : vcpu->timer > now       ? vcpu->timer - now
                                           : 0,
        .insns = vcpu->insns,
        .steps = vcpu->steps,
        .stuck = vcpu->stuck,
        .stuck_insns = vcpu->stuck_insns,
        .charged = vcpu->charged,
    };
    memcpy(r->x, vcpu->saved.x, sizeof(r->x));
    r->x[0] = 0;
    runstate_times(vcpu, r->runtime);
}

static void describe_uart(const struct uart *uart, struct image_uart *r)
{
    *r = (struct image_uart){
        .ier = uart->ier,
        .fcr = uart->fcr,
        .lcr = uart->lcr,
        .mcr = uart->mcr,
        .scr = uart->scr,
        .dll = uart->dll,
        .dlm = uart->dlm,
        .thre_irq = uart->thre_irq,
        .rx_count = (uint8_t)uart->rx_count,
    };
    for (uint32_t i = 0; i < uart->rx_count; i++)
        r->rx[i] = uart->rx[(uart->rx_head + i) % UART_FIFO];
}

static void describe_plic(const struct plic *plic, struct image_plic *r)
{
    *r = (struct image_plic){
        .lines = plic->lines,
        .pending = plic->pending,
        .claimed = plic->claimed,
    };
    memcpy(r->priority, plic->priority, sizeof(r->priority));
    memcpy(r->enable, plic->enable, sizeof(r->enable));
    memcpy(r->threshold, plic->threshold, sizeof(r->threshold));
}

static void describe_vm(hv_host *host, const struct vm *vm, struct image_vm *r)
{
    uint64_t now = host_latest(host), tick = host->hal.hyp.tick;

    *r = (struct image_vm){
        .style = style_number(vm->style),
        .sync = HV_SYNC_LAZY + (uint32_t)vm->sync,
        .mem_size = vm->config.mem_size,
        .vcpus = vm->config.nr_vcpus,
        .shadow_frames = vm->config.shadow_frames,
        .minimum = vm->config.minimum,
        .max_insns = vm->config.max_insns,
        .weight = vm->sched.weight,
        .cap = vm->sched.cap,
        .budget = vm->sched.budget,
        .period = vm->sched.period,
        .gang = vm->sched.gang,
        .ad_fault = host->config.ad_fault,
        .leaky = host->config.profile == HV_PROFILE_LEAKY,
        .state = vm->state,
        .exit_code = vm->exit_code,
        .rebooted = vm->rebooted,
        .age_ticks = now / tick - vm->born_time,
        .age_cycles = now - vm->born_cycle,
        .phase = (uint32_t)(now % tick),
        .balloon_target = vm->balloon.target,
        .balloon_said = vm->balloon.said,
        .logging = vm->p2m.logging,
    };
}

static struct image_in waiting_in(const struct channel *channel)
{
    size_t n = channel->len - channel->head;

    return n ? text_of(channel->bytes + channel->head, n)
             : (struct image_in){ .left = 0 };
}

void vm_describe(hv_host *host, struct vm *vm, struct image *image)
{
    const struct channels *of = channels_of(&host->hal, vm->id);

    *image = (struct image){
        .count = vm->count,
        .reason = text_of(vm->reason, strlen(vm->reason)),
        .populated = vm->p2m.populated,
        .gone = vm->p2m.gone,
    };
    if (of) {
        image->out = waiting_in(&of->out);
        image->in = waiting_in(&of->in);
    }
    describe_vm(host, vm, &image->vm);
    describe_uart(&vm->uart, &image->uart);
    describe_plic(&vm->plic, &image->plic);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        describe_vcpu(host, &vm->vcpu[i], &image->vcpu[i]);
}
