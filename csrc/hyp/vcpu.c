/* vcpu.c - one virtual hart: start, wait, retire, enter. */
#include "hyp/vcpu.h"
#include "abi/cause.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"
#include "sched/sched.h"
#include "sched/timer.h"

void vcpu_init(struct vcpu *vcpu, struct vm *vm, uint32_t id)
{
    *vcpu = (struct vcpu){
        .vm = vm,
        .id = id,
        .mode = PRIV_S,
        .timer = TIME_NEVER,
        .roots = NO_ROOTS,
        .sched = { .affinity = ALL_HARTS, .seen = vm->born_cycle },
        .run = { .state = RUN_OFFLINE, .since = vm->born_time },
    };
}

void vcpu_start(struct vcpu *vcpu, uint32_t pc, uint32_t a0, uint32_t a1,
                uint32_t a2)
{
    struct regs *regs = vcpu_regs(vcpu);

    *regs = (struct regs){ .pc = pc };
    regs->x[REG_A0] = a0;
    regs->x[REG_A1] = a1;
    regs->x[REG_A2] = a2;
    vcpu->mode = PRIV_S;
    vcpu->csr = (struct vcsr){ .sstatus = 0 };
    pv_reset(vcpu);
    if (vcpu->vm->style->hypercalls) {
        /* It has no CSRs to ask with: user memory is open to its kernel, and
         * the counters to its programs. */
        vcpu->csr.sstatus = MSTATUS_SUM;
        vcpu->csr.scounteren = COUNTEREN_MASK;
    }
    vcpu->state = VCPU_RUNNABLE;
    sched_wake(vcpu);
}

void vcpu_stop(struct vcpu *vcpu)
{
    timer_set(vcpu, TIME_NEVER);
    vcpu->state = VCPU_STOPPED;
    sched_sleep(vcpu);
}

struct regs *vcpu_regs(struct vcpu *vcpu)
{
    return vcpu->on ? vcpu->on->regs : &vcpu->saved;
}

void vcpu_step_over(struct vcpu *vcpu)
{
    vcpu_regs(vcpu)->pc += 4;
    vcpu->steps++;
    vcpu->on->hyp->retired++;
}

enum trap_action vcpu_again(struct vcpu *vcpu)
{
    vcpu_regs(vcpu)->pc -= 4;
    vcpu->steps--;
    vcpu->on->hyp->retired--;
    vcpu->fruitless = 0; /* it gets on, if nobody sees it */
    return TRAP_RESUME;
}

void vcpu_retire(struct vcpu *vcpu)
{
    vcpu_step_over(vcpu);
    vcpu->insns++;
    hal_charge(vcpu->on, HAL_COST_insn, 1);
}

void vcpu_account(struct vcpu *vcpu)
{
    uint64_t insns = hal_instret(vcpu->on);

    account(vcpu->on->hyp, SPENT_GUEST, vcpu);
    if (insns == vcpu->insns_base)
        vcpu->stuck += (uint32_t)(hal_traps(vcpu->on) - vcpu->traps_base);
    vcpu->traps_base = hal_traps(vcpu->on);
    vcpu->insns += insns - vcpu->insns_base;
    vcpu->insns_base = insns;
}

void vcpu_resume(struct vcpu *vcpu)
{
    vcpu->insns_base = hal_instret(vcpu->on);
    vcpu->traps_base = hal_traps(vcpu->on);
}

enum trap_action vcpu_fault(struct vcpu *vcpu, uint32_t cause, uint32_t tval)
{
    vcpu->fault = (struct trap){ .cause = cause, .tval = tval };
    return TRAP_REFLECT;
}

/* Any hart tells the time; a VM that is not running asks the first one. */
static struct pcpu *some_pcpu(struct vcpu *vcpu)
{
    return vcpu->on ? vcpu->on : vcpu->vm->hyp->cpu[0].pcpu;
}

uint64_t vcpu_time(struct vcpu *vcpu)
{
    return hal_time(some_pcpu(vcpu)) - vcpu->vm->born_time;
}

uint64_t vcpu_cycles(struct vcpu *vcpu)
{
    return hal_cycles(some_pcpu(vcpu)) - vcpu->vm->born_cycle;
}

uint32_t vcpu_sip(struct vcpu *vcpu)
{
    uint32_t sip = vcpu->csr.sip | vcpu->raised;

    if (plic_pending(&vcpu->vm->plic, 2 * vcpu->id + 1))
        sip |= MIP_SEIP;
    return sip;
}

static void vcpu_take_raised(struct vcpu *vcpu)
{
    vcpu->csr.sip |= vcpu->raised;
    vcpu->raised = 0;
}

void vcpu_wake(struct vcpu *vcpu)
{
    if (vcpu->state != VCPU_BLOCKED)
        return;
    vcpu->state = VCPU_RUNNABLE;
    vcpu->pv.polls = false;
    sched_wake(vcpu);
}

/* Its hart has it: only that may touch what it will put back. */
static void stop_to_see(struct vcpu *vcpu)
{
    if (vcpu->entered)
        cpu_kick(vcpu->on->hyp);
}

void vcpu_raise(struct vcpu *vcpu, uint32_t bits)
{
    vcpu->raised |= bits;
    if (!vcpu->entered)
        vcpu_take_raised(vcpu);
    stop_to_see(vcpu);
    vcpu_wake(vcpu);
}

void vcpu_kick(struct vcpu *vcpu)
{
    if (!vcpu->vm->style->wakes(vcpu))
        return;
    stop_to_see(vcpu);
    vcpu_wake(vcpu);
}

void vcpu_block(struct vcpu *vcpu)
{
    uint64_t now = hal_time(vcpu->on);
    bool     due = vcpu->timer <= now;

    timer_expire(vcpu->on->hyp, now);
    if (due || vcpu->vm->style->wakes(vcpu))
        return;
    vcpu->state = VCPU_BLOCKED;
    sched_sleep(vcpu);
}

void vcpu_pull(struct vcpu *vcpu)
{
    if (vcpu->vm->style->in_hart && vcpu->on && vcpu->entered)
        vcpu->mode = hal_leave(vcpu->on, &vcpu->csr);
}

bool vcpu_fence(struct vcpu *vcpu, bool one_page, gva_t va)
{
    vcpu->fruitless = 0; /* as vcpu_again() */
    return vcpu->vm->style->paging->fence(vcpu->vm, vcpu->on, one_page, va);
}

bool vcpu_ready(struct vcpu *vcpu)
{
    uint64_t made = vcpu->vm->count.shadow_tables;

    vcpu->vm->style->paging->root(vcpu);
    return vcpu->vm->count.shadow_tables == made;
}

void vcpu_leave_world(struct vcpu *vcpu)
{
    vcpu_pull(vcpu);
    vcpu->entered = false;
    vcpu_take_raised(vcpu);
}

void vcpu_enter_world(struct vcpu *vcpu)
{
    const struct style *style = vcpu->vm->style;
    struct world        world = { .satp = style->paging->root(vcpu) };

    style->enter(vcpu, &world);
    hal_enter(vcpu->on, &world);
    vcpu->on->hyp->real_satp = world.satp;
    vcpu->entered = true;
}
