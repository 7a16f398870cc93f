/* trap.c - what happens after an exit.
 *
 * Every exit comes through hyp_trap(): account for the time that the guest
 * ran, decide what the trap means, choose who runs next, deliver interrupts,
 * and describe to the port what to resume. Each handler answers with one of
 * three words, and one switch acts on them. */
#include "abi/cause.h"
#include "abi/csr.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"
#include "hyp/mmio.h"
#include "hyp/trace.h"
#include "sched/sched.h"
#include "sched/timer.h"

/* A guest whose trap handler traps at once, again and again, makes no
 * progress, and never will. */
#define STUCK_LIMIT 1000

static enum trap_action on_page_fault(struct vcpu *vcpu, enum access access,
                                      struct trap trap)
{
    return vcpu->vm->style->paging->fault(vcpu, access, trap);
}

static enum trap_action on_fetch(struct vcpu *vcpu, struct trap trap)
{
    return on_page_fault(vcpu, ACCESS_FETCH, trap);
}

static enum trap_action on_load(struct vcpu *vcpu, struct trap trap)
{
    return on_page_fault(vcpu, ACCESS_LOAD, trap);
}

static enum trap_action on_store(struct vcpu *vcpu, struct trap trap)
{
    return on_page_fault(vcpu, ACCESS_STORE, trap);
}

static enum trap_action on_illegal(struct vcpu *vcpu, struct trap trap)
{
    return vcpu->vm->style->illegal(vcpu, trap.tval);
}

/* The exception is the guest's own, just as the machine raised it. */
static enum trap_action on_guest_error(struct vcpu *vcpu, struct trap trap)
{
    vcpu->vm->count.exit_error++;
    return vcpu_fault(vcpu, trap.cause, trap.tval);
}

/* An ecall from the guest's user mode is the guest's own system call; from its
 * kernel it is a call to us. */
static enum trap_action on_ecall(struct vcpu *vcpu, struct trap trap)
{
    if (vcpu->mode == PRIV_S)
        return call_dispatch(vcpu);
    vcpu->vm->count.exit_syscall++;
    return vcpu_fault(vcpu, trap.cause, 0);
}

/* marker: handlers */
/* One row per cause we expect. An empty row is not an oversight: the machine
 * cannot raise that cause while a guest runs, so seeing one is our bug. */
static enum trap_action (*const handlers[NR_CAUSES])(struct vcpu *,
                                                     struct trap) = {
    [CAUSE_FETCH_MISALIGNED] = on_guest_error,
    [CAUSE_ILLEGAL] = on_illegal,
    [CAUSE_BREAKPOINT] = on_guest_error,
    [CAUSE_LOAD_MISALIGNED] = on_guest_error,
    [CAUSE_STORE_MISALIGNED] = on_guest_error,
    [CAUSE_ECALL_U] = on_ecall,  /* a deprivileged kernel's, too */
    [CAUSE_ECALL_S] = on_ecall,  /* assist */
    [CAUSE_ECALL_VS] = on_ecall, /* nested, and so are the last four */
    [CAUSE_FETCH_PAGE] = on_fetch,
    [CAUSE_LOAD_PAGE] = on_load,
    [CAUSE_STORE_PAGE] = on_store,
    [CAUSE_FETCH_GUEST_PAGE] = on_fetch,
    [CAUSE_LOAD_GUEST_PAGE] = on_load,
    [CAUSE_VIRTUAL] = on_illegal,
    [CAUSE_STORE_GUEST_PAGE] = on_store,
};
/* marker: end */

/* Has it only trapped since an instruction retired, too often? Then it dies. */
static bool check_stuck(struct vcpu *vcpu)
{
    if (vcpu->insns != vcpu->stuck_insns)
        vcpu->stuck = 0;
    vcpu->stuck_insns = vcpu->insns;
    if (vcpu->stuck <= STUCK_LIMIT)
        return false;
    vm_kill(vcpu->vm, "trap loop: its handler traps at once, at pc",
            vcpu_regs(vcpu)->pc);
    return true;
}

