/* engine_ref.c - the reference engine: fetch, decode, execute, one instruction
 * at a time, in the words of the specification.
 *
 * 31      25 24 20 19 15 14 12 11       7 6      0
 * [ funct7  ][rs2 ][rs1 ][ f3 ][   rd   ][opcode]   R  op, amo
 * [   imm[11:0]   ][rs1 ][ f3 ][   rd   ][opcode]   I  op-imm, load, jalr
 * [imm[11:5]][rs2 ][rs1 ][ f3 ][imm[4:0]][opcode]   S  store
 * [imm 12|10:5][rs2][rs1][ f3 ][4:1|11  ][opcode]   B  branch
 * [         imm[31:12]         ][   rd  ][opcode]   U  lui, auipc
 * [      imm 20|10:1|11|19:12  ][   rd  ][opcode]   J  jal
 *
 * Read step() first, then execute(), which has one function per major opcode.
 * Each of them either does the whole instruction and returns true, or finds
 * that it may not, takes the trap and returns false, having changed nothing:
 * an instruction that traps does not retire. */
#include "machine/internal.h"

enum opcode {
    OPCODE_LOAD = 0x03,
    OPCODE_MISC_MEM = 0x0f,
    OPCODE_OP_IMM = 0x13,
    OPCODE_AUIPC = 0x17,
    OPCODE_STORE = 0x23,
    OPCODE_AMO = 0x2f,
    OPCODE_OP = 0x33,
    OPCODE_LUI = 0x37,
    OPCODE_BRANCH = 0x63,
    OPCODE_JALR = 0x67,
    OPCODE_JAL = 0x6f,
    OPCODE_SYSTEM = 0x73,
};

/* The SYSTEM instructions that have no operands are whole words. */
#define INSN_ECALL  0x00000073
#define INSN_EBREAK 0x00100073
#define INSN_SRET   0x10200073
#define INSN_WFI    0x10500073
#define INSN_MRET   0x30200073

/* --- fields ------------------------------------------------------------ */

static uint32_t field_rd(uint32_t insn)
{
    return insn >> 7 & 31;
}

static uint32_t field_rs1(uint32_t insn)
{
    return insn >> 15 & 31;
}

static uint32_t field_rs2(uint32_t insn)
{
    return insn >> 20 & 31;
}

static uint32_t field_funct3(uint32_t insn)
{
    return insn >> 12 & 7;
}

static uint32_t field_funct7(uint32_t insn)
{
    return insn >> 25;
}

/* Shift right and copy the sign bit. (C leaves >> of a negative number to the
 * compiler; all that we know of do this.) */
static uint32_t shift_arithmetic(uint32_t val, uint32_t amount)
{
    return (uint32_t)((int32_t)val >> amount);
}

static uint32_t imm_i(uint32_t insn)
{
    return shift_arithmetic(insn, 20);
}

static uint32_t imm_s(uint32_t insn)
{
    return (shift_arithmetic(insn, 20) & ~31u) | field_rd(insn);
}

static uint32_t imm_b(uint32_t insn)
{
    return (shift_arithmetic(insn, 19) & ~0xfffu) | (insn << 4 & 0x800) |
           (insn >> 20 & 0x7e0) | (insn >> 7 & 0x1e);
}

static uint32_t imm_u(uint32_t insn)
{
    return insn & 0xfffff000;
}

static uint32_t imm_j(uint32_t insn)
{
    return (shift_arithmetic(insn, 11) & ~0xfffffu) | (insn & 0xff000) |
           (insn >> 9 & 0x800) | (insn >> 20 & 0x7fe);
}

/* --- traps, and access to memory --------------------------------------- */

static bool trap(struct hart *hart, uint32_t cause, uint32_t tval)
{
    trap_take(hart, cause, tval);
    return false;
}

static bool illegal(struct hart *hart, uint32_t insn)
{
    return trap(hart, CAUSE_ILLEGAL, insn);
}

