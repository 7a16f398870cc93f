/* vm.c - a VM's life, and the one way into its memory. */
#include "hyp/vm.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"
#include "hyp/mmio.h"
#include "sched/account.h"
#include "sched/sched.h"
#include "sched/timer.h"

bool vm_ended(const struct vm *vm)
{
    return vm->state == VM_OFF || vm->state == VM_KILLED ||
           vm->state == VM_BUDGET;
}

/* Ids of one slot are told apart by a generation, so that a stale id never
 * names a newer VM. */
static uint32_t slot_take(struct hyp *hyp)
{
    for (uint32_t slot = 1; slot < MAX_VMS; slot++)
        if (!hyp->slot[slot])
            return hyp->generation[slot]++ * MAX_VMS + slot;
    return 0;
}

struct vm *hyp_vm(struct hyp *hyp, uint32_t id)
{
    struct vm *vm = hyp->slot[id % MAX_VMS];

    return vm && vm->id == id ? vm : NULL;
}

/* Free what vm_create() has made so far, in reverse. */
static struct vm *vm_fail(struct vm *vm, const char *reason, const char **why)
{
    struct hal *hal = vm->hyp->hal;

    *why = reason;
    if (vm->p2m.hfn)
        p2m_fini(vm);
    if (vm->shadows.pool)
        shadows_fini(vm);
    hal_free(hal, vm->root_tag);
    hal_free(hal, vm->vcpu);
    hal_free(hal, vm);
    return NULL;
}

/* Its shadow pool always, its memory as far as admission goes. */
static bool vm_promise(struct vm *vm)
{
    uint32_t pages = vm->p2m.count, shadows = vm->config.shadow_frames;

    if (vm->hyp->config.overcommit && !vm->style->direct &&
        vm->config.minimum < pages)
        pages = vm->config.minimum;
    if (!frames_reserve(&vm->hyp->frames, shadows))
        return false;
    if (p2m_promise(vm, pages))
        return true;
    frames_unreserve(&vm->hyp->frames, shadows);
    return false;
}

struct vm *vm_create(struct hyp *hyp, const struct vm_config *config,
                     const char **why)
{
    struct vm *vm = hal_alloc(hyp->hal, sizeof(*vm));

    hyp->refused = false;
    *why = "no memory for the VM's own structures";
    if (!vm)
        return NULL;
    *vm = (struct vm){
        .hyp = hyp,
        .config = *config,
        .style = config->style,
        .sync = config->sync,
    };
    vm->vcpu = hal_alloc(hyp->hal, config->nr_vcpus * sizeof(struct vcpu));
    if (!vm->vcpu || !p2m_init(vm) || !shadows_init(vm))
        return vm_fail(vm, *why, why);
    if (hyp->nr_vms == MAX_VMS - 1)
        return vm_fail(vm, "too many VMs", why);
    if (!vm_promise(vm))
        return vm_fail(vm, "machine memory is promised to other VMs", why);
    vm->id = slot_take(hyp); /* its frames are told whom they serve */
    if (!config->style->paging->prepare(vm, why)) {
        hyp->generation[vm->id % MAX_VMS]--;
        frames_unreserve(&hyp->frames, config->shadow_frames);
        return vm_fail(vm, *why, why);
    }
    vm->balloon.target = vm->p2m.count;
    hyp->slot[vm->id % MAX_VMS] = vm;
    if (vm->id % MAX_VMS >= hyp->nr_slots)
        hyp->nr_slots = vm->id % MAX_VMS + 1;
    hyp->nr_vms++;
    vm->born_time = hal_time(hyp->cpu[0].pcpu);
    vm->born_cycle = hal_cycles(hyp->cpu[0].pcpu);
    for (uint32_t i = 0; i < config->nr_vcpus; i++)
        vcpu_init(&vm->vcpu[i], vm, i);
    if (config->style->direct)
        direct_populate(vm);
    uart_reset(&vm->uart);
    plic_reset(&vm->plic, 2 * config->nr_vcpus);
    hyp->refused = !sched_admit(vm, &config->sched, why);
    if (hyp->refused) {
        vm_destroy(vm);
        return NULL;
    }
    return vm;
}

/* Nothing of it runs, or will. */
static void vm_halt(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        timer_set(&vm->vcpu[i], TIME_NEVER);
        sched_sleep(&vm->vcpu[i]);
    }
}

