/* diff.c - the fast engine against the reference engine, in lockstep.
 *
 * A scenario is two machines that differ in the engine alone, full of random
 * instructions: mostly valid ones, mostly on mapped pages, so that they live
 * for a while. Both run for the same random number of cycles, again and again;
 * after each run everything that a program could see must be the same. Between
 * runs the outside interferes, in both machines alike: timers, interrupts,
 * writes of RAM and CSRs, fences, new programs.
 *
 * What a scenario does is a pure function of its seed. Memory:
 *
 *   0 ..                 code, data, all mixed; handlers at page 0 and page 1
 *   CODE_PAGES ..        page tables: one root, three leaf tables
 *   CODE_PAGES + 4 ..    of the second stage: a root of four pages, a leaf table
 *
 * mapped at 0 (through two aliases per frame or so, random rights) and where
 * they are (by one megapage or by 4 KiB pages). Half of the machines have
 * extension H; vsatp then names the same tables as satp, and the second stage
 * leaves most addresses as they are. */
#include "diff.h"
#include "machine/fast.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CODE_PAGES 20
#define NR_PAGES   30
#define RAM_SIZE   (NR_PAGES * PAGE_SIZE)
#define ROOT       (RAM_BASE + CODE_PAGES * PAGE_SIZE)
#define LEAVES     (ROOT + PAGE_SIZE)
#define G_ROOT     (ROOT + 4 * PAGE_SIZE)
#define G_LEAVES   (G_ROOT + 4 * PAGE_SIZE)

struct diff {
    uint64_t            random;
    struct machine     *m[2]; /* reference, fast */
    struct diff_result *result;
};

/* --- random choices ------------------------------------------------------ */

