/* fast_decode.c - from instruction words to operations.
 *
 * Everything that can be known from the word and its place in the page is
 * worked out here, once: fields, immediates, whether a target lies in the same
 * page. A word that this file does not recognize, and one that is illegal,
 * becomes OP_step, and the reference engine says what it means. Written
 * against the specification and not against engine_ref.c, so that the two can
 * disagree and a differential test can notice. */
#include "machine/fast.h"

#define RD(insn)     ((insn) >> 7 & 31)
#define FUNCT3(insn) ((insn) >> 12 & 7)
#define RS1(insn)    ((insn) >> 15 & 31)
#define RS2(insn)    ((insn) >> 20 & 31)
#define FUNCT7(insn) ((insn) >> 25)

/* The top `bits` bits of a word, as a signed number. */
static int32_t top_bits(uint32_t word, uint32_t bits)
{
    return (int32_t)word >> (32 - bits);
}

static int32_t imm_store(uint32_t insn)
{
    return top_bits(insn, 7) * 32 + (int32_t)RD(insn);
}

static int32_t imm_branch(uint32_t insn)
{
    uint32_t low = (insn >> 8 & 15) << 1 | (insn >> 25 & 63) << 5 |
                   (insn >> 7 & 1) << 11;

    return top_bits(insn, 1) * 4096 + (int32_t)low;
}

static int32_t imm_jal(uint32_t insn)
{
    uint32_t low = (insn >> 21 & 0x3ff) << 1 | (insn >> 20 & 1) << 11 |
                   (insn >> 12 & 0xff) << 12;

    return top_bits(insn, 1) * (1 << 20) + (int32_t)low;
}

static struct fast_op make(enum fast_code code, uint32_t insn, int32_t imm)
{
    return (struct fast_op){
        .imm = imm,
        .rd = RD(insn) ? (uint8_t)RD(insn) : REG_SINK,
        .rs1 = (uint8_t)RS1(insn),
        .rs2 = (uint8_t)RS2(insn),
        .code = (uint8_t)code,
    };
}

static struct fast_op step(uint32_t insn)
{
    return make(OP_step, insn, 0);
}

/* marker: fast-jump */
/* A jump from instruction i of the page by `distance` bytes. */
static struct fast_op jump(enum fast_code near, enum fast_code far,
                           uint32_t insn, uint32_t i, int32_t distance)
{
    int32_t target = (int32_t)(4 * i) + distance;

    if (target < 0 || target >= PAGE_SIZE || target % 4 != 0)
        return make(far, insn, target);
    return make(near, insn, (distance / 4 - 1) * (int32_t)OP_BYTES);
}
/* marker: end */

static struct fast_op decode_load(uint32_t insn)
{
    static const uint8_t code[8] = { OP_lb,  OP_lh,  OP_lw,   OP_step,
                                     OP_lbu, OP_lhu, OP_step, OP_step };

    return make((enum fast_code)code[FUNCT3(insn)], insn, top_bits(insn, 12));
}

static struct fast_op decode_store(uint32_t insn)
{
    static const uint8_t code[8] = { OP_sb,   OP_sh,   OP_sw,   OP_step,
                                     OP_step, OP_step, OP_step, OP_step };

    return make((enum fast_code)code[FUNCT3(insn)], insn, imm_store(insn));
}

static struct fast_op decode_op_imm(uint32_t insn)
{
    static const uint8_t code[8] = { OP_addi, OP_slli, OP_slti, OP_sltiu,
                                     OP_xori, OP_srli, OP_ori,  OP_andi };
    uint32_t             funct3 = FUNCT3(insn);
    enum fast_code       which = (enum fast_code)code[funct3];
    int32_t              imm = top_bits(insn, 12);

    if (funct3 == 1 || funct3 == 5) {
        imm = (int32_t)RS2(insn);
        if (funct3 == 5 && FUNCT7(insn) == 0x20)
            which = OP_srai;
        else if (FUNCT7(insn) != 0)
            return step(insn);
    }
    if (RD(insn) == 0)
        return make(OP_nop, insn, 0);
    if (which == OP_addi && RS1(insn) == 0)
        return make(OP_li, insn, imm);
    if (which == OP_addi && imm == 0)
        return make(OP_mv, insn, 0);
    return make(which, insn, imm);
}