/* What the hart's mode does not allow: with V = 1, and if V = 0 would allow it,
 * a virtual instruction. */
static bool refused(struct hart *hart, uint32_t insn, bool virtual_insn)
{
    return trap(hart, virtual_insn ? CAUSE_VIRTUAL : CAUSE_ILLEGAL, insn);
}

/* Alignment is checked before translation: of two faults, the misaligned
 * address wins. */
static bool translate(struct hart *hart, enum access access, uint32_t va,
                      uint32_t size, uint32_t *pa)
{
    if (va & (size - 1))
        return trap(hart,
                    access == ACCESS_STORE ? CAUSE_STORE_MISALIGNED
                                           : CAUSE_LOAD_MISALIGNED,
                    va);
    int cause = mmu_translate(hart, access, va, pa);
    return cause == MMU_OK || trap(hart, (uint32_t)cause, va);
}

static bool fetch(struct hart *hart, uint32_t *insn)
{
    uint32_t pc = hart->regs.pc;
    uint32_t pa;

    if (pc & 3) /* no jump leaves such a pc; a debugger can */
        return trap(hart, CAUSE_FETCH_MISALIGNED, pc);
    int cause = mmu_translate(hart, ACCESS_FETCH, pc, &pa);
    if (cause != MMU_OK)
        return trap(hart, (uint32_t)cause, pc);
    const uint8_t *bytes = ram_at(hart->machine, pa, 4);
    if (!bytes) /* devices hold no code */
        return trap(hart, CAUSE_FETCH_ACCESS, pc);
    *insn = load_le(bytes, 4);
    return true;
}

static bool jump(struct hart *hart, uint32_t target, uint32_t *next)
{
    if (target & 3)
        return trap(hart, CAUSE_FETCH_MISALIGNED, target);
    *next = target;
    return true;
}

/* --- one function per major opcode ------------------------------------- */

static bool op_load(struct hart *hart, uint32_t insn)
{
    uint32_t va = hart->regs.x[field_rs1(insn)] + imm_i(insn);
    uint32_t funct3 = field_funct3(insn);
    uint32_t size = 1u << (funct3 & 3);
    uint32_t pa, val;

    if (funct3 == 3 || funct3 > 5)
        return illegal(hart, insn);
    if (!translate(hart, ACCESS_LOAD, va, size, &pa))
        return false;
    if (!machine_load(hart->machine, hart, pa, size, &val))
        return trap(hart, CAUSE_LOAD_ACCESS, va);
    if (funct3 == 0)
        val = shift_arithmetic(val << 24, 24);
    if (funct3 == 1)
        val = shift_arithmetic(val << 16, 16);
    hart->regs.x[field_rd(insn)] = val;
    hart->count.loads++;
    return true;
}

static bool op_store(struct hart *hart, uint32_t insn)
{
    uint32_t va = hart->regs.x[field_rs1(insn)] + imm_s(insn);
    uint32_t funct3 = field_funct3(insn);
    uint32_t size = 1u << (funct3 & 3);
    uint32_t pa;

    if (funct3 > 2)
        return illegal(hart, insn);
    if (!translate(hart, ACCESS_STORE, va, size, &pa))
        return false;
    if (!machine_store(hart->machine, hart, pa, size,
                       hart->regs.x[field_rs2(insn)]))
        return trap(hart, CAUSE_STORE_ACCESS, va);
    hart->count.stores++;
    return true;
}

/* Shared by op and op-imm: funct3 and, where two share it, `alternate`. */
static uint32_t arithmetic(uint32_t funct3, bool alternate, uint32_t a,
                           uint32_t b)
{
    switch (funct3) {
    case 0:
        return alternate ? a - b : a + b;
    case 1:
        return a << (b & 31);
    case 2:
        return (int32_t)a < (int32_t)b;
    case 3:
        return a < b;
    case 4:
        return a ^ b;
    case 5:
        return alternate ? shift_arithmetic(a, b & 31) : a >> (b & 31);
    case 6:
        return a | b;
    default:
        return a & b;
    }
}