static uint32_t rnd(struct diff *d)
{
    uint64_t z = d->random += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static uint32_t below(struct diff *d, uint32_t n)
{
    return (uint32_t)((uint64_t)rnd(d) * n >> 32);
}

static bool chance(struct diff *d, uint32_t percent)
{
    return below(d, 100) < percent;
}

#define PICK(d, array) ((array)[below(d, sizeof(array) / sizeof((array)[0]))])

/* --- instructions ---------------------------------------------------------- */

/* x8-x15 are pointers, and rarely written otherwise; x16-x19 hold
 * instructions that stores may plant; the rest are numbers. */
static uint32_t any_reg(struct diff *d)
{
    return below(d, 32);
}

static uint32_t pointer(struct diff *d)
{
    return chance(d, 95) ? 8 + below(d, 8) : any_reg(d);
}

static uint32_t target_reg(struct diff *d)
{
    uint32_t reg = any_reg(d);

    return reg >= 8 && reg < 20 && chance(d, 97) ? below(d, 8) : reg;
}

static uint32_t r_type(uint32_t opcode, uint32_t rd, uint32_t funct3,
                       uint32_t rs1, uint32_t rs2, uint32_t funct7)
{
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | rs2 << 20 |
           funct7 << 25;
}

static uint32_t i_type(uint32_t opcode, uint32_t rd, uint32_t funct3,
                       uint32_t rs1, uint32_t imm)
{
    return opcode | rd << 7 | funct3 << 12 | rs1 << 15 | imm << 20;
}

static uint32_t s_type(uint32_t funct3, uint32_t rs1, uint32_t rs2,
                       uint32_t imm)
{
    return r_type(0x23, imm & 31, funct3, rs1, rs2, imm >> 5 & 127);
}

static uint32_t b_type(uint32_t funct3, uint32_t rs1, uint32_t rs2,
                       uint32_t imm)
{
    return r_type(0x63, (imm & 0x1e) | (imm >> 11 & 1), funct3, rs1, rs2,
                  (imm >> 5 & 63) | (imm >> 12 & 1) << 6);
}

static uint32_t j_type(uint32_t rd, uint32_t imm)
{
    return 0x6f | rd << 7 | (imm & 0xff000) | (imm >> 11 & 1) << 20 |
           (imm >> 1 & 0x3ff) << 21 | (imm >> 20 & 1) << 31;
}

static uint32_t offset(struct diff *d, uint32_t size)
{
    uint32_t imm = chance(d, 50) ? below(d, 64) : rnd(d);

    return chance(d, 97) ? imm & ~(size - 1) : imm;
}

/* Mostly close by, mostly forward, so that code moves on. */
static uint32_t distance(struct diff *d)
{
    switch (below(d, 16)) {
    case 0:
        return rnd(d) & ~1u;
    case 1:
        return 0u - 4 * below(d, 40);
    case 2:
        return below(d, 8) ? 4 + 4 * below(d, 40) : 0u - 4 * below(d, 400);
    case 3:
        return 4 * below(d, 1024);
    default:
        return 4 + 4 * below(d, 12);
    }
}

static uint32_t a_csr(struct diff *d, bool *write)
{
    static const uint16_t harmless[] = {
        CSR_CYCLE,      CSR_TIME,       CSR_INSTRET, CSR_CYCLEH,   CSR_SSCRATCH,
        CSR_SEPC,       CSR_SCAUSE,     CSR_STVAL,   CSR_SSTATUS,  CSR_SIP,
        CSR_SIE,        CSR_MHARTID,    CSR_MISA,    CSR_MSCRATCH, CSR_MCAUSE,
        CSR_MTVAL,      CSR_MCYCLE,     CSR_MEPC,    CSR_MIE,      CSR_MIP,
        CSR_SCOUNTEREN, CSR_MCOUNTEREN,
    };
    static const uint16_t grave[] = {
        CSR_SATP, CSR_STVEC,   CSR_MTVEC,   CSR_MSTATUS,
        CSR_MIE,  CSR_MIDELEG, CSR_MEDELEG, CSR_MISA,
    };

    static const uint16_t of_h[] = {
        CSR_VSSTATUS, CSR_VSSCRATCH,  CSR_VSEPC,      CSR_VSCAUSE, CSR_VSIP,
        CSR_VSIE,     CSR_HSTATUS,    CSR_HVIP,       CSR_HIP,     CSR_HIE,
        CSR_HTVAL,    CSR_HTINST,     CSR_MTVAL2,     CSR_MTINST,  CSR_MSTATUSH,
        CSR_HEDELEG,  CSR_HIDELEG,    CSR_VSTVEC,     CSR_HGATP,   CSR_VSATP,
        CSR_VSTVAL,   CSR_HTIMEDELTA, CSR_HCOUNTEREN,
    };

    if (chance(d, 3)) {
        *write = chance(d, 50);
        return rnd(d) & 0xfff;
    }
    if (d->m[0]->config.h_ext && chance(d, 15)) {
        *write = chance(d, 30);
        return PICK(d, of_h);
    }
    *write = chance(d, 60);
    if (chance(d, 12)) {
        *write = chance(d, 25);
        return PICK(d, grave);
    }
    return PICK(d, harmless);
}

static uint32_t csr_insn(struct diff *d)
{
    bool     write;
    uint32_t csr = a_csr(d, &write);
    uint32_t funct3 = 1 + below(d, 3) + 4 * below(d, 2);

    if (!write)
        return i_type(0x73, target_reg(d), funct3 == 1 ? 2 : funct3 | 2, 0,
                      csr);
    return i_type(0x73, target_reg(d), funct3, any_reg(d), csr);
}

static uint32_t system_insn(struct diff *d)
{
    static const uint32_t words[] = {
        0x00000073, 0x00000073, 0x00100073, /* ecall, ebreak */
        0x10200073, 0x10200073, 0x30200073, /* sret, mret */
        0x10500073,                         /* wfi */
    };

    static const uint8_t fences[] = { 0x09, 0x11, 0x31 }; /* sfence, hfences */

    if (chance(d, 30))
        return r_type(0x73, 0, 0, chance(d, 40) ? 0 : pointer(d),
                      chance(d, 60) ? 0 : any_reg(d),
                      d->m[0]->config.h_ext ? PICK(d, fences) : 0x09);
    return PICK(d, words);
}

static uint32_t amo_insn(struct diff *d)
{
    static const uint8_t funct5[] = {
        0, 1, 2, 2, 3, 3, 4, 8, 12, 16, 20, 24, 28
    };
    uint32_t which = PICK(d, funct5);

    return r_type(0x2f, target_reg(d), 2, pointer(d),
                  which == 2 ? 0 : any_reg(d), which << 2 | below(d, 4));
}

static uint32_t an_insn(struct diff *d)
{
    static const uint8_t branch[] = { 0, 1, 4, 5, 6, 7 };
    static const uint8_t load[] = { 0, 1, 2, 2, 2, 4, 5 };
    uint32_t             pick = below(d, 1000);
    uint32_t             size;

    if (pick < 200) /* op-imm; shifts are made valid */
        switch (size = below(d, 8)) {
        case 1:
            return r_type(0x13, target_reg(d), 1, any_reg(d), any_reg(d), 0);
        case 5:
            return r_type(0x13, target_reg(d), 5, any_reg(d), any_reg(d),
                          chance(d, 50) ? 0x20 : 0);
        default:
            return i_type(0x13, target_reg(d), size,
                          chance(d, 20) ? 0 : any_reg(d), rnd(d));
        }
    if (pick < 300)
        return r_type(0x33, target_reg(d), below(d, 8), any_reg(d), any_reg(d),
                      0);
    if (pick < 330)
        return r_type(0x33, target_reg(d), chance(d, 50) ? 0 : 5, any_reg(d),
                      any_reg(d), 0x20);
    if (pick < 390)
        return r_type(0x33, target_reg(d), below(d, 8), any_reg(d), any_reg(d),
                      1);
    if (pick < 540) {
        size = PICK(d, load);
        return i_type(0x03, target_reg(d), size, pointer(d),
                      offset(d, 1u << (size & 3)));
    }
    if (pick < 680) {
        size = below(d, 3);
        return s_type(size, pointer(d),
                      chance(d, 30) ? 16 + below(d, 4) : any_reg(d),
                      offset(d, 1u << size));
    }
    if (pick < 780)
        return b_type(PICK(d, branch), any_reg(d), any_reg(d), distance(d));
    if (pick < 800)
        return j_type(chance(d, 50) ? 0 : target_reg(d),
                      chance(d, 80) ? 4 + 4 * below(d, 30) : distance(d));
    if (pick < 830)
        return i_type(0x67, chance(d, 50) ? 0 : target_reg(d), 0, pointer(d),
                      offset(d, 4));
    if (pick < 860)
        return r_type(0x37, target_reg(d), 0, 0, 0, 0) | (rnd(d) << 12);
    if (pick < 875)
        return (rnd(d) << 12) | target_reg(d) << 7 | 0x17;
    if (pick < 915)
        return amo_insn(d);
    if (pick < 925)
        return i_type(0x0f, any_reg(d), below(d, 2), any_reg(d), rnd(d));
    if (pick < 965)
        return csr_insn(d);
    if (pick < 980)
        return system_insn(d);
    if (pick < 983)
        return rnd(d);
    if (pick < 986) /* near misses: a valid word with one bit wrong */
        return an_insn(d) ^ 1u << below(d, 32);
    return i_type(0x13, 8 + below(d, 8), 0, 8 + below(d, 8), /* move on */
                  4 * below(d, 64));
}

/* --- several instructions that belong together ----------------------------- */

#define LONGEST FUSED_MAX

struct idiom {
    uint32_t word[LONGEST];
    uint32_t len;
};

static void add(struct idiom *idiom, uint32_t word)
{
    idiom->word[idiom->len++] = word;
}

/* Some instruction that decodes to this operation. */
static uint32_t insn_of(struct diff *d, enum fast_code code)
{
    static const struct {
        uint8_t opcode, funct3, funct7;
    } plain[NR_CODES] = {
        [OP_add] = { 0x33, 0, 0 },     [OP_sub] = { 0x33, 0, 0x20 },
        [OP_sll] = { 0x33, 1, 0 },     [OP_slt] = { 0x33, 2, 0 },
        [OP_sltu] = { 0x33, 3, 0 },    [OP_xor] = { 0x33, 4, 0 },
        [OP_srl] = { 0x33, 5, 0 },     [OP_sra] = { 0x33, 5, 0x20 },
        [OP_or] = { 0x33, 6, 0 },      [OP_and] = { 0x33, 7, 0 },
        [OP_mul] = { 0x33, 0, 1 },     [OP_mulh] = { 0x33, 1, 1 },
        [OP_mulhsu] = { 0x33, 2, 1 },  [OP_mulhu] = { 0x33, 3, 1 },
        [OP_div] = { 0x33, 4, 1 },     [OP_divu] = { 0x33, 5, 1 },
        [OP_rem] = { 0x33, 6, 1 },     [OP_remu] = { 0x33, 7, 1 },
        [OP_slli] = { 0x13, 1, 0 },    [OP_srli] = { 0x13, 5, 0 },
        [OP_srai] = { 0x13, 5, 0x20 },
    };
    static const struct {
        uint8_t opcode, funct3;
    } wide[NR_CODES] = {
        [OP_addi] = { 0x13, 0 },  [OP_slti] = { 0x13, 2 },
        [OP_sltiu] = { 0x13, 3 }, [OP_xori] = { 0x13, 4 },
        [OP_ori] = { 0x13, 6 },   [OP_andi] = { 0x13, 7 },
        [OP_lb] = { 0x03, 0 },    [OP_lh] = { 0x03, 1 },
        [OP_lw] = { 0x03, 2 },    [OP_lbu] = { 0x03, 4 },
        [OP_lhu] = { 0x03, 5 },   [OP_sb] = { 0x23, 0 },
        [OP_sh] = { 0x23, 1 },    [OP_sw] = { 0x23, 2 },
        [OP_beq] = { 0x63, 0 },   [OP_bne] = { 0x63, 1 },
        [OP_blt] = { 0x63, 4 },   [OP_bge] = { 0x63, 5 },
        [OP_bltu] = { 0x63, 6 },  [OP_bgeu] = { 0x63, 7 },
    };
    uint32_t rd = 1 + below(d, 7), funct3 = wide[code].funct3;

    if (plain[code].opcode)
        return r_type(plain[code].opcode, rd, plain[code].funct3, any_reg(d),
                      any_reg(d), plain[code].funct7);
    switch (wide[code].opcode) {
    case 0x03:
        return i_type(0x03, rd, funct3, pointer(d),
                      offset(d, 1u << (funct3 & 3)));
    case 0x13:
        return i_type(0x13, rd, funct3, 1 + below(d, 31), rnd(d) | 1);
    case 0x23:
        return s_type(funct3, pointer(d), any_reg(d), offset(d, 1u << funct3));
    case 0x63:
        return b_type(funct3, any_reg(d), any_reg(d), distance(d));
    default:
        break;
    }
    switch (code) {
    case OP_li:
        return chance(d, 50) ? i_type(0x13, rd, 0, 0, rnd(d))
                             : (rnd(d) << 12) | rd << 7 | 0x37;
    case OP_mv:
        return i_type(0x13, rd, 0, 1 + below(d, 31), 0);
    case OP_auipc:
        return (rnd(d) << 12) | rd << 7 | 0x17;
    case OP_j:
        return j_type(0, distance(d));
    case OP_jalr:
        return i_type(0x67, below(d, 2), 0, pointer(d), offset(d, 4));
    default:
        return an_insn(d);
    }
}

#define CODES(...) { __VA_ARGS__ }

/* What the fast engine has one handler for. */
static void a_sequence(struct diff *d, struct idiom *idiom)
{
    static const uint8_t sequences[][FUSED_MAX] = {
#define FUSED(name, codes, ...) CODES codes,
#define LOOP_OF(name, ...)
#include "machine/fast_fused.def"
#undef FUSED
#undef LOOP_OF
    };
    const uint8_t *codes = PICK(d, sequences);

    for (uint32_t i = 0; i < FUSED_MAX && codes[i]; i++)
        add(idiom, insn_of(d, (enum fast_code)codes[i]));
}

struct loop {
    uint8_t codes[FUSED_MAX];
    uint8_t registers[3 * FUSED_MAX]; /* by number, as fast_decode.c says */
};

/* One register for each number. Mostly pointers, so that loads and stores
 * reach something; rarely the same one twice, or x0. */
static void loop_registers(struct diff *d, uint32_t reg[3 * FUSED_MAX + 1])
{
    uint32_t first = below(d, 8);

    for (uint32_t i = 1; i <= 3 * FUSED_MAX; i++) {
        reg[i] = 8 + (first + i) % 8;
        if (chance(d, 10))
            reg[i] = below(d, 32);
    }
}

/* Instruction k with its registers replaced by those of the pattern, small
 * distances, and the last one a branch to the first. */
static uint32_t loop_insn(struct diff *d, const struct loop *loop, uint32_t k,
                          const uint32_t reg[])
{
    uint32_t       insn = insn_of(d, (enum fast_code)loop->codes[k]);
    const uint8_t *number = &loop->registers[3 * k];
    uint32_t       step = 4 * below(d, 4) - 4;

    switch (insn & 0x7f) {
    case 0x63:
        return b_type(insn >> 12 & 7, reg[number[1]], reg[number[2]],
                      0u - 4 * k);
    case 0x23:
        return s_type(insn >> 12 & 7, reg[number[1]], reg[number[2]], step);
    case 0x33:
        return (insn & 0xfe00707f) | reg[number[0]] << 7 |
               reg[number[1]] << 15 | reg[number[2]] << 20;
    case 0x37:
        return (insn & ~0xf80u) | reg[number[0]] << 7;
    default:
        break;
    }
    insn = (insn & 0xfff0707f) | reg[number[0]] << 7 | reg[number[1]] << 15;
    bool shift = (insn & 0x7f) == 0x13 && (insn >> 12 & 3) == 1;
    bool is_mv = loop->codes[k] == OP_mv;
    if (shift || is_mv || chance(d, 20))
        return insn;
    return (insn & 0xfffff) | (step ? step : 1) << 20;
}

static void a_loop(struct diff *d, struct idiom *idiom)
{
    static const struct loop loops[] = {
#define FUSED(name, ...)
#define LOOP_OF(name, codes, registers, ...) { CODES codes, CODES registers },
#include "machine/fast_fused.def"
#undef FUSED
#undef LOOP_OF
    };
    const struct loop *loop = &PICK(d, loops);
    uint32_t           reg[3 * FUSED_MAX + 1] = { 0 };

    loop_registers(d, reg);
    for (uint32_t k = 0; k < FUSED_MAX && loop->codes[k]; k++)
        add(idiom, loop_insn(d, loop, k, reg));
}

/* Change an instruction close by, ahead or behind. */
static void a_patch(struct diff *d, struct idiom *idiom)
{
    uint32_t base = 8 + below(d, 8);

    add(idiom, 0x17 | base << 7); /* auipc: here */
    add(idiom, s_type(2, base, 16 + below(d, 4),
                      4 * below(d, 24) - (chance(d, 40) ? 64u : 0u)));
}

static void a_reservation(struct diff *d, struct idiom *idiom)
{
    static const uint32_t near[] = { 0, 0, 4, 0xfffffffc, 1 };
    uint32_t              base = pointer(d);

    add(idiom, r_type(0x2f, target_reg(d), 2, base, 0, 2 << 2));
    if (chance(d, 30))
        add(idiom, an_insn(d));
    if (chance(d, 50)) {
        uint32_t imm = PICK(d, near);

        add(idiom, s_type(imm == 1 ? 0 : 2, base, any_reg(d), imm));
    }
    add(idiom, r_type(0x2f, target_reg(d), 2, base, any_reg(d), 3 << 2));
}

/* Open an interrupt that may be pending, and go on. */
static void an_opening(struct diff *d, struct idiom *idiom)
{
    static const uint16_t csrs[] = { CSR_SSTATUS, CSR_SSTATUS, CSR_SIE, CSR_SIP,
                                     CSR_MSTATUS, CSR_MIE,     CSR_MIP };

    add(idiom, i_type(0x13, 20, 0, 0, chance(d, 50) ? 2 : rnd(d) & 0x2aa));
    add(idiom, i_type(0x73, 0, 2, 20, PICK(d, csrs)));
}

static void an_idiom(struct diff *d, struct idiom *idiom)
{
    idiom->len = 0;
    switch (below(d, 16)) {
    case 0:
    case 1:
        a_sequence(d, idiom);
        break;
    case 2:
        a_patch(d, idiom);
        break;
    case 3:
        a_reservation(d, idiom);
        break;
    case 4:
        an_opening(d, idiom);
        break;
    case 5:
        a_loop(d, idiom);
        break;
    default:
        add(idiom, an_insn(d));
        break;
    }
}

/* --- both machines alike --------------------------------------------------- */

static void poke(struct diff *d, uint32_t pa, uint32_t word)
{
    machine_ram_write(d->m[0], pa, &word, 4);
    machine_ram_write(d->m[1], pa, &word, 4);
}

static struct hart *hart_of(struct diff *d, int which, uint32_t id)
{
    return machine_hart(d->m[which], id);
}

static void set_x(struct diff *d, uint32_t id, uint32_t reg, uint32_t val)
{
    hart_of(d, 0, id)->regs.x[reg] = val;
    hart_of(d, 1, id)->regs.x[reg] = val;
}

static void set_csr(struct diff *d, uint32_t id, uint32_t csr, uint32_t val)
{
    hart_csr_write(hart_of(d, 0, id), csr, val);
    hart_csr_write(hart_of(d, 1, id), csr, val);
}

/* An address in RAM as some table maps it: low, or where it is. */
static uint32_t an_address(struct diff *d)
{
    uint32_t in = below(d, RAM_SIZE);

    if (chance(d, 2)) /* a device, or nothing */
        return chance(d, 50) ? CLINT_BASE + 0x4000 + below(d, 16)
                             : UART_BASE + below(d, 8);
    if (chance(d, 2))
        return rnd(d);
    return chance(d, 25) ? in : RAM_BASE + in;
}

static uint32_t a_leaf(struct diff *d, uint32_t frame)
{
    uint32_t pte = (RAM_BASE / PAGE_SIZE + frame) << PTE_PPN_SHIFT | PTE_V |
                   PTE_RWX | PTE_A | PTE_D;

    if (chance(d, 60))
        pte |= PTE_U;
    if (chance(d, 20))
        pte &= ~(uint32_t)(PTE_A | PTE_D);
    if (chance(d, 10))
        pte &= ~(uint32_t)PTE_D;
    if (chance(d, 25))
        pte &= ~(uint32_t)(rnd(d) & (PTE_W | PTE_X));
    if (chance(d, 3))
        pte ^= 1u << below(d, 32);
    return pte;
}

static void make_tables(struct diff *d)
{
    uint32_t leaf = PTE_V | PTE_RWX | PTE_A | PTE_D;

    for (uint32_t i = 0; i < 3; i++) {
        for (uint32_t n = 0; n < 40; n++)
            poke(d, LEAVES + i * PAGE_SIZE + 4 * n,
                 a_leaf(d, n < NR_PAGES && (i || chance(d, 70))
                               ? n
                               : below(d, NR_PAGES)));
        if (chance(d, 90)) /* S can execute its handler */
            poke(d, LEAVES + i * PAGE_SIZE + 4,
                 (RAM_BASE / PAGE_SIZE + 1) << PTE_PPN_SHIFT | leaf);
    }
    poke(d, ROOT, (LEAVES >> PAGE_SHIFT) << PTE_PPN_SHIFT | PTE_V);
    poke(d, ROOT + 4, ((LEAVES >> PAGE_SHIFT) + 1) << PTE_PPN_SHIFT | PTE_V);
    if (chance(d, 20))
        leaf |= PTE_U;
    if (chance(d, 50)) /* a megapage: fragments past the end of RAM fault */
        poke(d, ROOT + 4 * (RAM_BASE >> MEGAPAGE_SHIFT),
             (RAM_BASE >> PAGE_SHIFT) << PTE_PPN_SHIFT | leaf);
    else
        poke(d, ROOT + 4 * (RAM_BASE >> MEGAPAGE_SHIFT),
             ((LEAVES >> PAGE_SHIFT) + 2) << PTE_PPN_SHIFT | PTE_V);
}

/* The second stage: what the guest calls physical, mostly as it is. */
static void make_second_stage(struct diff *d)
{
    uint32_t table = (G_LEAVES >> PAGE_SHIFT) << PTE_PPN_SHIFT | PTE_V;
    uint32_t mega = (RAM_BASE >> PAGE_SHIFT) << PTE_PPN_SHIFT | PTE_V | PTE_U |
                    PTE_RWX | PTE_A | PTE_D;

    for (uint32_t n = 0; n < NR_PAGES; n++) {
        uint32_t pte = a_leaf(d, chance(d, 95) ? n : below(d, NR_PAGES));

        poke(d, G_LEAVES + 4 * n, chance(d, 95) ? pte | PTE_U : pte);
    }
    poke(d, G_ROOT, table);
    poke(d, G_ROOT + 4 * (RAM_BASE >> MEGAPAGE_SHIFT),
         chance(d, 40) ? mega : table);
}

/* A handler that usually steps over what trapped, or runs into what follows. */
static void make_handler(struct diff *d, uint32_t pa, bool machine_mode)
{
    uint32_t epc = machine_mode ? CSR_MEPC : CSR_SEPC;
    uint32_t cause = machine_mode ? CSR_MCAUSE : CSR_SCAUSE;
    uint32_t filler = below(d, 3);

    poke(d, pa, i_type(0x73, 5, 2, 0, cause));
    poke(d, pa + 4, i_type(0x73, 6, 2, 0, epc));
    poke(d, pa + 8, b_type(4, 5, 0, 12)); /* an interrupt: do not skip */
    poke(d, pa + 12, i_type(0x13, 6, 0, 6, 4));
    poke(d, pa + 16, i_type(0x73, 0, 1, 6, epc));
    pa += 20;
    for (uint32_t i = 0; i < filler; i++, pa += 4)
        poke(d, pa, an_insn(d));
    if (chance(d, 95))
        poke(d, pa, machine_mode ? 0x30200073 : 0x10200073);
}

static void make_code(struct diff *d, uint32_t pages)
{
    uint32_t     pa = RAM_BASE;
    struct idiom idiom;

    while (pa < RAM_BASE + pages * PAGE_SIZE) {
        an_idiom(d, &idiom);
        for (uint32_t i = 0; i < idiom.len; i++, pa += 4)
            poke(d, pa, idiom.word[i]);
    }
    make_handler(d, RAM_BASE, true);
    make_handler(d, RAM_BASE + PAGE_SIZE, false);
}

static void make_registers(struct diff *d, uint32_t id)
{
    static const uint32_t special[] = { 0,          1,  0xffffffff, 0x80000000,
                                        0x7fffffff, 31, 32 };

    for (uint32_t reg = 1; reg < 32; reg++) {
        if (reg >= 8 && reg < 16)
            set_x(d, id, reg, an_address(d) & ~3u);
        else if (reg >= 16 && reg < 20)
            set_x(d, id, reg, an_insn(d));
        else
            set_x(d, id, reg, chance(d, 50) ? PICK(d, special) : rnd(d));
    }
}

/* What extension H adds; whether the hart then runs with V = 1. */
static bool make_guest(struct diff *d, uint32_t id)
{
    uint32_t vsatp = ROOT >> PAGE_SHIFT | below(d, 3) << SATP_ASID_SHIFT;
    uint32_t hgatp = G_ROOT >> PAGE_SHIFT | below(d, 3) << HGATP_VMID_SHIFT;

    set_csr(d, id, CSR_MISA, chance(d, 95) ? MISA_H : 0u);
    set_csr(d, id, CSR_VSSTATUS, rnd(d));
    set_csr(d, id, CSR_VSATP, vsatp | (chance(d, 75) ? SATP_MODE : 0u));
    set_csr(d, id, CSR_HGATP, hgatp | (chance(d, 85) ? HGATP_MODE : 0u));
    set_csr(d, id, CSR_HEDELEG, chance(d, 50) ? 0xffff : rnd(d));
    set_csr(d, id, CSR_HIDELEG, rnd(d));
    set_csr(d, id, CSR_HVIP, rnd(d) & rnd(d));
    set_csr(d, id, CSR_HSTATUS,
            rnd(d) & (chance(d, 20) ? ~0u : HSTATUS_SPV | HSTATUS_SPVP));
    set_csr(d, id, CSR_HCOUNTEREN, rnd(d));
    set_csr(d, id, CSR_HTIMEDELTA, rnd(d));
    set_csr(d, id, CSR_MSTATUSH, rnd(d));
    set_csr(d, id, CSR_VSTVEC,
            (chance(d, 85) ? RAM_BASE : 0u) + PAGE_SIZE + below(d, 2));
    return chance(d, 60);
}

static void make_mode(struct diff *d, uint32_t id)
{
    static const uint8_t modes[] = { PRIV_U, PRIV_U, PRIV_S, PRIV_S, PRIV_M };
    uint32_t             mode = PICK(d, modes);
    uint32_t mstatus = rnd(d) & (MSTATUS_SIE | MSTATUS_MIE | MSTATUS_SPIE |
                                 MSTATUS_SPP | MSTATUS_MPP | MSTATUS_MXR);

    if (d->m[0]->config.native_m && mode == PRIV_M)
        mode = PRIV_S;
    if (chance(d, 10))
        mstatus |= rnd(d) &
                   (MSTATUS_MPRV | MSTATUS_TVM | MSTATUS_TW | MSTATUS_TSR);
    if (chance(d, 60))
        mstatus |= MSTATUS_SUM;
    set_csr(d, id, CSR_MSTATUS, mstatus);
    set_csr(d, id, CSR_SATP,
            (chance(d, 75) ? SATP_MODE : 0u) | ROOT >> PAGE_SHIFT |
                below(d, 3) << SATP_ASID_SHIFT);
    set_csr(d, id, CSR_MEDELEG, chance(d, 50) ? 0xffff : rnd(d));
    set_csr(d, id, CSR_MIDELEG, rnd(d));
    set_csr(d, id, CSR_MIE, rnd(d) & rnd(d));
    set_csr(d, id, CSR_MCOUNTEREN, rnd(d));
    set_csr(d, id, CSR_SCOUNTEREN, rnd(d));
    set_csr(d, id, CSR_MTVEC, RAM_BASE + below(d, 2));
    set_csr(d, id, CSR_STVEC,
            (chance(d, 85) ? RAM_BASE : 0u) + PAGE_SIZE + below(d, 2));
    bool virt = d->m[0]->config.h_ext && make_guest(d, id);
    for (int i = 0; i < 2; i++) {
        struct hart *hart = hart_of(d, i, id);

        hart_set_mode(hart, mode, virt);
        hart->waiting = false;
    }
}

static void make_pc(struct diff *d, uint32_t id)
{
    uint32_t pc = an_address(d);

    if (chance(d, 15)) /* close to the end of a page */
        pc = (pc | PAGE_MASK) - below(d, 40);
    if (chance(d, 98))
        pc &= ~3u;
    hart_of(d, 0, id)->regs.pc = pc;
    hart_of(d, 1, id)->regs.pc = pc;
}

static void make_timer(struct diff *d, uint32_t id)
{
    uint64_t time = hart_time(hart_of(d, 0, id)) + below(d, 3000);

    if (chance(d, 30))
        time = CYCLE_NEVER;
    machine_set_mtimecmp(d->m[0], id, time);
    machine_set_mtimecmp(d->m[1], id, time);
}

/* Something that happens from outside, between two runs. */
static void interfere(struct diff *d, uint32_t id)
{
    uint32_t val = rnd(d), pa = RAM_BASE + below(d, RAM_SIZE - 256);
    uint8_t  bytes[256];
    uint64_t later = hart_of(d, 0, id)->cycle + val % 99;
    uint32_t arg[4] = { below(d, 2), an_address(d), below(d, 2), below(d, 4) };

    if (chance(d, 10)) {
        make_second_stage(d);
        for (int i = 0; i < 2; i++) {
            hart_hfence_gvma(hart_of(d, i, id), arg[0], arg[3]);
            hart_hfence_vvma(hart_of(d, i, id), arg[0], arg[1]);
        }
    }
    switch (below(d, 12)) {
    case 0:
    case 1:
        make_timer(d, id);
        break;
    case 2:
        make_pc(d, id);
        break;
    case 3:
        make_mode(d, id);
        break;
    case 4:
        make_registers(d, id);
        break;
    case 5:
        poke(d, pa & ~3u, an_insn(d));
        break;
    case 6:
        for (uint32_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)rnd(d);
        for (int i = 0; i < 2; i++)
            machine_ram_write(d->m[i], pa, bytes, 1 + val % 256);
        break;
    case 7:
        for (int i = 0; i < 2; i++)
            hart_fence(hart_of(d, i, id), arg[0], arg[1], arg[2], arg[3]);
        break;
    case 8:
        machine_set_msip(d->m[0], id, val & 1);
        machine_set_msip(d->m[1], id, val & 1);
        break;
    case 9:
        poke(d, LEAVES + 4 * below(d, 40) + PAGE_SIZE * below(d, 3),
             a_leaf(d, below(d, NR_PAGES)));
        break;
    case 10:
        for (int i = 0; i < 2; i++)
            hart_skip(hart_of(d, i, id), later);
        break;
    default:
        for (int i = 0; i < 2; i++)
            machine_uart_give(d->m[i], (uint8_t)val);
        break;
    }
}

/* --- comparing ------------------------------------------------------------ */

static bool differ(struct diff *d, const char *format, ...)
{
    size_t  used = strlen(d->result->why);
    va_list args;

    va_start(args, format);
    vsnprintf(d->result->why + used, sizeof(d->result->why) - used, format,
              args);
    va_end(args);
    d->result->differs = 1;
    return false;
}

static bool same_hart(struct diff *d, uint32_t id)
{
    const struct hart *ref = hart_of(d, 0, id), *fast = hart_of(d, 1, id);

#define SAME(field)                                                           \
    if (ref->field != fast->field)                                            \
        return differ(d, "hart %u " #field ": %llx, fast %llx", (unsigned)id, \
                      (unsigned long long)ref->field,                         \
                      (unsigned long long)fast->field);
    SAME(regs.pc)
    for (uint32_t i = 0; i < 32; i++)
        if (ref->regs.x[i] != fast->regs.x[i])
            return differ(d, "hart %u x%u: %x, fast %x", (unsigned)id,
                          (unsigned)i, (unsigned)ref->regs.x[i],
                          (unsigned)fast->regs.x[i]);
    SAME(priv)
    SAME(virt)
    SAME(waiting)
    SAME(reserved)
    SAME(cycle)
    SAME(instret)
#define COUNTER(name, doc) SAME(count.name)
#include "machine/counters.def"
#undef COUNTER
#undef SAME
    if (memcmp(&ref->csr, &fast->csr, sizeof(ref->csr)) != 0)
        return differ(d, "hart %u: CSRs", (unsigned)id);
    for (int access = 0; access < NR_ACCESS; access++)
        for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
            uint64_t tag = ref->tlb.entry[access][i].tag;

            if (tag != fast->tlb.entry[access][i].tag)
                return differ(d, "hart %u: TLB %d, entry %u", (unsigned)id,
                              access, (unsigned)i);
        }
    return true;
}