static struct fast_op decode_op(uint32_t insn)
{
    static const uint8_t plain[8] = { OP_add, OP_sll, OP_slt, OP_sltu,
                                      OP_xor, OP_srl, OP_or,  OP_and };
    static const uint8_t muldiv[8] = { OP_mul, OP_mulh, OP_mulhsu, OP_mulhu,
                                       OP_div, OP_divu, OP_rem,    OP_remu };
    static const uint8_t alternate[8] = { OP_sub,  OP_step, OP_step, OP_step,
                                          OP_step, OP_sra,  OP_step, OP_step };
    const uint8_t       *code;

    switch (FUNCT7(insn)) {
    case 0x00:
        code = plain;
        break;
    case 0x01:
        code = muldiv;
        break;
    case 0x20:
        code = alternate;
        break;
    default:
        return step(insn);
    }
    return make((enum fast_code)code[FUNCT3(insn)], insn, 0);
}

static struct fast_op decode_branch(uint32_t insn, uint32_t i)
{
    static const uint8_t code[8][2] = {
        { OP_beq, OP_beq_far },   { OP_bne, OP_bne_far },
        { OP_step, OP_step },     { OP_step, OP_step },
        { OP_blt, OP_blt_far },   { OP_bge, OP_bge_far },
        { OP_bltu, OP_bltu_far }, { OP_bgeu, OP_bgeu_far },
    };
    const uint8_t *pair = code[FUNCT3(insn)];

    return jump((enum fast_code)pair[0], (enum fast_code)pair[1], insn, i,
                imm_branch(insn));
}

static struct fast_op decode_jal(uint32_t insn, uint32_t i)
{
    return jump(RD(insn) ? OP_jal : OP_j, OP_jal_far, insn, i, imm_jal(insn));
}

/* LR and SC are left to the reference engine. */
static struct fast_op decode_amo(uint32_t insn)
{
    static const uint8_t code[32] = {
        [0x00] = OP_amoadd, [0x01] = OP_amoswap, [0x04] = OP_amoxor,
        [0x08] = OP_amoor,  [0x0c] = OP_amoand,  [0x10] = OP_amomin,
        [0x14] = OP_amomax, [0x18] = OP_amominu, [0x1c] = OP_amomaxu,
    };
    uint32_t funct5 = FUNCT7(insn) >> 2;

    if (FUNCT3(insn) != 2 || !code[funct5])
        return step(insn);
    return make((enum fast_code)code[funct5], insn, 0);
}

static struct fast_op decode_csr(uint32_t insn)
{
    uint32_t       funct3 = FUNCT3(insn), word, mask;
    struct fast_op op = make(OP_csr, insn, (int32_t)insn);

    if (!csr_plain(insn >> 20, &word, &mask))
        return op;
    if (funct3 == CSR_OP_WRITE)
        op = make(OP_csr_swap, insn, (int32_t)mask);
    else if (funct3 % 4 != CSR_OP_WRITE && RS1(insn) == 0)
        op = make(OP_csr_read, insn, 0);
    else
        return op;
    op.rs2 = (uint8_t)(word | (insn >> 28 & 3) << 5);
    return op;
}

static struct fast_op decode_system(uint32_t insn)
{
    uint32_t funct3 = FUNCT3(insn);

    switch (insn) {
    case 0x00000073:
        return make(OP_ecall, insn, 0);
    case 0x10200073:
        return make(OP_sret, insn, 0);
    case 0x30200073:
        return make(OP_mret, insn, 0);
    default:
        break;
    }
    return (funct3 & 3) == 0 ? step(insn) : decode_csr(insn);
}

static struct fast_op decode(uint32_t insn, uint32_t i)
{
    switch (insn & 0x7f) {
    case 0x03:
        return decode_load(insn);
    case 0x0f:
        return FUNCT3(insn) <= 1 ? make(OP_nop, insn, 0) : step(insn);
    case 0x13:
        return decode_op_imm(insn);
    case 0x17:
        return make(OP_auipc, insn, (int32_t)((insn & ~0xfffu) + 4 * i));
    case 0x23:
        return decode_store(insn);
    case 0x2f:
        return decode_amo(insn);
    case 0x33:
        return decode_op(insn);
    case 0x37:
        return make(OP_li, insn, (int32_t)(insn & ~0xfffu));
    case 0x63:
        return decode_branch(insn, i);
    case 0x67:
        return FUNCT3(insn) == 0 ? make(OP_jalr, insn, top_bits(insn, 12))
                                 : step(insn);
    case 0x6f:
        return decode_jal(insn, i);
    case 0x73:
        return decode_system(insn);
    default:
        return step(insn);
    }
}

