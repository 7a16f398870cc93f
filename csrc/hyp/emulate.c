/* emulate.c - the style `emulate`: a kernel that does not know.
 *
 * The guest kernel runs in real U-mode, where every privileged instruction of
 * a clean machine traps as illegal. The instruction word comes with the trap,
 * so it is not read from guest memory a second time, when another hart could
 * have changed it. If the guest, in the mode it believes it is in, may execute
 * it, it is done here on the guest's own CSRs; otherwise the guest's kernel
 * gets the exception that the bare machine would have given it. */
#include "abi/cause.h"
#include "abi/csr.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/vcsr.h"

#define INSN_SRET        0x10200073u
#define INSN_WFI         0x10500073u
#define INSN_SFENCE      0x12000073u
#define INSN_SFENCE_MASK 0xfe007fffu
#define OPCODE(insn)     ((insn) & 0x7f)
#define OPCODE_SYSTEM    0x73
#define FIELD_RD(insn)   ((insn) >> 7 & 31)
#define FIELD_F3(insn)   ((insn) >> 12 & 7)
#define FIELD_RS1(insn)  ((insn) >> 15 & 31)
#define FIELD_CSR(insn)  ((insn) >> 20)
#define F3_IMMEDIATE     4

enum csr_op { CSR_WRITE = 1, CSR_SET = 2, CSR_CLEAR = 3 };

static enum trap_action illegal(struct vcpu *vcpu, uint32_t insn)
{
    vcpu->vm->count.exit_error++;
    return vcpu_fault(vcpu, CAUSE_ILLEGAL, insn);
}

static enum trap_action emulated(struct vcpu *vcpu)
{
    vcpu->vm->count.emulated++;
    vcpu_retire(vcpu);
    return TRAP_RESUME;
}

static uint32_t csr_combine(enum csr_op op, uint32_t old, uint32_t operand)
{
    switch (op) {
    case CSR_SET:
        return old | operand;
    case CSR_CLEAR:
        return old & ~operand;
    default:
        return operand;
    }
}

/* marker: emulate-csr */
static enum trap_action emulate_csr(struct vcpu *vcpu, uint32_t insn)
{
    struct regs *regs = vcpu_regs(vcpu);
    uint32_t     f3 = FIELD_F3(insn), rs1 = FIELD_RS1(insn);
    uint32_t     operand = f3 & F3_IMMEDIATE ? rs1 : regs->x[rs1];
    enum csr_op  op = (enum csr_op)(f3 & 3);
    bool         write = op == CSR_WRITE || rs1 != 0;
    uint32_t     old;

    if (!vcsr_permitted(vcpu, FIELD_CSR(insn), write) ||
        !vcsr_read(vcpu, FIELD_CSR(insn), &old))
        return illegal(vcpu, insn);
    if (write)
        vcsr_write(vcpu, FIELD_CSR(insn), csr_combine(op, old, operand));
    if (FIELD_RD(insn) != 0)
        regs->x[FIELD_RD(insn)] = old;
    vcpu->vm->count.exit_csr++;
    return emulated(vcpu);
}
/* marker: end */

bool emulate_counter(struct vcpu *vcpu, uint32_t insn)
{
    uint32_t csr = FIELD_CSR(insn);

    if (OPCODE(insn) != OPCODE_SYSTEM || (FIELD_F3(insn) & 3) == 0 ||
        csr >> 8 != CSR_CYCLE >> 8)
        return false;
    return emulate_csr(vcpu, insn) == TRAP_RESUME;
}

/* marker: emulate-sret */
static enum trap_action emulate_sret(struct vcpu *vcpu)
{
    uint32_t old = vcpu->csr.sstatus;
    uint32_t new = old & ~(uint32_t)(MSTATUS_SIE | MSTATUS_SPP);