/* The invariant of the shortcuts, asked of every one of them. */
static bool shortcuts_ok(struct diff *d, uint32_t id)
{
    const struct machine *m = d->m[1];
    const struct tlb     *tlb = &hart_of(d, 1, id)->tlb;

    for (int access = 0; access < NR_ACCESS; access++)
        for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
            const struct tlb_host  *host = &tlb->host[access][i];
            const struct tlb_entry *entry = &tlb->entry[access][i];
            uint32_t va = (uint32_t)host->tag & ~(uint32_t)PAGE_MASK;
            uint32_t pa = host->tag & TLB_BARE ? va : entry->page;

            if (host->tag == 0)
                continue;
            if (!(host->tag & TLB_BARE) && host->tag != entry->tag)
                return differ(d, "shortcut %d.%u outlives its entry", access,
                              (unsigned)i);
            if (access != ACCESS_FETCH &&
                host->at + va != (uintptr_t)ram_at(m, pa, 1))
                return differ(d, "shortcut %d.%u leads elsewhere", access,
                              (unsigned)i);
        }
    return true;
}

static bool same_machine(struct diff *d)
{
    for (uint32_t id = 0; id < d->m[0]->config.nr_harts; id++)
        if (!same_hart(d, id) || !shortcuts_ok(d, id))
            return false;
    if (memcmp(d->m[0]->ram, d->m[1]->ram, RAM_SIZE) != 0)
        return differ(d, "RAM");
    return true;
}

