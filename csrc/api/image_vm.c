/* image_vm.c - from a VM that stands still to records, and back.
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

static uint64_t latest(hv_host *host)
{
    uint64_t cycle = 0;

    for (uint32_t i = 0; i < host->config.harts; i++)
        if (machine_hart(host->machine, i)->cycle > cycle)
            cycle = machine_hart(host->machine, i)->cycle;
    return cycle;
}

/* The first moment from the latest on that is so many cycles behind a tick. */
static uint64_t latest_at(hv_host *host, uint32_t phase)
{
    uint32_t tick = host->hal.hyp.tick;
    uint64_t cycle = latest(host);

    return cycle + (phase % tick + tick - (uint32_t)(cycle % tick)) % tick;
}

/* Its hart comes in, and sets its timer for what it now waits for. */
static void look_again(const struct vcpu *vcpu)
{
    if (vcpu->sched.home)
        sched_again(vcpu->sched.home);
}

/* Harts empty their TLBs when they first enter a guest with a tag of a new
 * generation. That is done now, and not on a guest's time. */
static void flush_owed(hv_host *host)
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
    flush_owed(host);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        vm->vcpu[i].sched.seen = latest(host);
        look_again(&vm->vcpu[i]);
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
    uint64_t               now = latest(host) / host->hal.hyp.tick;

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
    uint64_t now = latest(host), tick = host->hal.hyp.tick;

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

/* --- a new one -------------------------------------------------------------- */

uint64_t vm_wanted(const hv_host *host, const struct image *image)
{
    const struct image_vm *r = &image->vm;
    uint32_t               pages = r->mem_size / PAGE_SIZE;
    uint64_t               sum = r->shadow_frames;

    if (host->hal.hyp.config.overcommit && r->minimum < pages)
        pages = r->minimum;
    if (r->style == HV_STYLE_NESTED)
        sum += STAGE2_ROOT_FRAMES + (r->mem_size - 1) / MEGAPAGE_SIZE + 1;
    return sum + (pages > image->populated ? pages : image->populated);
}

/* marker: fits */
/* What this host cannot give it, or NULL. */
static const char *unfit(const hv_host *host, const struct image *image)
{
    const struct image_vm *r = &image->vm;
    uint32_t               harts = (1u << host->config.harts) - 1;

    if (r->ad_fault != host->config.ad_fault)
        return "its machine had another way to set A and D bits (ad_fault)";
    if (r->leaky != (host->config.profile == HV_PROFILE_LEAKY))
        return "its machine had another profile";
    if (!host_pool_ok(host, r->shadow_frames, r->vcpus))
        return "its shadow pool is too small for so many harts";
    for (uint32_t i = 0; i < r->vcpus; i++)
        if (!(image->vcpu[i].affinity & harts))
            return "a vCPU may run on none of the harts of this machine";
    return NULL;
}
/* marker: end */

static struct vm_config config_of(const struct image_vm *r)
{
    return (struct vm_config){
        .style = vm_styles[r->style],
        .mem_size = r->mem_size,
        .nr_vcpus = r->vcpus,
        .shadow_frames = r->shadow_frames,
        .sync = sync_policy(r->sync, vm_styles[r->style]),
        .max_insns = r->max_insns,
        .minimum = r->minimum,
        .sched = {
            .weight = r->weight,
            .cap = r->cap,
            .budget = r->budget,
            .period = r->period,
            .gang = r->gang,
        },
    };
}

static bool refill(hv_host *host, struct channel *channel,
                   const struct image_in *text)
{
    bool failed = false;

    for (size_t i = 0; i < text->left && !failed; i++)
        channel_put(channel, host->hal.arena, text->at[i], &failed);
    return !failed;
}

static bool refill_both(hv_host *host, uint32_t vm, const struct image *image)
{
    struct channels *of = channels_make(&host->hal, vm);

    return of && refill(host, &of->out, &image->out) &&
           refill(host, &of->in, &image->in);
}

/* Nobody has been told of it yet: its id is free again, too. */
static void unmake(hv_host *host, struct vm *vm)
{
    uint32_t slot = vm->id % MAX_VMS;

    vm_destroy(vm);
    host->hal.hyp.generation[slot]--;
    channels_free(&host->hal, slot);
}

/* If admission has chosen harts, are they such as its vCPUs may run on? */
static bool homes_ok(const struct vm *vm, const struct image *image)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        const struct hyp_cpu *home = vm->vcpu[i].sched.home;

        if (home && !(image->vcpu[i].affinity >> home->pcpu->id & 1))
            return false;
    }
    return true;
}

int vm_remake(hv_host *host, const struct image *image, struct vm **vm,
              struct image_why why)
{
    struct hyp      *hyp = &host->hal.hyp;
    struct vm_config config = config_of(&image->vm);
    const char      *reason = unfit(host, image);

    if (reason) {
        host_say(why.text, why.n, "%s", reason);
        return HV_ERR_UNSUPPORTED;
    }
    reason = sched_params_bad(&config.sched);
    if (reason) {
        host_say(why.text, why.n, "%s", reason);
        return HV_ERR_IMAGE;
    }
    *vm = NULL;
    if (vm_wanted(host, image) <= frames_available(&hyp->frames))
        *vm = vm_create(hyp, &config, &reason);
    if (*vm && !refill_both(host, (*vm)->id, image)) {
        unmake(host, *vm);
        *vm = NULL;
    }
    if (*vm && !homes_ok(*vm, image)) {
        unmake(host, *vm);
        host_say(why.text, why.n,
                 "this policy gives a vCPU a hart that it may not run on");
        return HV_ERR_STATE;
    }
    if (*vm)
        return HV_OK;
    if (hyp->refused && reason) {
        host_say(why.text, why.n, "%s", reason);
        return HV_ERR_STATE;
    }
    host_say(why.text, why.n, "%s: it wants %u frames, %u are free",
             reason ? reason : "not enough machine memory",
             (unsigned)vm_wanted(host, image),
             (unsigned)frames_available(&hyp->frames));
    return HV_ERR_NO_MEMORY;
}

/* --- and back --------------------------------------------------------------- */

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
            look_again(vcpu);
        }
}

void vm_thaw(hv_host *host, struct vm *vm, const struct image *image)
{
    const struct image_vm *r = &image->vm;

    flush_owed(host);
    uint64_t now = latest_at(host, r->phase);
    all_at(host, now);
    vm->born_time = now / host->hal.hyp.tick - r->age_ticks;
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
    thaw_states(vm, image);
    if (image->out.left > CONSOLE_LIMIT)
        host->hal.console_full = vm->id;
}
