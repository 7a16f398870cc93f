/* privgen.c - see privgen.h. Straight-line generation: each call of gen_step()
 * appends one instruction or one short idiom. */
#include "privgen.h"
#include "abi/csr.h"
#include "abi/pte.h"
#include <string.h>

#define PAGE(n) (PROGRAM_BASE + (uint32_t)(n) * 4096u)
#define ROOT0   16
#define ROOT1   17
#define LEAF_RAM  18
#define LEAF_USER 19
#define FIRST_DATA 4
#define LAST_DATA  11

/* A jump must not land inside an idiom: half of one could change an entry and
 * leave out the fence. So targets are filled in at the end, from the places
 * where an idiom starts. */
enum patch_kind { PATCH_JUMP, PATCH_KERNEL, PATCH_USER };

struct patch {
    uint32_t        at; /* of the branch or jal, or of the li's two words */
    enum patch_kind kind;
};

struct gen {
    struct program *p;
    uint64_t        state;
    uint32_t        at, end; /* word indices */
    uint32_t        start[CODE_WORDS]; /* of each idiom */
    uint32_t        nr_starts;
    struct patch    patch[CODE_WORDS];
    uint32_t        nr_patches;
};

static uint32_t rnd(struct gen *g)
{
    g->state ^= g->state << 13;
    g->state ^= g->state >> 7;
    g->state ^= g->state << 17;
    return (uint32_t)(g->state >> 20);
}

static uint32_t below(struct gen *g, uint32_t n)
{
    return rnd(g) % n;
}

#define PICK(g, array) (array)[below(g, sizeof(array) / sizeof((array)[0]))]

static void emit(struct gen *g, uint32_t insn)
{
    if (g->at < g->end)
        g->p->word[g->at++] = insn;
}

/* --- encodings ----------------------------------------------------------- */

