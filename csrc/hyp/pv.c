/* pv.c - the style `pv`: a kernel that knows.
 *
 * Its traps and interrupts are told through the shared-info page (abi/pv.h),
 * and it masks interrupts by storing a word there, without an exit. The page
 * lies in the guest's own memory: it can write there what it likes, so each
 * field is read once and believed only as far as it goes. */
#include "abi/pv.h"
#include "abi/cause.h"
#include "abi/csr.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/direct.h"
#include "hyp/hyp.h"

static uint32_t shared_read(struct vcpu *vcpu, uint32_t field)
{
    gpa_t    at = { vcpu->pv.shared.raw + field };
    uint32_t val = 0;
    bool     there = vm_read32(vcpu->vm, at, &val);

    /* Checked when it was registered, and held since: vm_holds(). */
    HV_ASSERT(vcpu->vm->hyp->hal, there);
    hal_charge(vcpu->on, HAL_COST_guest_read, 1);
    return val;
}

static void shared_write(struct vcpu *vcpu, uint32_t field, uint32_t val)
{
    gpa_t at = { vcpu->pv.shared.raw + field };
    bool  there = vm_write32(vcpu->vm, vcpu->on, at, val);

    HV_ASSERT(vcpu->vm->hyp->hal, there);
    hal_charge(vcpu->on, HAL_COST_guest_write, 1);
}

void pv_reset(struct vcpu *vcpu)
{
    if (vcpu->pv.shared_set)
        vm_release(vcpu->vm, vcpu->pv.shared);
    steal_forget(vcpu);
    vcpu->pv = (struct pv_state){ .entry = 0 };
    if (vcpu->vm->style->direct)
        direct_load(vcpu, NO_ROOTS);
}

struct sbi_ret pv_set_shared(struct vcpu *vcpu, gpa_t page)
{
    if (page.raw % PAGE_SIZE != 0)
        return (struct sbi_ret){ SBI_ERR_INVALID_PARAM, 0 };
    if (!vm_owns(vcpu->vm, page, PAGE_SIZE))
        return (struct sbi_ret){ SBI_ERR_INVALID_ADDRESS, 0 };
    if (vm_writable(vcpu->vm, page, PAGE_SIZE) &&
        vm_ready(vcpu->vm, vcpu->on, page, PAGE_SIZE) != P2M_OK)
        return (struct sbi_ret){ CALL_STARVED, 0 };
    /* Held, so that it cannot become a page table while we write there. */
    if (!vm_hold(vcpu->vm, vcpu->on, page))
        return (struct sbi_ret){ SBI_ERR_DENIED, 0 };
    if (vcpu->pv.shared_set)
        vm_release(vcpu->vm, vcpu->pv.shared);
    vcpu->pv.shared.raw = page.raw + vcpu->id * SI_VCPU_SIZE;
    vcpu->pv.shared_set = true;
    return (struct sbi_ret){ SBI_SUCCESS, 0 };
}

/* Where it leads is the guest's affair: a wild entry faults, in the guest. */
struct sbi_ret pv_set_entry(struct vcpu *vcpu, uint32_t entry, uint32_t stack)
{
    if (entry % 4 != 0 || stack % 16 != 0)
        return (struct sbi_ret){ SBI_ERR_INVALID_PARAM, 0 };
    vcpu->pv.entry = entry;
    vcpu->pv.stack = stack;
    vcpu->pv.entry_set = true;
    return (struct sbi_ret){ SBI_SUCCESS, 0 };
}

/* Privileged instructions are not emulated: a paravirtual kernel has none. */
enum trap_action pv_illegal(struct vcpu *vcpu, uint32_t insn)
{
    if (emulate_counter(vcpu, insn))
        return TRAP_RESUME;
    vcpu->vm->count.exit_error++;
    return vcpu_fault(vcpu, CAUSE_ILLEGAL, insn);
}