static bool op_imm(struct hart *hart, uint32_t insn)
{
    uint32_t funct3 = field_funct3(insn);
    uint32_t funct7 = field_funct7(insn);
    bool     shift = funct3 == 1 || funct3 == 5;
    bool     alternate = funct3 == 5 && funct7 == 0x20;

    if (shift && funct7 != 0 && !alternate)
        return illegal(hart, insn);
    hart->regs.x[field_rd(insn)] = arithmetic(
        funct3, alternate, hart->regs.x[field_rs1(insn)], imm_i(insn));
    return true;
}

/* Extension M. Division never traps: by zero it gives all ones and leaves the
 * dividend as remainder; the one overflow gives the dividend and 0. */
static uint32_t multiply_divide(uint32_t funct3, uint32_t a, uint32_t b)
{
    int64_t signed_a = (int32_t)a;
    int64_t signed_b = (int32_t)b;
    bool    overflow = a == 0x80000000 && b == 0xffffffff;

    switch (funct3) {
    case 0: /* mul */
        return a * b;
    case 1: /* mulh */
        return (uint32_t)((uint64_t)(signed_a * signed_b) >> 32);
    case 2: /* mulhsu */
        return (uint32_t)((uint64_t)(signed_a * (int64_t)b) >> 32);
    case 3: /* mulhu */
        return (uint32_t)((uint64_t)a * b >> 32);
    case 4: /* div */
        if (b == 0)
            return 0xffffffff;
        return overflow ? a : (uint32_t)((int32_t)a / (int32_t)b);
    case 5: /* divu */
        return b == 0 ? 0xffffffff : a / b;
    case 6: /* rem */
        if (b == 0)
            return a;
        return overflow ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
    default: /* remu */
        return b == 0 ? a : a % b;
    }
}

static bool op_op(struct hart *hart, uint32_t insn)
{
    uint32_t a = hart->regs.x[field_rs1(insn)];
    uint32_t b = hart->regs.x[field_rs2(insn)];
    uint32_t funct3 = field_funct3(insn);
    uint32_t result;

    switch (field_funct7(insn)) {
    case 0x00:
        result = arithmetic(funct3, false, a, b);
        break;
    case 0x01:
        result = multiply_divide(funct3, a, b);
        break;
    case 0x20:
        if (funct3 != 0 && funct3 != 5) /* sub and sra */
            return illegal(hart, insn);
        result = arithmetic(funct3, true, a, b);
        break;
    default:
        return illegal(hart, insn);
    }
    hart->regs.x[field_rd(insn)] = result;
    return true;
}

static bool op_branch(struct hart *hart, uint32_t insn, uint32_t *next)
{
    uint32_t a = hart->regs.x[field_rs1(insn)];
    uint32_t b = hart->regs.x[field_rs2(insn)];
    uint32_t funct3 = field_funct3(insn);
    bool     taken;

    switch (funct3 & 6) {
    case 0:
        taken = a == b;
        break;
    case 4:
        taken = (int32_t)a < (int32_t)b;
        break;
    case 6:
        taken = a < b;
        break;
    default:
        return illegal(hart, insn);
    }
    if (funct3 & 1) /* bne, bge, bgeu */
        taken = !taken;
    return !taken || jump(hart, hart->regs.pc + imm_b(insn), next);
}

static bool op_jal(struct hart *hart, uint32_t insn, uint32_t *next)
{
    uint32_t link = hart->regs.pc + 4;

    if (!jump(hart, hart->regs.pc + imm_j(insn), next))
        return false;
    hart->regs.x[field_rd(insn)] = link;
    return true;
}

static bool op_jalr(struct hart *hart, uint32_t insn, uint32_t *next)
{
    uint32_t target = hart->regs.x[field_rs1(insn)] + imm_i(insn);
    uint32_t link = hart->regs.pc + 4;

    if (field_funct3(insn) != 0)
        return illegal(hart, insn);
    if (!jump(hart, target & ~1u, next))
        return false;
    hart->regs.x[field_rd(insn)] = link;
    return true;
}