    if (old & MSTATUS_SPIE)
        new |= MSTATUS_SIE;
    vcpu->csr.sstatus = new | MSTATUS_SPIE;
    vcpu->vm->count.exit_sret++;
    enum trap_action action = emulated(vcpu);
    vcpu->mode = old & MSTATUS_SPP ? PRIV_S : PRIV_U;
    vcpu_regs(vcpu)->pc = vcpu->csr.sepc;
    return action;
}
/* marker: end */

static enum trap_action emulate_sfence(struct vcpu *vcpu, uint32_t insn)
{
    uint32_t rs1 = FIELD_RS1(insn);
    gva_t    va = { vcpu_regs(vcpu)->x[rs1] };

    /* No ASIDs, so rs2 narrows nothing. */
    vcpu->vm->count.exit_fence++;
    if (!vcpu_fence(vcpu, rs1 != 0, va))
        return TRAP_RESUME; /* at this instruction */
    return emulated(vcpu);
}

static enum trap_action emulate_wfi(struct vcpu *vcpu)
{
    enum trap_action action = emulated(vcpu);

    vcpu->vm->count.exit_wfi++;
    vcpu_block(vcpu);
    return action;
}

enum trap_action emulate_illegal(struct vcpu *vcpu, uint32_t insn)
{
    hal_charge(vcpu->on, HAL_COST_emulate, 1);
    if (OPCODE(insn) != OPCODE_SYSTEM)
        return illegal(vcpu, insn);
    if ((FIELD_F3(insn) & 3) != 0)
        return emulate_csr(vcpu, insn);
    if (vcpu->mode != PRIV_S)
        return illegal(vcpu, insn);
    if (insn == INSN_SRET)
        return emulate_sret(vcpu);
    if (insn == INSN_WFI)
        return emulate_wfi(vcpu);
    if ((insn & INSN_SFENCE_MASK) == INSN_SFENCE)
        return emulate_sfence(vcpu, insn);
    return illegal(vcpu, insn);
}

/* marker: emulate-inject */
/* As the machine takes a trap into S: see the table in machine/trap.c. */
enum trap_action emulate_inject(struct vcpu *vcpu, struct trap fault)
{
    struct vcsr *csr = &vcpu->csr;
    struct regs *regs = vcpu_regs(vcpu);
    uint32_t     status = csr->sstatus &
                          ~(uint32_t)(MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP);

    if (csr->sstatus & MSTATUS_SIE)
        status |= MSTATUS_SPIE;
    if (vcpu->mode == PRIV_S)
        status |= MSTATUS_SPP;
    csr->sstatus = status;
    csr->sepc = regs->pc & ~3u;
    csr->scause = fault.cause;
    csr->stval = fault.tval;
    vcpu->mode = PRIV_S;
    regs->pc = csr->stvec & ~3u;
    if ((csr->stvec & 1) && (fault.cause & CAUSE_INTERRUPT))
        regs->pc += 4 * (fault.cause & ~CAUSE_INTERRUPT);
    return TRAP_RESUME;
}
/* marker: end */

int emulate_pending(struct vcpu *vcpu)
{
    static const int order[] = { IRQ_SEI, IRQ_SSI, IRQ_STI };
    uint32_t         due = vcpu_sip(vcpu) & vcpu->csr.sie;

    if (vcpu->mode == PRIV_S && !(vcpu->csr.sstatus & MSTATUS_SIE))
        return -1;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (due >> order[i] & 1)
            return order[i];
    return -1;
}

bool emulate_wakes(struct vcpu *vcpu)
{
    return vcpu_sip(vcpu) & vcpu->csr.sie;
}

void deprivileged_enter(struct vcpu *vcpu, struct world *world)
{
    world->kind = WORLD_DEPRIVILEGED;
    world->mxr = vcpu->csr.sstatus & MSTATUS_MXR;
}

const struct style style_emulate = {
    .name = "emulate",
    .paging = &paging_shadow,
    .illegal = emulate_illegal,
    .inject = emulate_inject,
    .pending = emulate_pending,
    .wakes = emulate_wakes,
    .enter = deprivileged_enter,
};