/* Whether what follows in memory is not what is executed next. */
static bool ends_line(const struct fast_op *op)
{
    switch (op->code) {
    case OP_step:
    case OP_j:
    case OP_jal:
    case OP_jal_far:
    case OP_jalr:
    case OP_ecall:
    case OP_sret:
    case OP_mret:
        return true;
    default:
        return false;
    }
}

/* --- sequences ------------------------------------------------------------- */

#define CODES(...) { __VA_ARGS__ }
static const uint8_t sequences[NR_FUSED][FUSED_MAX] = {
#define FUSED(name, codes, ...)   [FUSED_##name] = CODES codes,
#define LOOP_OF(name, codes, ...) [FUSED_##name] = CODES codes,
#include "machine/fast_fused.def"
#undef FUSED
#undef LOOP_OF
};

/* The registers that a loop is made for: numbered from 1 as they come, three
 * for each operation; 0 is none. */
static const uint8_t patterns[][3 * FUSED_MAX] = {
    [FUSED_none] = { 0 },
#define FUSED(name, ...)
#define LOOP_OF(name, codes, registers, ...) [FUSED_##name] = CODES registers,
#include "machine/fast_fused.def"
#undef FUSED
#undef LOOP_OF
};

#define NR_LOOPS (sizeof(patterns) / sizeof(patterns[0]))

/* Whether the operations from here on are those of the sequence. */
static bool follows(const uint8_t *sequence, const struct fast_op *op,
                    uint32_t room)
{
    uint32_t len = 0;

    while (len < FUSED_MAX && sequence[len]) {
        if (len == room || sequence[len] != op[len].code)
            return false;
        len++;
    }
    return true;
}

/* Whether operation op[k] is the branch that closes a loop. (A far one has
 * another code.) */
static bool closes(const struct fast_op *op, uint32_t k)
{
    return op[k].imm == -(int32_t)((k + 1) * OP_BYTES);
}

/* Whether they name their registers as the pattern says: the same number is
 * the same register, another number is another one. */
static bool named(const uint8_t *pattern, const struct fast_op *op)
{
    uint8_t  reg[3 * FUSED_MAX];
    uint32_t known = 0, k = 0;

    for (; k < FUSED_MAX && (pattern[3 * k] || pattern[3 * k + 1]); k++) {
        const uint8_t fields[3] = { op[k].rd, op[k].rs1, op[k].rs2 };

        for (uint32_t f = 0; f < 3; f++) {
            uint32_t number = pattern[3 * k + f];

            if (number == 0)
                continue;
            if (number > known)
                reg[known++] = fields[f];
            for (uint32_t i = 0; i < known; i++)
                if ((reg[i] == fields[f]) != (i + 1 == number))
                    return false;
        }
    }
    return closes(op, k - 1);
}

/* The loop that starts here, else the longest sequence. FUSED_none matches
 * nothing, since no operation of a sequence is OP_decode. */
static uint32_t fuse(const struct fast *fast, const struct fast_op *op,
                     uint32_t room)
{
    uint32_t n = fast->first_loop[op->code];

    for (; n && n < NR_LOOPS && sequences[n][0] == op->code; n++)
        if (follows(sequences[n], op, room) && named(patterns[n], op))
            return n;
    n = fast->first[op->code];
    for (; n && n < NR_FUSED && sequences[n][0] == op->code; n++)
        if (follows(sequences[n], op, room))
            return n;
    return FUSED_none;
}

void fast_index(struct fast *fast)
{
    for (uint32_t n = NR_FUSED - 1; n >= NR_LOOPS; n--)
        fast->first[sequences[n][0]] = (uint16_t)n;
    for (uint32_t n = NR_LOOPS - 1; n > FUSED_none; n--)
        fast->first_loop[sequences[n][0]] = (uint16_t)n;
}

/* Give every operation of [from, to) its handler. */
static void thread(const struct fast *fast, struct fast_page *page,
                   uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        struct fast_op *op = &page->op[i];
        uint32_t        n = fuse(fast, op, PAGE_OPS - i);

        op->run = fast_handler(fast, n ? NR_CODES + n : op->code);
    }
}

void fast_decode(struct machine *m, struct fast_page *page, uint32_t i)
{
    const uint8_t *bytes = m->ram + (size_t)page->frame * PAGE_SIZE;
    uint32_t       from = i < FUSED_MAX ? 0 : i - (FUSED_MAX - 1);
    bool           ends = false;

    for (; i < PAGE_OPS && !ends && page->op[i].code == OP_decode; i++) {
        page->op[i] = decode(load_le(bytes + 4 * i, 4), i);
        ends = ends_line(&page->op[i]);
    }
    if (m->fast->handlers)
        thread(m->fast, page, from, i);
}