/* fence and fence.i: harts run one at a time and memory is always coherent, so
 * both do nothing; their other fields are to be ignored. */
static bool op_misc_mem(struct hart *hart, uint32_t insn)
{
    return field_funct3(insn) <= 1 || illegal(hart, insn);
}

/* --- extension A -------------------------------------------------------- */

static bool op_load_reserved(struct hart *hart, uint32_t insn)
{
    uint32_t va = hart->regs.x[field_rs1(insn)];
    uint32_t pa;

    if (field_rs2(insn) != 0)
        return illegal(hart, insn);
    if (!translate(hart, ACCESS_LOAD, va, 4, &pa))
        return false;
    const uint8_t *word = ram_at(hart->machine, pa, 4);
    if (!word) /* devices cannot be reserved */
        return trap(hart, CAUSE_LOAD_ACCESS, va);
    hart->regs.x[field_rd(insn)] = load_le(word, 4);
    hart->reserved = true;
    hart->reservation = pa;
    hart->count.loads++;
    return true;
}

/* An SC that is going to fail still needs the right to store there. */
static bool op_store_conditional(struct hart *hart, uint32_t insn)
{
    uint32_t va = hart->regs.x[field_rs1(insn)];
    uint32_t val = hart->regs.x[field_rs2(insn)];
    uint32_t pa;

    if (!translate(hart, ACCESS_STORE, va, 4, &pa))
        return false;
    if (!ram_at(hart->machine, pa, 4))
        return trap(hart, CAUSE_STORE_ACCESS, va);
    bool held = hart->reserved && hart->reservation == pa;
    hart->reserved = false;
    if (held)
        machine_store(hart->machine, hart, pa, 4, val);
    hart->regs.x[field_rd(insn)] = !held;
    hart->count.stores++;
    return true;
}

enum amo {
    AMO_ADD = 0x00,
    AMO_SWAP = 0x01,
    AMO_LR = 0x02,
    AMO_SC = 0x03,
    AMO_XOR = 0x04,
    AMO_OR = 0x08,
    AMO_AND = 0x0c,
    AMO_MIN = 0x10,
    AMO_MAX = 0x14,
    AMO_MINU = 0x18,
    AMO_MAXU = 0x1c,
};

/* What an AMO stores; false if there is no such AMO. */
static bool amo_compute(uint32_t funct5, uint32_t old, uint32_t val,
                        uint32_t *result)
{
    bool less = (int32_t)old < (int32_t)val;

    switch (funct5) {
    case AMO_ADD:
        *result = old + val;
        return true;
    case AMO_SWAP:
        *result = val;
        return true;
    case AMO_XOR:
        *result = old ^ val;
        return true;
    case AMO_OR:
        *result = old | val;
        return true;
    case AMO_AND:
        *result = old & val;
        return true;
    case AMO_MIN:
        *result = less ? old : val;
        return true;
    case AMO_MAX:
        *result = less ? val : old;
        return true;
    case AMO_MINU:
        *result = old < val ? old : val;
        return true;
    case AMO_MAXU:
        *result = old < val ? val : old;
        return true;
    default:
        return false;
    }
}

static bool op_amo(struct hart *hart, uint32_t insn)
{
    uint32_t funct5 = field_funct7(insn) >> 2; /* below it: aq, rl */
    uint32_t va = hart->regs.x[field_rs1(insn)];
    uint32_t val = hart->regs.x[field_rs2(insn)];
    uint32_t pa, result;

    if (field_funct3(insn) != 2)
        return illegal(hart, insn);
    if (funct5 == AMO_LR)
        return op_load_reserved(hart, insn);
    if (funct5 == AMO_SC)
        return op_store_conditional(hart, insn);
    if (!amo_compute(funct5, 0, val, &result))
        return illegal(hart, insn);
    if (!translate(hart, ACCESS_STORE, va, 4, &pa))
        return false;
    const uint8_t *word = ram_at(hart->machine, pa, 4);
    if (!word) /* devices know no atomics */
        return trap(hart, CAUSE_STORE_ACCESS, va);
    uint32_t old = load_le(word, 4);
    amo_compute(funct5, old, val, &result);
    machine_store(hart->machine, hart, pa, 4, result);
    hart->regs.x[field_rd(insn)] = old;
    hart->count.stores++;
    return true;
}