/* --- scenarios ------------------------------------------------------------ */

static void make_config(struct diff *d, struct machine_config *config)
{
    static const uint32_t harts[] = { 1, 1, 2, 3, 4 };
    static const uint32_t defaults[] = {
#define COST(name, value, doc) value,
#include "abi/costs.def"
#undef COST
    };

    *config = (struct machine_config){
        .ram_size = RAM_SIZE,
        .nr_harts = PICK(d, harts),
        .asid_bits = chance(d, 50) ? 9 : 0,
        .time_div = 1 + below(d, 12),
        .leaky = chance(d, 30),
        .native_m = chance(d, 50),
        .ad_fault = chance(d, 30),
        .h_ext = chance(d, 50),
    };
    memcpy(config->cost, defaults, sizeof(config->cost));
    if (chance(d, 40))
        for (uint32_t i = 0; i < NR_COSTS; i++)
            config->cost[i] = chance(d, 30) ? 0 : below(d, 20);
    if (config->cost[COST_insn] == 0 || chance(d, 20))
        config->cost[COST_insn] = 1 + below(d, 5);
    if (config->cost[COST_trap] == 0) /* or a loop of traps takes no time */
        config->cost[COST_trap] = 1;
}

/* How long the next run is: every scale, from a single cycle to longer than
 * any straight line of code. */