/* Deliver an exception or interrupt, unless the guest is beyond help. */
static enum trap_action deliver(struct vcpu *vcpu, struct trap fault)
{
    struct vm *vm = vcpu->vm;

    vcpu->stuck++;
    if (check_stuck(vcpu))
        return TRAP_KILL;
    vcpu->steps++;
    if (fault.cause & CAUSE_INTERRUPT) {
        vm->count.injected_irqs++;
    } else {
        vm->count.injected_traps++;
        vcpu->on->hyp->retired++;
    }
    hal_charge(vcpu->on, HAL_COST_inject, 1);
    trace(vcpu->on, EVENT_inject, vcpu, fault.cause);
    return vm->style->inject(vcpu, fault);
}

/* Serving an exception lets the guest go on, or delivers one to it: P8. If the
 * same instruction comes back again and again, the mistake is ours. One needs
 * at most a fetch and a data entry, each of which may evict the other once. */
#define FRUITLESS_LIMIT 100

static void check_progress(struct vcpu *vcpu)
{
    uint64_t progress = vcpu->insns + vcpu->steps;

    if (progress != vcpu->progress)
        vcpu->fruitless = 0;
    vcpu->progress = progress;
    HV_ASSERT(vcpu->vm->hyp->hal, ++vcpu->fruitless < FRUITLESS_LIMIT);
}

static void trap_exception(struct vcpu *vcpu, struct trap trap)
{
    struct hal *hal = vcpu->vm->hyp->hal;

    HV_ASSERT(hal, vcpu->vm->state == VM_LIVE);
    HV_ASSERT(hal, trap.cause < NR_CAUSES && handlers[trap.cause]);
    check_progress(vcpu);

    enum trap_action action = handlers[trap.cause](vcpu, trap);
    if (action == TRAP_REFLECT)
        action = deliver(vcpu, vcpu->fault);
    switch (action) {
    case TRAP_RESUME:
        break;
    case TRAP_REFLECT:
        hal_halt(hal, "trap.c: a reflected trap was reflected");
    case TRAP_KILL:
        HV_ASSERT(hal, vm_ended(vcpu->vm)); /* whoever kills must say why */
        break;
    }
}

static void trap_interrupt(struct pcpu *pcpu, uint32_t irq)
{
    struct vcpu *vcpu = pcpu->hyp->current;

    if (irq == IRQ_MSI)
        trace(pcpu, EVENT_kicked, vcpu, 0);
    if (vcpu && irq == IRQ_MTI)
        vcpu->vm->count.exit_timer++;
    else if (vcpu)
        vcpu->vm->count.exit_other++;
}

static void check_budget(struct vm *vm)
{
    if (vm->config.max_insns && vm_insns(vm) >= vm->config.max_insns)
        vm_out_of_budget(vm);
}

static void deliver_interrupt(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->hyp->current;

    if (!vcpu)
        return;
    int irq = vcpu->vm->style->pending(vcpu);
    if (irq >= 0)
        deliver(vcpu,
                (struct trap){ .cause = CAUSE_INTERRUPT | (uint32_t)irq });
}

/* Describe to the port what runs from here on, and remember when it began. */
static void enter(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->hyp->current;

    if (vcpu)
        vcpu_enter_world(vcpu);
    sched_arm(pcpu);
    if (!vcpu)
        return;
    vcpu_resume(vcpu);
    trace(pcpu, EVENT_enter, vcpu, 0);
}

/* marker: one-lock */
/* Into the hypervisor: the hart's time up to here was its guest's, or idle. */
static void come_in(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    hal_lock(pcpu);
    HV_ASSERT(pcpu->hal, !cpu->hyp->inside);
    cpu->hyp->inside = cpu;
    hal_kicked(pcpu);
    hyp_work_begin(pcpu);
}