/* --- system ------------------------------------------------------------- */

static bool op_csr(struct hart *hart, uint32_t insn)
{
    uint32_t    funct3 = field_funct3(insn);
    enum csr_op op = (enum csr_op)(funct3 & 3);
    uint32_t    rs1 = field_rs1(insn);
    uint32_t    operand = funct3 & 4 ? rs1 : hart->regs.x[rs1];
    bool        write = op == CSR_OP_WRITE || rs1 != 0;
    uint32_t    old;

    if (!csr_execute(hart, insn >> 20, op, write, operand, &old))
        return trap(hart, csr_refusal(hart, insn >> 20, write), insn);
    hart->regs.x[field_rd(insn)] = old;
    return true;
}

static bool op_ecall(struct hart *hart)
{
    static const uint32_t cause[] = {
        [PRIV_U] = CAUSE_ECALL_U,
        [PRIV_S] = CAUSE_ECALL_S,
        [PRIV_M] = CAUSE_ECALL_M,
    };

    if (hart->virt && hart->priv == PRIV_S)
        return trap(hart, CAUSE_ECALL_VS, 0);
    return trap(hart, cause[hart->priv], 0);
}

static bool op_mret(struct hart *hart, uint32_t insn, uint32_t *next)
{
    if (hart->priv != PRIV_M)
        return illegal(hart, insn);
    *next = trap_mret(hart);
    return true;
}

/* Whether the hart is in S, and mstatus takes this right away from S; in VS,
 * hstatus. (The bits stand in the same places: TVM, TW, TSR.) */
static bool withheld(const struct hart *hart, uint32_t mstatus_bit)
{
    uint32_t status = hart->virt ? hart->csr.hstatus : hart->csr.mstatus;

    return hart->priv == PRIV_S && (status & mstatus_bit);
}

static bool op_sret(struct hart *hart, uint32_t insn, uint32_t *next)
{
    if (csr_leaks(hart))
        return true; /* the profile's sin: neither done nor refused */
    if (hart->priv == PRIV_U || withheld(hart, MSTATUS_TSR))
        return refused(hart, insn, hart->virt);
    *next = trap_sret(hart);
    return true;
}

/* wfi retires at once; hart_boundary() then lets the time pass. mstatus.TW
 * counts below M whatever V is. */
static bool op_wfi(struct hart *hart, uint32_t insn)
{
    bool tw = hart->csr.mstatus & MSTATUS_TW;

    if (hart->priv != PRIV_M && tw)
        return illegal(hart, insn);
    if (hart->priv == PRIV_U || withheld(hart, MSTATUS_TW))
        return refused(hart, insn, hart->virt);
    hart->waiting = true;
    hart->event = 0;
    return true;
}

static bool op_sfence_vma(struct hart *hart, uint32_t insn)
{
    uint32_t rs1 = field_rs1(insn), rs2 = field_rs2(insn);

    if (hart->priv == PRIV_U || withheld(hart, MSTATUS_TVM))
        return refused(hart, insn, hart->virt);
    if (hart->virt)
        hart_hfence_vvma(hart, rs1 != 0, hart->regs.x[rs1]);
    else
        hart_fence(hart, rs1 != 0, hart->regs.x[rs1], rs2 != 0,
                   hart->regs.x[rs2]);
    return true;
}

static bool op_hfence_vvma(struct hart *hart, uint32_t insn)
{
    uint32_t rs1 = field_rs1(insn);

    if (hart->virt || hart->priv == PRIV_U)
        return refused(hart, insn, hart->virt);
    hart_hfence_vvma(hart, rs1 != 0, hart->regs.x[rs1]);
    return true;
}