/* marker: pv-inject */
enum trap_action pv_inject(struct vcpu *vcpu, struct trap fault)
{
    struct regs *regs = vcpu_regs(vcpu);
    uint32_t     prev = vcpu->mode == PRIV_S ? PV_PREV_KERNEL : 0;

    if (!vcpu->pv.shared_set || !vcpu->pv.entry_set) {
        vm_kill(vcpu->vm,
                "no trap entry: trap before set_shared and "
                "set_entry, cause",
                fault.cause);
        return TRAP_KILL;
    }
    if (shared_read(vcpu, SI_IRQ_ENABLED))
        prev |= PV_PREV_IRQ;
    shared_write(vcpu, SI_IRQ_ENABLED, 0);
    shared_write(vcpu, SI_CAUSE, fault.cause);
    shared_write(vcpu, SI_TVAL, fault.tval);
    shared_write(vcpu, SI_EPC, regs->pc);
    shared_write(vcpu, SI_PREV, prev);
    shared_write(vcpu, SI_SP, regs->x[REG_SP]);
    shared_write(vcpu, SI_TIME_LO, (uint32_t)vcpu_time(vcpu));
    shared_write(vcpu, SI_TIME_HI, (uint32_t)(vcpu_time(vcpu) >> 32));
    if (vcpu->mode == PRIV_U)
        regs->x[REG_SP] = vcpu->pv.stack;
    vcpu->mode = PRIV_S;
    regs->pc = vcpu->pv.entry;
    return TRAP_RESUME;
}
/* marker: end */

bool pv_iret(struct vcpu *vcpu)
{
    struct regs *regs = vcpu_regs(vcpu);

    if (!vcpu->pv.shared_set)
        return false;
    uint32_t prev = shared_read(vcpu, SI_PREV);
    regs->pc = shared_read(vcpu, SI_EPC) & ~3u;
    regs->x[REG_SP] = shared_read(vcpu, SI_SP);
    regs->x[REG_A6] = shared_read(vcpu, SI_A6);
    regs->x[REG_A7] = shared_read(vcpu, SI_A7);
    shared_write(vcpu, SI_IRQ_ENABLED, prev & PV_PREV_IRQ ? 1 : 0);
    vcpu->mode = prev & PV_PREV_KERNEL ? PRIV_S : PRIV_U;
    return true;
}

struct sbi_ret pv_block(struct vcpu *vcpu)
{
    if (!vcpu->pv.shared_set)
        return (struct sbi_ret){ SBI_ERR_DENIED, 0 };
    shared_write(vcpu, SI_IRQ_ENABLED, 1);
    vcpu_block(vcpu);
    return (struct sbi_ret){ SBI_SUCCESS, 0 };
}

/* In the machine's order. Delivering a software interrupt takes it back, since
 * a paravirtual kernel has no sip to clear; the others go with their cause. */
int pv_pending(struct vcpu *vcpu)
{
    static const int order[] = { IRQ_SEI, IRQ_SSI, IRQ_STI };
    uint32_t         sip = vcpu_sip(vcpu);

    if (!vcpu->pv.shared_set || !vcpu->pv.entry_set)
        return -1;
    if (shared_read(vcpu, SI_IRQ_PENDING) != sip)
        shared_write(vcpu, SI_IRQ_PENDING, sip);
    if (!sip || !shared_read(vcpu, SI_IRQ_ENABLED))
        return -1;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
        if (!(sip >> order[i] & 1))
            continue;
        if (order[i] == IRQ_SSI)
            vcpu->csr.sip &= ~(uint32_t)MIP_SSIP;
        return order[i];
    }
    return -1;
}

bool pv_wakes(struct vcpu *vcpu)
{
    return vcpu_sip(vcpu) != 0;
}

const struct style style_pv = {
    .name = "pv",
    .paging = &paging_shadow,
    .illegal = pv_illegal,
    .inject = pv_inject,
    .pending = pv_pending,
    .wakes = pv_wakes,
    .enter = deprivileged_enter,
    .hypercalls = true,
};