static uint32_t chunk(struct diff *d)
{
    switch (below(d, 8)) {
    case 0:
        return 1 + below(d, 3);
    case 1:
    case 2:
        return 1 + below(d, 60);
    case 3:
    case 4:
        return below(d, 1500);
    case 5:
        return chance(d, 5) ? below(d, 200000) : below(d, 3000);
    default:
        return 1000 + below(d, 2000);
    }
}

/* Native M-mode: the caller of hart_run() is the handler. */
static void serve(struct diff *d, uint32_t id)
{
    uint32_t step = chance(d, 85) ? 4 : 0;
    uint32_t mode = chance(d, 50) ? PRIV_U : PRIV_S;
    bool     moved = chance(d, 10);
    bool     virt = chance(d, 60);

    for (int i = 0; i < 2; i++) {
        struct hart *hart = hart_of(d, i, id);

        if (!(hart->csr.mcause & CAUSE_INTERRUPT))
            hart->regs.pc += step;
        else
            hart->csr.mie &= ~(1u << (hart->csr.mcause & 31));
        hart_set_mode(hart, mode, virt);
    }
    if (moved) {
        make_pc(d, id);
        make_registers(d, id);
    }
}

static uint64_t executed(struct diff *d)
{
    uint64_t n = 0;

    for (uint32_t id = 0; id < d->m[0]->config.nr_harts; id++)
        n += hart_of(d, 0, id)->instret;
    return n;
}