static bool op_hfence_gvma(struct hart *hart, uint32_t insn)
{
    uint32_t rs2 = field_rs2(insn);

    if (hart->virt || hart->priv == PRIV_U || withheld(hart, MSTATUS_TVM))
        return refused(hart, insn, hart->virt);
    hart_hfence_gvma(hart, rs2 != 0, hart->regs.x[rs2]);
    return true;
}

/* Instructions of funct3 0 that have operands. */
static bool op_fence(struct hart *hart, uint32_t insn)
{
    if (field_rd(insn) != 0)
        return illegal(hart, insn);
    if (field_funct7(insn) == 0x09)
        return op_sfence_vma(hart, insn);
    if (hart_has_h(hart) && field_funct7(insn) == 0x11)
        return op_hfence_vvma(hart, insn);
    if (hart_has_h(hart) && field_funct7(insn) == 0x31)
        return op_hfence_gvma(hart, insn);
    return illegal(hart, insn);
}

static bool op_system(struct hart *hart, uint32_t insn, uint32_t *next)
{
    uint32_t funct3 = field_funct3(insn);

    if (funct3 == 4)
        return illegal(hart, insn);
    if (funct3 != 0)
        return op_csr(hart, insn);
    switch (insn) {
    case INSN_ECALL:
        return op_ecall(hart);
    case INSN_EBREAK:
        return trap(hart, CAUSE_BREAKPOINT, hart->regs.pc);
    case INSN_MRET:
        return op_mret(hart, insn, next);
    case INSN_SRET:
        return op_sret(hart, insn, next);
    case INSN_WFI:
        return op_wfi(hart, insn);
    default:
        return op_fence(hart, insn);
    }
}

/* --- the loop ------------------------------------------------------------ */

/* Execute one instruction; false if it trapped instead. `next` comes in as the
 * address of the following instruction, and leaves as that of the next. */
static bool execute(struct hart *hart, uint32_t insn, uint32_t *next)
{
    switch (insn & 0x7f) {
    case OPCODE_LOAD:
        return op_load(hart, insn);
    case OPCODE_MISC_MEM:
        return op_misc_mem(hart, insn);
    case OPCODE_OP_IMM:
        return op_imm(hart, insn);
    case OPCODE_AUIPC:
        hart->regs.x[field_rd(insn)] = hart->regs.pc + imm_u(insn);
        return true;
    case OPCODE_STORE:
        return op_store(hart, insn);
    case OPCODE_AMO:
        return op_amo(hart, insn);
    case OPCODE_OP:
        return op_op(hart, insn);
    case OPCODE_LUI:
        hart->regs.x[field_rd(insn)] = imm_u(insn);
        return true;
    case OPCODE_BRANCH:
        return op_branch(hart, insn, next);
    case OPCODE_JALR:
        return op_jalr(hart, insn, next);
    case OPCODE_JAL:
        return op_jal(hart, insn, next);
    case OPCODE_SYSTEM:
        return op_system(hart, insn, next);
    default:
        return illegal(hart, insn);
    }
}

/* marker: ref-step */
static void step(struct hart *hart)
{
    uint32_t next = hart->regs.pc + 4;
    uint32_t insn;

    if (!fetch(hart, &insn) || !execute(hart, insn, &next))
        return; /* the trap has set pc, and has been paid for */
    hart->regs.pc = next;
    hart->regs.x[0] = 0;
    hart->instret++;
    hart_pay(hart, COST_insn, 1);
}
/* marker: end */

static enum hart_exit engine_ref_run(struct hart *hart, uint64_t until)
{
    enum hart_exit why;

    for (;;) {
        if (hart->cycle >= hart->event && !hart_boundary(hart, until, &why))
            return why;
        step(hart);
    }
}

const struct engine engine_ref = {
    .name = "ref",
    .run = engine_ref_run,
    .step = step,
};
