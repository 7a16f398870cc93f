/* act.c - make a vCPU execute one instruction.
 *
 * Nothing is faked: registers are set as a debugger would set them, and then
 * the machine makes a step. Interrupts that come first are let through, and the
 * instruction is tried again. */
#include "abi/pv.h"
#include "hvp/run.h"
#include <string.h>

#define TRIES 3

struct vm *hvp_live(struct hvp_run *run, const struct hvp_vm *vm)
{
    struct vm *found;

    if (!vm->id || run->host->hal.broken)
        return NULL;
    found = hyp_vm(&run->host->hal.hyp, vm->id);
    return found && found->state == VM_LIVE ? found : NULL;
}

const uint8_t *hvp_frame(struct hvp_run *run, const struct hvp_vm *vm,
                         uint32_t page)
{
    struct vm *found = vm->id ? hyp_vm(&run->host->hal.hyp, vm->id) : NULL;
    uint32_t   hfn;

    if (!found || page >= found->p2m.count)
        return NULL;
    hfn = found->p2m.hfn[page];
    if (hfn == NO_FRAME || (found->p2m.state[page] & P2M_GONE))
        return NULL;
    return machine_ram(run->host->machine, hfn << PAGE_SHIFT);
}

uint32_t hvp_peek(struct hvp_run *run, const struct hvp_vm *vm, uint32_t gpa)
{
    const uint8_t *frame = hvp_frame(run, vm, (gpa - RAM_BASE) >> PAGE_SHIFT);
    uint32_t       word = 0;

    if (frame && gpa % 4 == 0)
        memcpy(&word, frame + gpa % PAGE_SIZE, 4);
    return word;
}

static bool translated(struct vcpu *vcpu)
{
    return vcpu->vm->style->direct ? direct_loaded(vcpu)
                                   : (vcpu->csr.satp & SATP_MODE) != 0;
}

/* Where its code is for this mode. */
static uint32_t code_base(struct vcpu *vcpu, bool kernel)
{
    return !kernel && translated(vcpu) ? HVP_WINDOW : RAM_BASE;
}

struct counts { uint64_t traps, irqs, starved; };

static struct counts count(const struct hvp_run *run, const struct vm *vm)
{
    struct counts n = { vm->count.injected_traps, vm->count.injected_irqs,
                        vm->count.starved };

    for (uint32_t i = 0; i < run->host->config.harts; i++) {
        const struct hart *hart = machine_hart(run->host->machine, i);

        n.traps += hart->count.traps_s + hart->count.traps_vs;
        n.irqs += hart->count.irqs_s + hart->count.irqs_vs;
    }
    return n;
}

/* As a debugger would; false: the host broke. */
static bool place(struct hvp_run *run, const struct hvp_act *act,
                  struct vcpu *vcpu, uint32_t offset, const uint32_t *regs)
{
    if (setjmp(run->host->hal.unwind) != 0)
        return false;
    if (vcpu->state == VCPU_BLOCKED)
        vcpu_wake(vcpu);
    vcpu_leave_world(vcpu);
    struct regs *to = vcpu_regs(vcpu);

    to->x[5] = regs[0];
    to->x[6] = regs[1];
    vcpu->mode = act->kernel ? PRIV_S : PRIV_U;
    to->pc = code_base(vcpu, act->kernel) + offset;
    if (vcpu->on)
        vcpu_enter_world(vcpu);
    return true;
}

/* Who asks for its steal time where it is told of traps reads that instead. */
bool hvp_overwritten(const struct vm *vm, const struct vcpu *vcpu)
{
    uint32_t page = vcpu->pv.shared.raw >> PAGE_SHIFT;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        if (vm->vcpu[i].pv.sta_set &&
            vm->vcpu[i].pv.sta.raw >> PAGE_SHIFT == page)
            return true;
    return false;
}

/* What its kernel was told of the trap. */
static void told(struct hvp_run *run, const struct hvp_act *act,
                 struct vcpu *vcpu, struct hvp_outcome *out)
{
    if (act->vm->pv) {
        out->cause = hvp_peek(run, act->vm, vcpu->pv.shared.raw + SI_CAUSE);
        out->tval = hvp_peek(run, act->vm, vcpu->pv.shared.raw + SI_TVAL);
        return;
    }
    vcpu_pull(vcpu);
    out->cause = vcpu->csr.scause;
    out->tval = vcpu->csr.stval;
}

/* Whoever was on this hart before has left it. */
static void take_hart(struct hvp_run *run, const struct hvp_act *act,
                      uint32_t hart)
{
    struct hvp_vcpu *mine = &act->vm->vcpu[act->vcpu];

    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t n = 0; n < HVP_VCPUS; n++)
            if (run->vm[i].vcpu[n].hart == hart)
                run->vm[i].vcpu[n].left |= &run->vm[i].vcpu[n] != mine;
    mine->hart = hart;
}

