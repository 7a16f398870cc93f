/* image_thaw.c - a new VM becomes what an image says.
 *
 * Its times are counted from here: image_vm.c says from when. */
#include "abi/pv.h"
#include "api/image.h"
#include "sched/timer.h"
#include <string.h>

/* The first moment from the latest on that is so many cycles behind a tick. */
static uint64_t latest_at(hv_host *host, uint32_t phase)
{
    uint32_t tick = host->hal.hyp.tick;
    uint64_t cycle = host_latest(host);

    return cycle + (phase % tick + tick - (uint32_t)(cycle % tick)) % tick;
}

/* No hart's clock is behind this one. */
static void all_at(hv_host *host, uint64_t cycle)
{
    struct hyp *hyp = &host->hal.hyp;

    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        hyp_work_begin(hyp->cpu[i].pcpu);
        hal_pad(hyp->cpu[i].pcpu, cycle);
        hyp_work_end(hyp->cpu[i].pcpu);
    }
}

/* The hypervisor writes there: it stays where it is. */
static void hold(struct vm *vm, gpa_t at)
{
    hfn_t hfn;

    if (!p2m_lookup(vm, gpa_frame(at), &hfn) ||
        !frame_use(&vm->hyp->frames, hfn, FRAME_PLAIN))
        hal_halt(vm->hyp->hal, "a restored VM has not the page that it holds");
}

static void thaw_pv(struct vcpu *vcpu, const struct image_vcpu *r)
{
    vcpu->pv = (struct pv_state){
        .shared_set = r->shared_set,
        .shared = { r->shared },
        .entry_set = r->entry_set,
        .entry = r->entry,
        .stack = r->stack,
        .kicked = r->kicked,
        .polls = r->polls,
        .sta_set = r->sta_set,
        .sta = { r->sta },
    };
    if (r->shared_set)
        hold(vcpu->vm, vcpu->pv.shared);
    if (r->sta_set)
        hold(vcpu->vm, vcpu->pv.sta);
}

/* Where its timer goes off while it waits: on the hart of before, if it may run
 * there, unless admission has chosen one. */
static void thaw_home(struct vcpu *vcpu, const struct image_vcpu *r)
{
    struct hyp *hyp = vcpu->vm->hyp;
    uint32_t    home = r->home;

    vcpu->sched.affinity = r->affinity;
    if (home >= hyp->nr_cpus || !(r->affinity >> home & 1))
        for (home = 0; !(r->affinity >> home & 1);)
            home++;
    if (!vcpu->sched.home)
        vcpu->sched.home = &hyp->cpu[home];
}

static void thaw_vcpu(struct vcpu *vcpu, const struct image_vcpu *r,
                      uint64_t cycle)
{
    uint64_t now = cycle / vcpu->vm->hyp->tick;

    memcpy(vcpu->saved.x, r->x, sizeof(r->x));
    vcpu->saved.pc = r->pc;
    vcpu->mode = r->mode;
    vcpu->insns = r->insns;
    vcpu->steps = r->steps;
    vcpu->stuck = r->stuck;
    vcpu->stuck_insns = r->stuck_insns;
    vcpu->charged = r->charged;
    thaw_home(vcpu, r);
    vcpu->sched.seen = cycle;
    vcpu->run = (struct runtimes){ .state = RUN_OFFLINE, .since = now };
    memcpy(vcpu->run.time, r->runtime, sizeof(r->runtime));
    thaw_pv(vcpu, r);
    /* marker: rebase-timer */
    timer_set(vcpu, r->timer >= TIME_NEVER - now ? TIME_NEVER : now + r->timer);
    /* marker: end */
    vcpu->csr = (struct vcsr){
        .sstatus = r->sstatus,
        .sie = r->sie,
        .sip = r->sip, /* after the timer, which takes STIP back */
        .stvec = r->stvec,
        .scounteren = r->scounteren,
        .sscratch = r->sscratch,
        .sepc = r->sepc,
        .scause = r->scause,
        .stval = r->stval,
        .satp = r->satp,
    };
}

static void thaw_uart(struct uart *uart, const struct image_uart *r)
{
    *uart = (struct uart){
        .ier = r->ier,
        .fcr = r->fcr,
        .lcr = r->lcr,
        .mcr = r->mcr,
        .scr = r->scr,
        .dll = r->dll,
        .dlm = r->dlm,
        .thre_irq = r->thre_irq,
        .rx_count = r->rx_count,
    };
    memcpy(uart->rx, r->rx, sizeof(r->rx));
}

static void thaw_plic(struct plic *plic, const struct image_plic *r)
{
    plic->lines = r->lines;
    plic->pending = r->pending;
    plic->claimed = r->claimed;
    memcpy(plic->priority, r->priority, sizeof(r->priority));
    memcpy(plic->enable, r->enable, sizeof(r->enable));
    memcpy(plic->threshold, r->threshold, sizeof(r->threshold));
}

/* Which pages are clean, now that nothing is written any more. */
static void thaw_log(struct vm *vm, const struct image *image)
{
    struct image_in map = image->map;

    vm->p2m.logging = image->vm.logging;
    for (uint32_t at = 0; image->vm.logging && at < vm->p2m.count;) {
        struct image_run run = run_get(&map);

        for (uint32_t i = 0; i < run.count; i++)
            vm->p2m.state[at++] |= run_state(run) & P2M_CLEAN;
    }
}

/* Who could run, waits to do so, in the order of before. */
static void thaw_states(struct vm *vm, const struct image *image)
{
    vm->state = (enum vm_state)image->vm.state;
    for (uint32_t order = 0; order < vm->config.nr_vcpus; order++)
        for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
            struct vcpu *vcpu = &vm->vcpu[i];

            if (image->vcpu[i].order != order)
                continue;
            vcpu->state = (enum vcpu_state)image->vcpu[i].state;
            runstate_update(vcpu);
            sched_wake(vcpu);
            if (vcpu->state == VCPU_BLOCKED && vm->state == VM_LIVE)
                vcpu_kick(vcpu);
            vcpu_look_again(vcpu);
        }
}

void vm_thaw_still(struct vm *vm, const struct image *image, uint64_t now)
{
    const struct image_vm *r = &image->vm;

    vm->born_time = now / vm->hyp->tick - r->age_ticks;
    vm->born_cycle = now - r->age_cycles;
    vm->exit_code = r->exit_code;
    vm->rebooted = r->rebooted;
    memset(vm->reason, 0, sizeof(vm->reason));
    if (image->reason.left)
        memcpy(vm->reason, image->reason.at, image->reason.left);
    vm->balloon.target = r->balloon_target;
    vm->balloon.said = r->balloon_said;
    thaw_uart(&vm->uart, &image->uart);
    thaw_plic(&vm->plic, &image->plic);
    for (uint32_t i = 0; i < r->vcpus; i++)
        thaw_vcpu(&vm->vcpu[i], &image->vcpu[i], now);
    thaw_log(vm, image);
    vm->count = image->count;
}

void vm_thaw(hv_host *host, struct vm *vm, const struct image *image)
{
    host_flush_owed(host);
    uint64_t now = latest_at(host, image->vm.phase);
    all_at(host, now);
    vm_thaw_still(vm, image, now);
    thaw_states(vm, image);
    if (image->out.left > CONSOLE_LIMIT)
        host->hal.console_full = vm->id;
}