void vm_destroy(struct vm *vm)
{
    struct hyp *hyp = vm->hyp;

    vm_halt(vm);
    vm->state = VM_OFF;
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        sched_deschedule(&vm->vcpu[i]);
        pv_reset(&vm->vcpu[i]);
    }
    frames_unreserve(&hyp->frames,
                     vm->config.shadow_frames - vm->shadows.framed);
    if (vm->style->direct)
        direct_fini(vm); /* tables first: shadows of them go with them */
    shadows_fini(vm);
    stage2_fini(vm);
    p2m_fini(vm);
    sched_forget(vm);
    hyp->slot[vm->id % MAX_VMS] = NULL;
    if (hyp->ended == vm->id)
        hyp->ended = 0;
    hyp->nr_vms--;
    hal_free(hyp->hal, vm->vcpu);
    hal_free(hyp->hal, vm);
}

void vm_boot(struct vm *vm, uint32_t entry, uint32_t a1, uint32_t a2)
{
    vm->state = VM_LIVE;
    vcpu_start(&vm->vcpu[0], entry, 0, a1, a2);
}

/* Off their harts: what a vCPU is, is then in its own structure alone. */
static void vm_deschedule(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        if (vm->vcpu[i].on)
            vcpu_account(&vm->vcpu[i]);
        sched_deschedule(&vm->vcpu[i]);
    }
}

/* marker: vm-settle */
void vm_settle(struct vm *vm)
{
    vm_deschedule(vm);
    shadows_clear(vm);
    stage2_clear(vm);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpu[i];

        vcpu->vmid = (struct tag){ .generation = 0 };
        vcpu->fruitless = 0;
        if (vcpu->state == VCPU_STARVED) { /* it just tries again */
            vcpu->state = VCPU_RUNNABLE;
            sched_wake(vcpu);
        }
    }
}
/* marker: end */

bool vm_set_style(struct vm *vm, const struct style *style)
{
    const char *why;

    if (style == vm->style)
        return true;
    if (vm->style->hypercalls != style->hypercalls ||
        vm->style->direct != style->direct || !style->paging->prepare(vm, &why))
        return false;
    vm_deschedule(vm);
    /* What one memory side knows of the guest's tables, the other would not be
     * told of when they change. */
    if (vm->style->paging != style->paging)
        shadow_reset(vm);
    vm->style = style;
    return true;
}

bool vm_set_sync(struct vm *vm, enum sync_policy sync)
{
    if (sync == SYNC_TOLD && !vm->style->hypercalls)
        return false;
    vm_deschedule(vm);
    shadow_reset(vm);
    vm->sync = sync;
    return true;
}

void vm_pause(struct vm *vm)
{
    vm->state = VM_PAUSED;
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        sched_sleep(&vm->vcpu[i]);
    vm_deschedule(vm);
}

void vm_resume(struct vm *vm)
{
    vm->state = VM_LIVE;
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        sched_wake(&vm->vcpu[i]);
        runstate_update(&vm->vcpu[i]); /* who sleeps on is not offline */
    }
}

static void vm_end(struct vm *vm, enum vm_state state)
{
    if (vm_ended(vm))
        return;
    vm->state = state;
    vm->hyp->ended = vm->id;
    vm_halt(vm);
    sched_end(vm);
}

void vm_off(struct vm *vm, uint32_t exit_code, bool rebooted)
{
    vm->exit_code = exit_code;
    vm->rebooted = rebooted;
    vm_end(vm, VM_OFF);
}

void vm_out_of_budget(struct vm *vm)
{
    vm_end(vm, VM_BUDGET);
}

static char *put_text(char *at, const char *end, const char *text)
{
    while (*text && at < end)
        *at++ = *text++;
    return at;
}

void vm_kill(struct vm *vm, const char *reason, uint32_t value)
{
    const char *end = vm->reason + VM_REASON_SIZE - 12; /* " 0x12345678" */
    char       *at;

    if (vm_ended(vm))
        return;
    at = put_text(vm->reason, end, reason);
    at = put_text(at, vm->reason + VM_REASON_SIZE - 1, " 0x");
    for (int shift = 28; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[value >> shift & 15];
    *at = 0;
    vm_end(vm, VM_KILLED);
}

uint64_t vm_insns(const struct vm *vm)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        sum += vm->vcpu[i].insns;
    return sum;
}

void hyp_console_input(struct hyp *hyp, struct vm *vm)
{
    (void)hyp;
    /* A guest that does not listen to its UART may ask by SBI call instead. */
    if (vm->uart.ier & UART_IER_RX)
        mmio_uart_poll(vm);
}