/* ... and out of it: whoever is next pays what nobody has been charged for. */
static void go_out(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    account(cpu, SPENT_HYP, cpu->current);
    HV_ASSERT(pcpu->hal, cpu->hyp->inside == cpu);
    cpu->hyp->inside = NULL;
    hal_unlock(pcpu);
}

/* marker: end */

/* Choose and deliver. Delivering may kill the guest (a loop, a shared page that
 * is gone), so it goes round until what is chosen can run. False: its root had
 * to be made, and another taken apart for it; somebody may be due by now. */
static bool settle(struct pcpu *pcpu)
{
    struct hyp_cpu *cpu = pcpu->hyp;

    do {
        sched_leave(pcpu);
        if (!cpu->stepping)
            deliver_interrupt(pcpu);
    } while (cpu->resched);
    return !cpu->current || vcpu_ready(cpu->current);
}

/* `payer` had this exit; but if it was for the sake of another's timer, that
 * one pays. */
static void hyp_leave(struct pcpu *pcpu, struct vcpu *payer)
{
    struct hyp_cpu *cpu = pcpu->hyp;
    struct vcpu    *owner = NULL;

    if (hal_timer_due(pcpu))
        owner = sched_tick(pcpu, hal_time(pcpu));
    if (owner || payer)
        account(cpu, SPENT_HYP, owner ? owner : payer);
    reclaim_tick(pcpu);
    if (!settle(pcpu)) {
        account(cpu, SPENT_HYP, cpu->current);
        if (hal_timer_due(pcpu))
            sched_tick(pcpu, hal_time(pcpu));
        settle(pcpu);
    }
    enter(pcpu);
    go_out(pcpu);
}

void hyp_trap(struct pcpu *pcpu, struct trap trap)
{
    struct vcpu *vcpu = pcpu->hyp->current;
    bool         kicked = trap.cause == (CAUSE_INTERRUPT | IRQ_MSI);

    come_in(pcpu);
    trace(pcpu, EVENT_exit, vcpu, trap.cause);
    if (vcpu) {
        vcpu->vm->count.exits++;
        check_budget(vcpu->vm);
        check_stuck(vcpu);
    }
    hal_charge(pcpu, HAL_COST_exit, 1);
    if (trap.cause & CAUSE_INTERRUPT)
        trap_interrupt(pcpu, trap.cause & ~CAUSE_INTERRUPT);
    else if (vcpu && !vm_ended(vcpu->vm))
        trap_exception(vcpu, trap);
    hyp_leave(pcpu, kicked ? NULL : vcpu);
}

/* Nothing is booked while an exit is served: since the mark, it has worked. */
bool exit_enough(struct pcpu *pcpu)
{
    return pcpu && hal_cycles(pcpu) - pcpu->hyp->mark > EXIT_ENOUGH;
}

void hyp_schedule(struct pcpu *pcpu)
{
    come_in(pcpu);
    hyp_leave(pcpu, NULL);
}

void hyp_work_begin(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->hyp->current;

    if (!vcpu) {
        account(pcpu->hyp, SPENT_IDLE, NULL);
        return;
    }
    vcpu_leave_world(vcpu);
    vcpu_account(vcpu);
}

void hyp_work_end(struct pcpu *pcpu)
{
    account(pcpu->hyp, SPENT_HYP, NULL);
    if (pcpu->hyp->current)
        vcpu_enter_world(pcpu->hyp->current);
}

void hyp_refresh(struct hyp *hyp)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        struct vcpu *vcpu = hyp->cpu[i].current;

        if (!vcpu || !vcpu->entered)
            continue;
        vcpu_leave_world(vcpu);
        vcpu_enter_world(vcpu);
    }
}

/* Timers are not looked at: the machine's own interrupt tells about them. */
void hyp_deliver(struct pcpu *pcpu)
{
    struct vcpu *vcpu = pcpu->hyp->current;

    come_in(pcpu);
    deliver_interrupt(pcpu);
    if (pcpu->hyp->resched) {
        hyp_leave(pcpu, vcpu);
    } else {
        enter(pcpu);
        go_out(pcpu);
    }
}