static bool run_once(struct diff *d, uint32_t id)
{
    uint64_t       until = hart_of(d, 0, id)->cycle + chunk(d);
    bool           step = chance(d, 3);
    uint64_t       before = executed(d);
    enum hart_exit why[2];

    for (int i = 0; i < 2; i++)
        why[i] = step ? hart_step(hart_of(d, i, id))
                      : hart_run(hart_of(d, i, id), until);
    d->result->runs++;
    d->result->guest_runs += hart_of(d, 0, id)->virt;
    d->result->exits[why[0]]++;
    if (why[0] != why[1])
        return differ(d, "exit %d, fast %d", (int)why[0], (int)why[1]);
    if (!same_machine(d))
        return false;
    if (why[0] == HART_TRAP_M)
        serve(d, id);
    if (why[0] == HART_IDLE || executed(d) == before) {
        make_mode(d, id); /* nothing but traps: start something else */
        make_registers(d, id);
        make_pc(d, id);
    }
    return true;
}

/* Another hart holds a reservation, and this one's pointers lead to that word:
 * what is random seldom comes to that. (Half of the time it is mapped where it
 * is.) */
static void contend(struct diff *d, uint32_t id)
{
    uint32_t other = below(d, d->m[0]->config.nr_harts);
    uint32_t pa = RAM_BASE + 4 * below(d, RAM_SIZE / 4);

    if (other == id)
        return;
    for (int i = 0; i < 2; i++) {
        hart_of(d, i, other)->reserved = true;
        hart_of(d, i, other)->reservation = pa;
        for (uint32_t reg = 8; reg < 16; reg++)
            hart_of(d, i, id)->regs.x[reg] = pa;
    }
}