static uint32_t r_type(uint32_t f7, uint32_t rs2, uint32_t rs1, uint32_t f3,
                       uint32_t rd, uint32_t op)
{
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static uint32_t i_type(uint32_t imm, uint32_t rs1, uint32_t f3, uint32_t rd,
                       uint32_t op)
{
    return imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static uint32_t store(uint32_t f3, uint32_t rs2, uint32_t rs1, uint32_t imm)
{
    return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
           (imm & 31) << 7 | 0x23;
}

static uint32_t branch(uint32_t f3, uint32_t rs1, uint32_t rs2, int32_t off)
{
    uint32_t o = (uint32_t)off;

    return (o >> 12 & 1) << 31 | (o >> 5 & 0x3f) << 25 | rs2 << 20 |
           rs1 << 15 | f3 << 12 | (o >> 1 & 15) << 8 | (o >> 11 & 1) << 7 |
           0x63;
}

static uint32_t jal(uint32_t rd, int32_t off)
{
    uint32_t o = (uint32_t)off;

    return (o >> 20 & 1) << 31 | (o >> 1 & 0x3ff) << 21 | (o >> 11 & 1) << 20 |
           (o >> 12 & 0xff) << 12 | rd << 7 | 0x6f;
}

static uint32_t addi(uint32_t rd, uint32_t rs1, int32_t imm)
{
    return i_type((uint32_t)imm & 0xfff, rs1, 0, rd, 0x13);
}

static uint32_t csr(uint32_t f3, uint32_t rd, uint32_t number, uint32_t src)
{
    return i_type(number, src, f3, rd, 0x73);
}

#define SRET   0x10200073u
#define WFI    0x10500073u
#define ECALL  0x00000073u
#define EBREAK 0x00100073u
#define FENCE_I 0x0000100fu
#define SFENCE(rs1, rs2) (0x12000073u | (uint32_t)(rs2) << 20 | (uint32_t)(rs1) << 15)

static void li(struct gen *g, uint32_t rd, uint32_t val)
{
    uint32_t low = val & 0xfff, high = val + (low & 0x800 ? 0x1000 : 0);

    emit(g, (high & 0xfffff000) | rd << 7 | 0x37);
    emit(g, i_type(low, rd, 0, rd, 0x13));
}

/* li of a code address of that mode, chosen later. */
static void li_code(struct gen *g, uint32_t rd, bool user)
{
    if (g->at + 2 <= g->end)
        g->patch[g->nr_patches++] = (struct patch){
            g->at, user ? PATCH_USER : PATCH_KERNEL
        };
    li(g, rd, 0);
}

/* --- drawing ------------------------------------------------------------- */

/* x8-x15 hold pointers at the start; x26 and x27 hold the two roots and never
 * change, x28 and x29 are for idioms, x30 and x31 the trap handler's. */
static uint32_t any_reg(struct gen *g)
{
    return below(g, 26);
}

static uint32_t pointer_reg(struct gen *g)
{
    return 8 + below(g, 8);
}

static uint32_t corner(struct gen *g)
{
    static const uint32_t corners[] = {
        0, 1, 2, 4, 0x7ff, 0x800, 0x7fffffff, 0x80000000, 0xffffffff,
        0x00040000, 0x00080000, 0x000c0122, 0x80000800, 0x10000000,
        0x100000, 0x0bfffffc, 0x80100000, 0x800ffffc,
    };

    return below(g, 3) ? rnd(g) : PICK(g, corners);
}

static uint32_t data_address(struct gen *g)
{
    static const uint32_t odd[] = {
        0x10000005, 0x10000100, 0x10001000, 0x0c000004, 0x0c201004,
        0x80100000, 0x800ffffc, 0x00000000, 0xfffffffc, 0x80020000,
        0x0c200000, 0x100008,
    };
    uint32_t page = FIRST_DATA + below(g, LAST_DATA - FIRST_DATA + 1);
    uint32_t offset = below(g, 16) * 4 + (below(g, 3) ? 0 : 0x800);

    switch (below(g, 8)) {
    case 0:
        return PICK(g, odd);
    case 1:
    case 2:
        return USER_CODE - 0x1000 + (page << 12 | offset);
    case 3:
        return MEGA_BASE + (page << 12 | offset);
    default:
        return PAGE(page) + offset;
    }
}

static const uint16_t kernel_csrs[] = {
    CSR_SSTATUS, CSR_SSTATUS,  CSR_SSTATUS, CSR_SIE,    CSR_SIP,
    CSR_SEPC,    CSR_SSCRATCH, CSR_SCAUSE,  CSR_STVAL,  CSR_SCOUNTEREN,
    CSR_SATP,    CSR_TIME,     CSR_CYCLE,   CSR_INSTRET, CSR_TIMEH,
};

static const uint16_t odd_csrs[] = {
    CSR_MSTATUS, CSR_MEPC, CSR_MHARTID, CSR_MIP,  0x001, 0x106, 0x10a,
    0x14d,       0x200,    0x3a0,       0x600,    0x7c0, 0xb00, 0xc03,
    0xf11,       0xfff,    CSR_CYCLEH,  CSR_TIME, 0x144, 0x5a8,
};

/* --- instructions and idioms ---------------------------------------------- */

static void gen_alu(struct gen *g)
{
    static const uint8_t f7s[] = { 0, 0, 0, 0x20, 1, 1 };
    uint32_t             f7 = PICK(g, f7s), f3 = below(g, 8);

    if (f7 == 0x20)
        f3 = below(g, 2) ? 0 : 5;
    if (below(g, 2))
        emit(g, r_type(f7, any_reg(g), any_reg(g), f3, any_reg(g), 0x33));
    else if (f3 == 1 || f3 == 5)
        emit(g, i_type(below(g, 32), any_reg(g), f3, any_reg(g), 0x13));
    else
        emit(g, i_type(rnd(g) & 0xfff, any_reg(g), f3, any_reg(g), 0x13));
}

static void gen_memory(struct gen *g)
{
    static const uint8_t loads[] = { 0, 1, 2, 2, 2, 4, 5 };
    uint32_t rs1 = pointer_reg(g);
    uint32_t imm = below(g, 8) ? below(g, 8) * 4 : below(g, 32);

    if (!below(g, 4))
        li(g, rs1, data_address(g));
    if (below(g, 2))
        emit(g, i_type(imm, rs1, PICK(g, loads), any_reg(g), 0x03));
    else
        emit(g, store(below(g, 3), any_reg(g), rs1, imm));
}

/* A pair that succeeds on both: the page was stored to before, so that no
 * fault falls between LR and SC and takes the reservation away. */
static void gen_atomic(struct gen *g)
{
    static const uint8_t amos[] = { 0, 1, 4, 8, 12, 16, 20, 24, 28 };
    uint32_t rs1 = pointer_reg(g), rd = any_reg(g), val = any_reg(g);

    if (below(g, 2)) {
        emit(g, r_type((uint32_t)PICK(g, amos) << 2, val, rs1, 2, rd, 0x2f));
        return;
    }
    emit(g, r_type(4, 0, rs1, 2, 0, 0x2f)); /* amoxor x0, x0: touch */
    emit(g, r_type(2 << 2, 0, rs1, 2, rd, 0x2f));
    if (!below(g, 4))
        emit(g, EBREAK); /* takes the reservation away */
    emit(g, r_type(3 << 2, val, rs1, 2, any_reg(g), 0x2f));
}

static void gen_csr(struct gen *g)
{
    static const uint8_t f3s[] = { 1, 2, 2, 3, 5, 6, 7 };
    uint32_t             number = below(g, 6) ? PICK(g, kernel_csrs)
                                              : PICK(g, odd_csrs);
    uint32_t             f3 = PICK(g, f3s);

    if (number == CSR_SATP) /* read it; writes are an idiom of their own */
        emit(g, csr(2, any_reg(g), CSR_SATP, 0));
    else if (number == CSR_SEPC || !below(g, 3))
        emit(g, csr(2, any_reg(g), number, 0));
    else
        emit(g, csr(f3, any_reg(g), number, below(g, 32)));
}

static void gen_sstatus(struct gen *g)
{
    static const uint32_t bits[] = { MSTATUS_SUM, MSTATUS_MXR, MSTATUS_SIE,
                                     MSTATUS_SPP, MSTATUS_SPIE,
                                     MSTATUS_SUM | MSTATUS_MXR };

    li(g, 28, PICK(g, bits));
    emit(g, csr(below(g, 2) ? 2 : 3, any_reg(g), CSR_SSTATUS, 28));
}

static void gen_sret(struct gen *g)
{
    bool user = below(g, 2);

    li_code(g, 28, below(g, 8) ? user : !user);
    emit(g, csr(1, 0, CSR_SEPC, 28));
    li(g, 28, MSTATUS_SPP);
    emit(g, csr(user ? 3 : 2, 0, CSR_SSTATUS, 28));
    emit(g, SRET);
}

static uint32_t any_leaf(struct gen *g)
{
    static const uint32_t odd_ppns[] = { 0x80100, 0xfffff, 0x100000, 0x280004,
                                         0x10000, 0x0c000, 0x10001, 0 };
    uint32_t ppn = (PROGRAM_BASE >> 12) + FIRST_DATA +
                   below(g, LAST_DATA - FIRST_DATA + 1);
    uint32_t bits = rnd(g) & 0x3ff;

    if (below(g, 4))
        bits |= PTE_V | PTE_R;
    if (!below(g, 8))
        ppn = PICK(g, odd_ppns);
    return ppn << PTE_PPN_SHIFT | bits;
}

static void gen_fence(struct gen *g)
{
    emit(g, SFENCE(0, below(g, 3) ? 0 : any_reg(g)));
}

/* Change a leaf of the data pages, and fence before anything touches it. */
static void gen_edit(struct gen *g)
{
    uint32_t table = below(g, 2) ? LEAF_RAM : LEAF_USER;
    uint32_t index = FIRST_DATA + below(g, LAST_DATA - FIRST_DATA + 1);

    li(g, 28, PAGE(table) + 4 * index);
    li(g, 29, any_leaf(g));
    emit(g, store(2, 29, 28, 0));
    for (uint32_t n = below(g, 3); n > 0; n--)
        gen_alu(g);
    gen_fence(g);
}

/* An entry that is invalid becomes valid: no fence is needed. The entries used
 * for that lie above the data pages, and are written once in a while. */
static void gen_appear(struct gen *g)
{
    uint32_t index = 24 + below(g, 4), slot = PAGE(LEAF_USER) + 4 * index;
    uint32_t leaf = any_leaf(g) | PTE_V | PTE_R | PTE_U;

    li(g, 28, slot);
    emit(g, store(2, 0, 28, 0)); /* gone ... */
    gen_fence(g);
    li(g, 28, USER_CODE - 0x1000 + (index << 12));
    emit(g, i_type(0, 28, 2, any_reg(g), 0x03)); /* ... and seen to be gone */
    li(g, 28, slot);
    li(g, 29, leaf);
    emit(g, store(2, 29, 28, 0));
    li(g, 28, USER_CODE - 0x1000 + (index << 12));
    emit(g, i_type(0, 28, 2, any_reg(g), 0x03));
}

static uint32_t any_mega(struct gen *g)
{
    uint32_t ppn = below(g, 6) ? 0x80000 : 0x80000 + below(g, 3) * 0x3ff;

    return ppn << PTE_PPN_SHIFT | (rnd(g) & 0xff) |
           (below(g, 4) ? PTE_V | PTE_R : 0);
}

/* Change the entry of the megapage, or make it a table for once. */
static void gen_edit_root(struct gen *g)
{
    uint32_t root = below(g, 2) ? ROOT0 : ROOT1;
    uint32_t table = (PAGE(LEAF_RAM) >> 12) << PTE_PPN_SHIFT | PTE_V;

    li(g, 28, PAGE(root) + 4 * (MEGA_BASE >> 22));
    li(g, 29, below(g, 4) ? any_mega(g) : table);
    emit(g, store(2, 29, 28, 0));
    gen_fence(g);
}

static void gen_switch(struct gen *g)
{
    uint32_t root = below(g, 8) ? 26 + below(g, 2) : 0;

    emit(g, csr(1, any_reg(g), CSR_SATP, root));
    gen_fence(g);
}

static void gen_sbi(struct gen *g)
{
    switch (below(g, 6)) {
    case 0: /* a timer that goes off soon, or just did */
    case 1:
        emit(g, csr(2, 10, CSR_TIME, 0));
        emit(g, addi(10, 10, (int32_t)below(g, 60) - 5));
        emit(g, addi(11, 0, 0));
        li(g, 17, below(g, 2) ? 0 : 0x54494d45);
        emit(g, addi(16, 0, 0));
        break;
    case 2: /* never */
        emit(g, addi(10, 0, -1));
        emit(g, addi(11, 0, -1));
        emit(g, addi(17, 0, 0));
        break;
    case 3: /* an IPI to itself */
        li(g, 17, 0x735049);
        emit(g, addi(16, 0, 0));
        emit(g, addi(10, 0, 1));
        emit(g, addi(11, 0, 0));
        break;
    case 4: /* base: version, probe */
        emit(g, addi(17, 0, 0x10));
        emit(g, addi(16, 0, below(g, 2) ? 0 : 3));
        li(g, 10, 0x54494d45);
        break;
    default: /* nobody's extension */
        li(g, 17, 0x99999000 + below(g, 16));
        break;
    }
    emit(g, ECALL);
    for (uint32_t r = 10; r < 16; r++) /* they were pointers */
        if (!below(g, 3))
            li(g, r, data_address(g));
}

static void gen_interrupts(struct gen *g)
{
    li(g, 28, below(g, 3) ? MIP_STIP | MIP_SSIP : rnd(g) & 0xfff);
    emit(g, csr(below(g, 4) ? 2 : 3, any_reg(g), CSR_SIE, 28));
    if (below(g, 2))
        emit(g, csr(6, 0, CSR_SIP, 2)); /* pend a software interrupt */
    if (below(g, 2))
        emit(g, csr(6, 0, CSR_SSTATUS, 2)); /* SIE */
}

static void gen_jump(struct gen *g)
{
    static const uint8_t f3s[] = { 0, 1, 4, 5, 6, 7 };

    if (!below(g, 12)) { /* a misaligned target: the branch itself traps */
        emit(g, jal(any_reg(g), 2));
        return;
    }
    if (g->at < g->end)
        g->patch[g->nr_patches++] = (struct patch){ g->at, PATCH_JUMP };
    if (below(g, 3))
        emit(g, branch(PICK(g, f3s), any_reg(g), any_reg(g), 4));
    else
        emit(g, jal(any_reg(g), 4));
}

/* Any word, mostly illegal; but none that breaks the rules above: jumps only
 * to idioms, satp only from x26 and x27, which nothing else writes. */
static uint32_t odd_word(struct gen *g)
{
    uint32_t insn = below(g, 2) ? rnd(g) : rnd(g) << 7 | 0x73;
    uint32_t opcode = insn & 0x7f, rd = insn >> 7 & 31;

    if (opcode == 0x63 || opcode == 0x67 || opcode == 0x6f || rd == 26 ||
        rd == 27 || (opcode == 0x73 && insn >> 20 == CSR_SATP))
        return 0;
    return insn;
}

static void gen_odd(struct gen *g)
{
    switch (below(g, 6)) {
    case 0:
        emit(g, EBREAK);
        break;
    case 1:
        li(g, 17, 0x12345000); /* from user mode the guest's own call, */
        emit(g, ECALL);        /* from the kernel nobody's extension */
        break;
    case 2:
        emit(g, WFI);
        break;
    case 3:
        li_code(g, 28, below(g, 2));
        emit(g, csr(1, 0, CSR_SEPC, 28));
        emit(g, SRET);
        break;
    case 4:
        emit(g, FENCE_I);
        break;
    default:
        emit(g, odd_word(g));
        break;
    }
}

static void gen_step(struct gen *g)
{
    static void (*const kinds[])(struct gen *) = {
        gen_alu,    gen_alu,    gen_alu,     gen_alu,       gen_memory,
        gen_memory, gen_memory, gen_memory,  gen_memory,    gen_memory,
        gen_atomic, gen_csr,    gen_csr,     gen_csr,       gen_sstatus,
        gen_sret,   gen_edit,   gen_edit,    gen_edit_root, gen_switch,
        gen_sbi,    gen_jump,   gen_jump,    gen_odd,       gen_interrupts,
        gen_appear,
    };

    kinds[below(g, sizeof(kinds) / sizeof(kinds[0]))](g);
}

/* --- the fixed parts ------------------------------------------------------- */

/* After an exception the next instruction, or, if it was a fetch, somewhere in
 * the code of the mode it came from. An interrupt is acknowledged: STI by a
 * timer that never comes, SSI in sip. */
static void gen_handler(struct gen *g)
{
    g->at = 0;
    g->end = 1024;
    emit(g, csr(2, 30, CSR_SCAUSE, 0));
    emit(g, branch(4, 30, 0, 4 * 20)); /* bltz: interrupt */
    emit(g, addi(31, 0, 12));
    emit(g, branch(0, 30, 31, 4 * 9)); /* beq: fetch page fault */
    emit(g, addi(31, 0, 1));
    emit(g, branch(0, 30, 31, 4 * 7)); /* beq: fetch access fault */
    emit(g, csr(2, 30, CSR_SEPC, 0));
    emit(g, addi(30, 30, 4));
    emit(g, csr(1, 0, CSR_SEPC, 30));
    emit(g, SRET);
    emit(g, addi(0, 0, 0));
    emit(g, addi(0, 0, 0));
    /* 12: wild pc */
    emit(g, csr(2, 30, CSR_SSTATUS, 0));
    emit(g, i_type(0x100, 30, 7, 30, 0x13)); /* andi: SPP */
    li_code(g, 31, true);
    emit(g, branch(0, 30, 0, 4 * 3));
    li_code(g, 31, false);
    emit(g, csr(1, 0, CSR_SEPC, 31));
    emit(g, SRET);
    /* 21: interrupt */
    emit(g, csr(7, 0, CSR_SIP, 2));
    emit(g, i_type(0xf, 30, 7, 30, 0x13)); /* andi */
    emit(g, addi(31, 0, IRQ_STI));
    emit(g, branch(1, 30, 31, 4 * 5)); /* bne */
    emit(g, addi(10, 0, -1));
    emit(g, addi(11, 0, -1));
    emit(g, addi(17, 0, 0));
    emit(g, ECALL);
    emit(g, SRET);
}

static void gen_tables(struct gen *g)
{
    uint32_t *word = g->p->word;
    uint32_t  ad = PTE_A | PTE_D;

    for (uint32_t root = ROOT0; root <= ROOT1; root++) {
        uint32_t *table = &word[root * 1024];

        table[PROGRAM_BASE >> 22] = PAGE(LEAF_RAM) >> 12 << 10 | PTE_V;
        table[USER_CODE >> 22] = PAGE(LEAF_USER) >> 12 << 10 | PTE_V;
        table[MEGA_BASE >> 22] = any_mega(g);
    }
    for (uint32_t page = 0; page < PROGRAM_PAGES; page++) {
        uint32_t *ram = &word[LEAF_RAM * 1024 + page];
        uint32_t *user = &word[LEAF_USER * 1024 + page];
        uint32_t  ppn = PAGE(page) >> 12 << 10;

        if (page < FIRST_DATA) {
            *ram = ppn | PTE_V | PTE_R | PTE_X | PTE_A;
            *user = ppn | PTE_V | PTE_R | PTE_X | PTE_U | PTE_A;
        } else if (page <= LAST_DATA) {
            *ram = any_leaf(g);
            *user = any_leaf(g) | PTE_U;
        } else if (page >= ROOT0 && page <= LEAF_USER) {
            *ram = ppn | PTE_V | PTE_R | PTE_W | ad;
        }
    }
}

static void gen_registers(struct gen *g)
{
    struct program *p = g->p;

    for (uint32_t r = 1; r < 32; r++)
        p->x[r] = corner(g);
    for (uint32_t r = 8; r < 16; r++)
        p->x[r] = data_address(g);
    p->x[26] = SATP_MODE | PAGE(ROOT0) >> 12;
    p->x[27] = SATP_MODE | PAGE(ROOT1) >> 12;
    p->priv = below(g, 4) ? PRIV_S : PRIV_U;
    p->pc = p->priv == PRIV_S ? PAGE(CODE_PAGE) : USER_CODE;
    p->satp = SATP_MODE | PAGE(ROOT0) >> 12;
    p->stvec = PAGE(0);
    p->sstatus = rnd(g) & SSTATUS_MASK;
    p->sie = below(g, 2) ? SIP_MASK : 0;
    p->scounteren = below(g, 2) ? 7 : below(g, 8);
}

/* A nearby start of an idiom, rather ahead than behind. */
static int32_t near_start(struct gen *g, uint32_t at)
{
    uint32_t i = 0;

    while (i < g->nr_starts - 1 && g->start[i] <= at)
        i++;
    i += below(g, 6);
    if (!below(g, 4))
        i -= i < 8 ? i : 8;
    if (i >= g->nr_starts)
        i = g->nr_starts - 1;
    return 4 * ((int32_t)g->start[i] - (int32_t)at);
}

static void patch_jump(struct gen *g, uint32_t *insn, uint32_t at)
{
    int32_t off = near_start(g, at);

    if (off == 0)
        off = 4;
    if ((*insn & 0x7f) == 0x6f)
        *insn = jal(*insn >> 7 & 31, off);
    else
        *insn = branch(*insn >> 12 & 7, *insn >> 15 & 31, *insn >> 20 & 31,
                       off);
}

static void patch_all(struct gen *g)
{
    for (uint32_t i = 0; i < g->nr_patches; i++) {
        uint32_t  at = g->patch[i].at;
        uint32_t *insn = &g->p->word[at];

        if (g->patch[i].kind == PATCH_JUMP) {
            patch_jump(g, insn, at);
            continue;
        }
        uint32_t word = g->start[below(g, g->nr_starts / 4)];
        uint32_t base = g->patch[i].kind == PATCH_USER
                            ? USER_CODE - 4096 * CODE_PAGE
                            : PROGRAM_BASE;
        g->at = at;
        g->end = at + 2;
        li(g, *insn >> 7 & 31, base + 4 * word);
    }
}

void privgen(uint64_t seed, struct program *p)
{
    static _Thread_local struct gen g;

    g = (struct gen){ .p = p, .state = (seed + 1) * 0x9e3779b97f4a7c15ull };
    memset(p, 0, sizeof(*p));
    for (int i = 0; i < 8; i++)
        rnd(&g);
    gen_handler(&g);
    gen_tables(&g);
    gen_registers(&g);
    for (uint32_t i = FIRST_DATA * 1024; i <= LAST_DATA * 1024u + 1023; i += 7)
        p->word[i] = rnd(&g);
    g.at = CODE_PAGE * 1024;
    g.end = g.at + CODE_WORDS;
    while (g.at < g.end) {
        g.start[g.nr_starts++] = g.at;
        gen_step(&g);
    }
    patch_all(&g);
}