bool hvp_step(struct hvp_run *run, struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);

    if (!vm)
        return false;
    struct vcpu  *vcpu = &vm->vcpu[act->vcpu];
    struct counts before = count(run, vm);
    uint64_t      cycles = hvp_cycles(run), exits = hvp_exits(run);

    run->last = (struct hvp_outcome){ .done = false };
    if (vcpu->state != VCPU_RUNNABLE) /* its timer may be years away */
        return false;
    run->out->steps++;
    uint32_t hart = host_step_pcpu(run->host, vcpu)->id;
    int      status = hv_step(run->host, act->vm->id, act->vcpu);

    hvp_check_step(run, cycles, exits);
    if (status != HV_OK)
        return false;
    struct counts after = count(run, vm);
    if (after.irqs != before.irqs) {
        run->interrupted = run->disturbed = true;
        return false;
    }
    run->last.done = after.starved == before.starved; /* else it has to wait */
    run->last.trapped = after.traps != before.traps;
    if (run->last.done)
        take_hart(run, act, hart);
    if (run->last.trapped && act->vm->pv && hvp_overwritten(vm, vcpu)) {
        run->last.done = false;
    } else if (run->last.trapped) {
        told(run, act, vcpu, &run->last);
        hvp_check_trap(run);
        act->vm->vcpu[act->vcpu].linked = false;
    }
    return true;
}

static struct hvp_outcome attempt(struct hvp_run *run, struct hvp_act *act,
                                  uint32_t slot, const uint32_t *regs)
{
    run->last = (struct hvp_outcome){ .done = false };
    run->interrupted = false;
    for (uint32_t i = 0; i < TRIES; i++) {
        struct vm *vm = hvp_live(run, act->vm);

        if (!vm ||
            !place(run, act, &vm->vcpu[act->vcpu], hvp_slot_at(slot), regs))
            break;
        if (hvp_step(run, act))
            break;
    }
    const struct vm *vm = hvp_live(run, act->vm);

    /* Told in its code: nobody knows what it has executed. */
    if (vm && hvp_told_there(vm, HVP_FIRST + HVP_PAGE_CODE))
        run->last = (struct hvp_outcome){ .done = false };
    return run->last;
}

struct hvp_outcome hvp_do(struct hvp_run *run, struct hvp_act *act,
                          uint32_t slot, uint32_t t0, uint32_t t1)
{
    const uint32_t regs[2] = { t0, t1 };

    return attempt(run, act, slot, regs);
}

uint32_t hvp_reg(struct hvp_run *run, const struct hvp_act *act, uint32_t reg)
{
    struct vm *vm = hvp_live(run, act->vm);

    return vm ? vcpu_regs(&vm->vcpu[act->vcpu])->x[reg] : 0;
}

/* An ecall of user mode is its kernel's business: P14. */
static void check_user(struct hvp_run *run, const struct hvp_act *act)
{
    if (!run->last.done || !hvp_live(run, act->vm))
        return;
    run->out->checks++;
    if (!run->last.trapped || run->last.cause != CAUSE_ECALL_U)
        hvp_fail(run, "P14", "ecall of user mode was not its kernel's");
}

/* Somebody may have put another instruction where the ecall was. */
static uint64_t calls(const struct vm *vm)
{
    return vm->count.exit_hypercall + vm->count.exit_sbi;
}

bool hvp_call(struct hvp_run *run, struct hvp_act *act, uint32_t ext,
              uint32_t fn, const uint32_t *arg, int32_t *error)
{
    bool sure = !act->kernel && hvp_expect_fetch(run, act, HVP_SLOT_ECALL,
                                                 hvp_code(HVP_SLOT_ECALL));
    struct vm *vm = hvp_live(run, act->vm);

    *error = 0;
    if (!vm)
        return false;
    struct regs *regs = vcpu_regs(&vm->vcpu[act->vcpu]);

    for (uint32_t i = 0; i < 4; i++)
        regs->x[REG_A0 + i] = arg[i];
    regs->x[REG_A0 + 4] = regs->x[REG_A0 + 5] = 0;
    regs->x[REG_A6] = fn;
    regs->x[REG_A7] = ext;
    uint64_t           before = calls(vm);
    struct hvp_outcome got = hvp_do(run, act, HVP_SLOT_ECALL, 0, 0);

    if (sure)
        check_user(run, act);
    *error = (int32_t)hvp_reg(run, act, REG_A0);
    return got.done && !got.trapped && calls(vm) != before;
}

bool hvp_patch(struct hvp_run *run, struct hvp_act *act, uint32_t slot,
               uint32_t insn)
{
    return hv_mem_write(run->host, act->vm->id, RAM_BASE + hvp_slot_at(slot),
                        &insn, 4) == HV_OK;
}