static bool run_scenario(struct diff *d)
{
    struct machine_config config;
    uint32_t              runs = 20 + below(d, 60);

    make_config(d, &config);
    for (uint32_t i = 0; i < 2; i++) {
        config.engine = i ? ENGINE_FAST : ENGINE_REF;
        d->m[i] = machine_new(&config);
        if (!d->m[i])
            return differ(d, "no memory for a machine");
    }
    make_code(d, CODE_PAGES);
    make_tables(d);
    make_second_stage(d);
    for (uint32_t id = 0; id < config.nr_harts; id++) {
        make_registers(d, id);
        make_mode(d, id);
        make_pc(d, id);
        make_timer(d, id);
    }
    bool ok = true;
    while (ok && runs-- && !machine_power(d->m[0]).off) {
        uint32_t id = below(d, config.nr_harts);

        if (chance(d, 10))
            contend(d, id);
        ok = run_once(d, id);
        if (chance(d, 25))
            make_pc(d, id);
        if (chance(d, 15))
            make_registers(d, id);
        if (chance(d, 10)) {
            make_handler(d, RAM_BASE, true);
            make_handler(d, RAM_BASE + PAGE_SIZE, false);
        }
        while (chance(d, 40))
            interfere(d, id);
        if (chance(d, 2))
            make_code(d, 1 + below(d, CODE_PAGES));
        if (chance(d, 2))
            make_tables(d);
    }
    d->result->executed += executed(d);
    for (uint32_t id = 0; id < config.nr_harts; id++) {
        d->result->traps += d->m[0]->hart[id].count.traps_s +
                            d->m[0]->hart[id].count.traps_m;
        d->result->interrupts += d->m[0]->hart[id].count.irqs_s +
                                 d->m[0]->hart[id].count.irqs_m;
        d->result->guest_traps += d->m[0]->hart[id].count.traps_vs +
                                  d->m[0]->hart[id].count.irqs_vs;
        d->result->accesses += d->m[0]->hart[id].count.loads +
                               d->m[0]->hart[id].count.stores;
    }
    if (ok && machine_hash(d->m[0], 1) != machine_hash(d->m[1], 1))
        ok = differ(d, "hash");
    return ok;
}

void diff_run(uint64_t seed, uint64_t insns, struct diff_result *result)
{
    *result = (struct diff_result){ .seed = seed };
    while (!result->differs && result->executed < insns) {
        struct diff d = { .random = result->seed, .result = result };
        bool        ok = run_scenario(&d);

        machine_free(d.m[0]);
        machine_free(d.m[1]);
        result->scenarios++;
        if (ok)
            result->seed++;
    }
}
