/* privgen.c - random privileged programs for the equivalence test.
 *
 * A program is an image of the first pages of memory: a trap handler, code,
 * page tables, data. The code is a sequence of small random pieces, each from
 * one of the makers at the end of this file; the same seed gives the same
 * image in every build by the same compiler (the order in which arguments are
 * drawn is the compiler's; a failing program is reported as a program).
 *
 *   page   what                         seen by the kernel at    by users at
 *   0      boot, trap handler, its log  RAM_BASE (also untranslated)
 *   1      the random code              RAM_BASE + 0x1000        USER_CODE
 *   2, 3   two roots
 *   4      kernel table, never edited: pages 0..31 at RAM_BASE, not for users
 *   5..7   tables for PLAY, edited
 *   8..23  data: the only pages that a program stores to
 *
 * A program must not lose its way, whatever traps. The handler therefore skips
 * an instruction that faulted; but when the fetch itself failed, or a user
 * program made the system call 0, it goes to the address in ra in kernel mode.
 * Every piece that jumps somewhere sets ra to its own end first.
 *
 * Fenced programs (the default) execute sfence.vma after each change of a
 * table or of satp before they touch what it maps; for them a VM must behave
 * exactly as the machine. To keep that true, stores go to data pages only, and
 * no entry makes a table writable but the kernel's own. Unfenced programs
 * forget fences and may map tables anywhere. */
#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/pte.h"
#include "abi/sbi.h"
#include "include/hv.h"
#include <stdbool.h>
#include <string.h>

#define NR_PAGES    32
#define PAGE_CODE   1
#define PAGE_ROOT_A 2
#define PAGE_ROOT_B 3
#define PAGE_KERNEL 4
#define PAGE_PLAY   5 /* three tables */
#define PAGE_DATA   8
#define NR_DATA     16

#define PAGE_AT(n) (RAM_BASE + PAGE_SIZE * (uint32_t)(n))
#define VECTOR     (RAM_BASE + 0x100)
#define LOG        0x7f0 /* offset of the handler's log in page 0 */

/* Slots of a root: 4 MiB each. PLAY + 0 is always a table, PLAY + 1 is edited
 * as table or megapage, PLAY + 2 is a megapage, always. */
#define SLOT_PLAY 1
#define NR_PLAY   3
#define PLAY(n)   ((uint32_t)(SLOT_PLAY + (n)) << MEGAPAGE_SHIFT)
#define USER_CODE (PLAY(0) + PAGE_SIZE * PAGE_CODE)

#define RA         1
#define A0         10
#define A1         11
#define A2         12
#define A6         16
#define A7         17
#define MAX_PIECES 36
#define CODE_LIMIT 960 /* words; the rest is for the end */

#define PTE_AD   (PTE_A | PTE_D)
#define PTE_FULL (PTE_V | PTE_RWX | PTE_AD)

_Static_assert(HV_PRIVGEN_RAM == NR_PAGES * PAGE_SIZE, "memory of a program");

struct gen {
    uint64_t rng;
    uint8_t *image;
    uint32_t pc; /* of the next word; in page 0 or 1 */
    bool     unfenced;
    bool     paging; /* what satp should be by now */
    bool     user;   /* the mode it should be in by now */
    uint32_t hot[2]; /* data pages that this program likes */
};

/* --- random numbers ------------------------------------------------------ */

static uint32_t rnd(struct gen *g)
{
    g->rng ^= g->rng << 13;
    g->rng ^= g->rng >> 7;
    g->rng ^= g->rng << 17;
    return (uint32_t)(g->rng >> 24);
}

static uint32_t below(struct gen *g, uint32_t n)
{
    return rnd(g) % n;
}

static bool chance(struct gen *g, uint32_t percent)
{
    return below(g, 100) < percent;
}

#define PICK(g, array) (array)[below(g, sizeof(array) / sizeof((array)[0]))]

/* A register that pieces may use: not ra, not the handler's own (x28-x31). */
static uint32_t reg(struct gen *g)
{
    return 5 + below(g, 11);
}

/* A data page. Programs that come back to the same pages tell more. */
static uint32_t data_page(struct gen *g)
{
    return chance(g, 60) ? PICK(g, g->hot) : PAGE_DATA + below(g, NR_DATA);
}

static uint32_t interesting(struct gen *g)
{
    static const uint32_t values[] = {
        0, 1, 2, 0xffffffff, 0x80000000, 0x7fffffff, 0x5a5a5a5a, RAM_BASE,
    };

    return chance(g, 50) ? PICK(g, values) : rnd(g);
}

/* --- words --------------------------------------------------------------- */

static void put(struct gen *g, uint32_t pa, uint32_t word)
{
    uint8_t *at = g->image + (pa - RAM_BASE);

    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(word >> 8 * i);
}

static void emit(struct gen *g, uint32_t word)
{
    put(g, g->pc, word);
    g->pc += 4;
}

static uint32_t enc_r(uint32_t op, uint32_t f7, uint32_t f3, uint32_t rd,
                      uint32_t rs1, uint32_t rs2)
{
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static uint32_t enc_i(uint32_t op, uint32_t f3, uint32_t rd, uint32_t rs1,
                      uint32_t imm)
{
    return imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static uint32_t enc_store(uint32_t f3, uint32_t rs1, uint32_t rs2, uint32_t imm)
{
    return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
           (imm & 31) << 7 | 0x23;
}

static uint32_t enc_branch(uint32_t f3, uint32_t rs1, uint32_t rs2,
                           uint32_t offset)
{
    return (offset >> 12 & 1) << 31 | (offset >> 5 & 0x3f) << 25 | rs2 << 20 |
           rs1 << 15 | f3 << 12 | (offset >> 1 & 15) << 8 |
           (offset >> 11 & 1) << 7 | 0x63;
}

static uint32_t enc_jal(uint32_t rd, uint32_t offset)
{
    return (offset >> 20 & 1) << 31 | (offset >> 1 & 0x3ff) << 21 |
           (offset >> 11 & 1) << 20 | (offset >> 12 & 0xff) << 12 | rd << 7 |
           0x6f;
}

#define ADDI(rd, rs1, imm)    enc_i(0x13, 0, rd, rs1, imm)
#define ANDI(rd, rs1, imm)    enc_i(0x13, 7, rd, rs1, imm)
#define JALR(rd, rs1)         enc_i(0x67, 0, rd, rs1, 0)
#define LW(rd, rs1, imm)      enc_i(0x03, 2, rd, rs1, imm)
#define SW(rs2, rs1, imm)     enc_store(2, rs1, rs2, imm)
#define LUI(rd, imm)          ((imm) | (rd) << 7 | 0x37)
#define CSRRW(rd, csr, rs1)   enc_i(0x73, 1, rd, rs1, csr)
#define CSRRS(rd, csr, rs1)   enc_i(0x73, 2, rd, rs1, csr)
#define CSRRC(rd, csr, rs1)   enc_i(0x73, 3, rd, rs1, csr)
#define CSRRCI(rd, csr, imm)  enc_i(0x73, 7, rd, imm, csr)
#define AMO(f5, rd, rs1, rs2) enc_r(0x2f, (f5) << 2, 2, rd, rs1, rs2)
#define LR(rd, rs1)           AMO(2, rd, rs1, 0)
#define SC(rd, rs1, rs2)      AMO(3, rd, rs1, rs2)
#define SFENCE(rs1, rs2)      (0x12000073u | (rs1) << 15 | (rs2) << 20)
#define ECALL                 0x00000073u
#define EBREAK                0x00100073u
#define SRET                  0x10200073u
#define WFI                   0x10500073u
#define MRET                  0x30200073u
#define FENCE_I               0x0000100fu

/* Two words, always, so that it can be written first and known later. */
static void put_li(struct gen *g, uint32_t pa, uint32_t rd, uint32_t val)
{
    put(g, pa, LUI(rd, (val + 0x800) & 0xfffff000));
    put(g, pa + 4, ADDI(rd, rd, val & 0xfff));
}

static void li(struct gen *g, uint32_t rd, uint32_t val)
{
    put_li(g, g->pc, rd, val);
    g->pc += 8;
}

/* Where a word of the code page is for who executes it now. */
static uint32_t alias(const struct gen *g, uint32_t pc, bool user)
{
    return user && g->paging ? pc - PAGE_AT(PAGE_CODE) + USER_CODE : pc;
}

/* --- tables -------------------------------------------------------------- */

static uint32_t leaf(uint32_t page, uint32_t bits)
{
    return (PAGE_AT(page) >> PAGE_SHIFT) << PTE_PPN_SHIFT | bits;
}

static void put_slot(struct gen *g, uint32_t table, uint32_t index,
                     uint32_t pte)
{
    put(g, PAGE_AT(table) + 4 * index, pte);
}

/* The low ten bits of an entry: mostly what makes sense, sometimes not. */
static uint32_t random_bits(struct gen *g)
{
    static const uint32_t sane[] = {
        PTE_R, PTE_R | PTE_W, PTE_X, PTE_R | PTE_X, PTE_RWX, PTE_RWX, PTE_RWX,
    };
    uint32_t bits = chance(g, 85) ? PICK(g, sane) : rnd(g) & PTE_RWX;

    if (chance(g, 94))
        bits |= PTE_V;
    if (chance(g, 50))
        bits |= PTE_U;
    if (chance(g, 15))
        bits |= PTE_G;
    if (chance(g, 65))
        bits |= PTE_A;
    if (chance(g, 65))
        bits |= PTE_D;
    return bits | (chance(g, 10) ? below(g, 4) << 8 : 0);
}

/* A page of 4 KiB somewhere: data; tables and code, not to be written; absent
 * memory; a device; a name of more than 32 bits. */
static uint32_t random_leaf(struct gen *g)
{
    uint32_t bits = random_bits(g), kind = below(g, 100);

    if (kind < 70)
        return leaf(PAGE_DATA + below(g, NR_DATA), bits);
    if (kind < 80 && !g->unfenced) /* to be read, else W would be reserved */
        return leaf(below(g, PAGE_DATA), bits & ~(uint32_t)(PTE_W | PTE_X));
    if (kind < 85)
        return leaf(PAGE_DATA + NR_DATA + below(g, 12), bits);
    if (kind < 88)
        return UART_BASE >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
    if (kind < 90)
        return PLIC_BASE >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
    if (kind < 93)
        return 0x20000u << PTE_PPN_SHIFT | bits; /* nothing is there */
    if (kind < 97)
        return leaf(PAGE_DATA, bits) | 1u << (30 + below(g, 2));
    return g->unfenced ? leaf(below(g, PAGE_DATA), bits) : bits;
}

static uint32_t random_megapage(struct gen *g)
{
    uint32_t bits = random_bits(g), kind = below(g, 100);

    if (kind < 75)
        return leaf(0, bits);
    if (kind < 85)
        return leaf(1u << below(g, 5), bits); /* misaligned */
    if (kind < 90)
        return UART_BASE >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
    return leaf(0, bits) | 1u << (30 + below(g, 2));
}

static uint32_t random_table(struct gen *g)
{
    uint32_t pte = leaf(PAGE_PLAY + below(g, 3), PTE_V);

    if (chance(g, 10)) /* reserved bits, or G, which is allowed */
        pte |= (uint32_t)PTE_U << below(g, 4);
    if (chance(g, 4))
        pte |= 1u << (30 + below(g, 2));
    return pte;
}

static void make_tables(struct gen *g)
{
    for (uint32_t i = 0; i < NR_PAGES; i++)
        put_slot(g, PAGE_KERNEL, i, leaf(i, PTE_FULL));
    for (uint32_t n = 0; n < 3; n++) {
        for (uint32_t i = PAGE_DATA; i < PAGE_DATA + NR_DATA; i++)
            put_slot(g, PAGE_PLAY + n, i,
                     chance(g, 60) ? leaf(i, PTE_V | PTE_RWX | (rnd(g) & 0xd0))
                                   : random_leaf(g));
        put_slot(g, PAGE_PLAY + n, PAGE_CODE,
                 leaf(PAGE_CODE, PTE_V | PTE_R | PTE_X | PTE_U | PTE_AD));
    }
    for (uint32_t n = 0; n < 2; n++) {
        uint32_t root = PAGE_ROOT_A + n;
        uint32_t user = rnd(g) & PTE_U;

        put_slot(g, root, RAM_BASE >> MEGAPAGE_SHIFT, leaf(PAGE_KERNEL, PTE_V));
        put_slot(g, root, SLOT_PLAY, leaf(PAGE_PLAY + n, PTE_V));
        put_slot(g, root, SLOT_PLAY + 1, random_table(g));
        put_slot(g, root, SLOT_PLAY + 2, random_megapage(g));
        put_slot(g, root, UART_BASE >> MEGAPAGE_SHIFT,
                 UART_BASE >> 2 | PTE_FULL | user);
        put_slot(g, root, PLIC_BASE >> MEGAPAGE_SHIFT,
                 PLIC_BASE >> 2 | PTE_FULL | user);
    }
}

/* Data pages hold code too: harmless words, and the way back through ra. */
static void make_data(struct gen *g)
{
    for (uint32_t n = 0; n < NR_DATA / 2; n++)
        for (uint32_t i = 0; i < 24; i++)
            put_slot(g, PAGE_DATA + n, i,
                     i % 3 == 2 ? JALR(0, RA)
                                : ADDI(reg(g), reg(g), rnd(g) & 0xfff));
}

/* --- boot and trap handler ----------------------------------------------- */

static void make_handler(struct gen *g)
{
    uint32_t main = VECTOR + 64;
    uint32_t land, irq, timer;

    for (g->pc = VECTOR; g->pc < main;)
        emit(g, enc_jal(0, main - g->pc)); /* interrupts may come vectored */
    /* The addresses of the three ways out, counted in words from here. */
    land = main + 4 * 16;
    irq = land + 4 * 4;
    timer = irq + 4 * 8;
    emit(g, CSRRS(28, CSR_SCAUSE, 0));
    emit(g, CSRRS(29, CSR_SEPC, 0));
    emit(g, LUI(31, RAM_BASE));
    emit(g, SW(28, 31, LOG));
    emit(g, SW(29, 31, LOG + 4));
    emit(g, enc_branch(4, 28, 0, irq - g->pc)); /* scause < 0 */
    emit(g, ADDI(30, 0, 2));
    emit(g, enc_branch(6, 28, 30, land - g->pc)); /* fetch: 0 and 1 */
    emit(g, ADDI(30, 0, 12));
    emit(g, enc_branch(0, 28, 30, land - g->pc)); /* fetch: 12 */
    emit(g, ADDI(30, 0, 8));
    emit(g, enc_branch(1, 28, 30, 8));
    emit(g, enc_branch(0, A7, 0, land - g->pc)); /* system call 0 */
    emit(g, ADDI(29, 29, 4));
    emit(g, CSRRW(0, CSR_SEPC, 29));
    emit(g, SRET);
    emit(g, ADDI(30, 0, MSTATUS_SPP)); /* land: */
    emit(g, CSRRS(0, CSR_SSTATUS, 30));
    emit(g, CSRRW(0, CSR_SEPC, RA));
    emit(g, SRET);
    emit(g, ANDI(28, 28, 15)); /* irq: */
    emit(g, ADDI(30, 0, IRQ_STI));
    emit(g, enc_branch(0, 28, 30, timer - g->pc));
    emit(g, CSRRCI(0, CSR_SIP, MIP_SSIP));
    emit(g, ADDI(30, 0, MIP_SEIP));
    emit(g, CSRRC(0, CSR_SIE, 30));
    emit(g, SRET);
    emit(g, EBREAK);
    if (chance(g, 50)) { /* timer: mask it, or ask for "never" */
        emit(g, ADDI(30, 0, MIP_STIP));
        emit(g, CSRRC(0, CSR_SIE, 30));
    } else {
        emit(g, ADDI(28, A0, 0)); /* what the call needs and returns in */
        emit(g, ADDI(29, A1, 0));
        emit(g, ADDI(30, A7, 0));
        emit(g, ADDI(A0, 0, 0xfff));
        emit(g, ADDI(A1, 0, 0xfff));
        emit(g, ADDI(A7, 0, SBI_LEGACY_SET_TIMER));
        emit(g, ECALL);
        emit(g, ADDI(A0, 28, 0));
        emit(g, ADDI(A1, 29, 0));
        emit(g, ADDI(A7, 30, 0));
    }
    emit(g, SRET);
}

static void make_boot(struct gen *g)
{
    g->pc = RAM_BASE;
    li(g, 5, VECTOR);
    emit(g, CSRRW(0, CSR_STVEC, 5));
    li(g, 6, SATP_MODE | PAGE_AT(PAGE_ROOT_A) >> PAGE_SHIFT);
    if (chance(g, 85)) {
        emit(g, CSRRW(0, CSR_SATP, 6));
        emit(g, SFENCE(0, 0));
        g->paging = true;
    }
    li(g, 7, rnd(g) & (SSTATUS_MASK | 0x200));
    emit(g, CSRRW(0, CSR_SSTATUS, 7));
    li(g, 8, rnd(g));
    emit(g, CSRRW(0, CSR_SIE, 8));
    emit(g, CSRRW(9, CSR_SCOUNTEREN, 8));
    li(g, RA, PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT);
    emit(g, enc_jal(0, PAGE_AT(PAGE_CODE) - g->pc));
}

/* --- the pieces: what any mode does --------------------------------------- */

static void do_arithmetic(struct gen *g)
{
    static const uint32_t f7[] = { 0, 0, 1, 1, 0x20 };
    uint32_t              f3 = below(g, 8), funct7 = PICK(g, f7);

    if (funct7 == 0x20)
        f3 = f3 & 1 ? 5 : 0;
    emit(g, enc_r(0x33, funct7, f3, reg(g), reg(g), reg(g)));
    emit(g, ADDI(reg(g), reg(g), rnd(g) & 0xfff));
}

static void do_constant(struct gen *g)
{
    li(g, reg(g), interesting(g));
}

/* An address to play with: mostly mapped one way or another. */
static uint32_t random_address(struct gen *g)
{
    uint32_t kind = below(g, 100);
    uint32_t offset = PAGE_SIZE * data_page(g) +
                      4 * below(g, chance(g, 80) ? 24 : PT_ENTRIES);

    if (chance(g, 12))
        offset += below(g, 4);
    if (kind < 12 || !g->paging)
        return chance(g, 90) ? RAM_BASE + offset : rnd(g) & 0x7fffffff;
    if (kind < 90)
        return PLAY(below(g, NR_PLAY)) + offset;
    if (kind < 93)
        return UART_BASE + below(g, 8);
    if (kind < 95)
        return PLIC_BASE + 4 * below(g, 16);
    if (kind < 97) /* beyond the end of memory */
        return PLAY(2) + PAGE_SIZE * NR_PAGES + (offset & 0xffffc);
    return rnd(g) & 0x7fffffff;
}

static void access_word(struct gen *g, uint32_t base, uint32_t offset)
{
    static const uint32_t amo[] = { 0, 1, 4, 8, 12, 16, 20, 24, 28, 2, 3 };
    static const uint32_t loads[] = { 0, 1, 2, 2, 2, 4, 5 };
    uint32_t              kind = below(g, 10);

    if (kind < 5)
        emit(g, enc_i(0x03, PICK(g, loads), reg(g), base, offset));
    else if (kind < 8)
        emit(g, enc_store(below(g, 3), base, reg(g), offset));
    else
        emit(g, AMO(PICK(g, amo), reg(g), base, chance(g, 90) ? reg(g) : 0));
}

static void do_access(struct gen *g)
{
    uint32_t base = reg(g), n = 1 + below(g, 4);

    li(g, base, random_address(g));
    while (n--)
        access_word(g, base, 4 * below(g, 8));
}

/* A word that is warm in every cache, so that nothing stands between LR and
 * SC: then, with nothing or something in the middle, exact rules hold. */
static void do_lr_sc(struct gen *g)
{
    uint32_t base = reg(g), addr = random_address(g) & ~3u;

    li(g, base, addr);
    emit(g, SW(reg(g), base, 0));
    emit(g, LR(16, base));
    if (chance(g, 20))
        emit(g, chance(g, 50) ? EBREAK : SW(reg(g), base, 0));
    emit(g, SC(17, base, 16));
}

static void do_branch(struct gen *g)
{
    static const uint32_t f3[] = { 0, 1, 4, 5, 6, 7 };

    emit(g, enc_branch(PICK(g, f3), reg(g), reg(g), 4 * (1 + below(g, 3))));
    do_arithmetic(g);
}

static void do_odd_word(struct gen *g)
{
    static const uint32_t words[] = {
        EBREAK,
        MRET,
        SRET | 1 << 7,
        WFI | 1 << 15,
        0,
        0xffffffff,
        FENCE_I,
        0x0ff0000f,
        0x00002073 | 4 << 12,
        SFENCE(0, 0) | 1 << 7,
    };

    emit(g, chance(g, 70) ? PICK(g, words) : rnd(g) & ~(uint32_t)0x60);
}

/* ra is the way home from there; the piece ends where it points. */
static void do_jump_away(struct gen *g)
{
    uint32_t at = g->pc, base = reg(g);

    if (!g->user)
        g->pc += 8;
    li(g, base, chance(g, 80) ? random_address(g) & ~2u : g->pc + 2);
    emit(g, JALR(chance(g, 50) ? 0 : reg(g), base));
    if (!g->user)
        put_li(g, at, RA, g->pc);
}

/* Registers that a kernel has, that it has not, and that nobody has. satp and
 * stvec are only read here: other pieces write them with care. */
static void do_csr(struct gen *g)
{
    static const uint32_t csrs[] = {
        CSR_SSTATUS, CSR_SSTATUS, CSR_SSTATUS,    CSR_SIE,      CSR_SIE,
        CSR_SIP,     CSR_SIP,     CSR_SCOUNTEREN, CSR_SSCRATCH, CSR_SEPC,
        CSR_SCAUSE,  CSR_STVAL,   CSR_CYCLE,      CSR_TIME,     CSR_INSTRET,
        CSR_CYCLEH,  CSR_TIMEH,   CSR_INSTRETH,   CSR_MSTATUS,  CSR_MIE,
        CSR_MHARTID, CSR_SATP,    CSR_STVEC,      0xc03,        0x5c0,
        0x001,       0x10a,       0x14d,          0x1c4,        0x200,
        0x600,       0x7c0,       0x800,          0xf14,        0xb00,
    };
    uint32_t csr = chance(g, 97) ? PICK(g, csrs) : rnd(g) & 0xfff;
    uint32_t f3 = 1 + below(g, 3) + 4 * below(g, 2);
    uint32_t rs1 = chance(g, 30) ? 0 : reg(g);

    if (csr == CSR_SATP || csr == CSR_STVEC) {
        f3 = 2 + below(g, 2) + 4 * below(g, 2);
        rs1 = 0;
    }
    if (rs1 && !(f3 & 4) && chance(g, 60))
        li(g, rs1, interesting(g));
    emit(g, enc_i(0x73, f3, chance(g, 90) ? reg(g) : 0, rs1, csr));
}

/* --- the pieces: what a kernel does ---------------------------------------- */

static void fence(struct gen *g, bool all, uint32_t va)
{
    uint32_t r = reg(g);

    if (g->unfenced && chance(g, 60))
        return;
    if (all) {
        emit(g, SFENCE(0, chance(g, 20) ? r : 0));
    } else {
        li(g, r, va);
        emit(g, SFENCE(r, 0));
    }
}

static void store_slot(struct gen *g, uint32_t table, uint32_t index,
                       uint32_t pte)
{
    uint32_t base = reg(g), val = 5 + (base - 4) % 11;

    li(g, base, PAGE_AT(table) + 4 * index);
    li(g, val, pte);
    emit(g, SW(val, base, 0));
}

/* An entry of a play table. The table may be linked in two places, and the
 * fence of an address is for that address alone. */
static void edit_leaf(struct gen *g, uint32_t table, uint32_t index)
{
    store_slot(g, table, index, random_leaf(g));
    if (chance(g, 50)) {
        fence(g, true, 0);
        return;
    }
    for (uint32_t n = 0; n < 2; n++)
        fence(g, false, PLAY(n) + PAGE_SIZE * index + below(g, PAGE_SIZE));
}

/* An entry of a root. Slot PLAY + 1 may have been or become a pointer, which
 * only a full fence covers; PLAY + 2 is a megapage, of which any address will
 * do. */
static void edit_root(struct gen *g, uint32_t root, uint32_t n)
{
    if (n == 1) {
        store_slot(g, root, SLOT_PLAY + 1,
                   chance(g, 70) ? random_table(g) : random_megapage(g));
        fence(g, true, 0);
    } else {
        store_slot(g, root, SLOT_PLAY + 2, random_megapage(g));
        fence(g, chance(g, 30), PLAY(2) + below(g, MEGAPAGE_SIZE));
    }
}

/* Touch, edit, fence, touch again: whoever still knows the old entry shows. */
static void do_edit(struct gen *g)
{
    uint32_t index = data_page(g), n = below(g, 3);
    uint32_t va = PLAY(n) + PAGE_SIZE * index + 4 * below(g, 24);
    uint32_t base = reg(g), other = reg(g), kind = below(g, 4);
    uint32_t touch = kind == 0   ? SW(other, base, 0)
                     : kind == 1 ? AMO(0, other, base, 0)
                                 : LW(other, base, 0);

    if (!g->paging)
        va = RAM_BASE + (va & (MEGAPAGE_SIZE - 1));
    li(g, base, va);
    emit(g, touch);
    if (n == 0 || (n == 1 && chance(g, 50)))
        edit_leaf(g, PAGE_PLAY + below(g, 3), index);
    else
        edit_root(g, PAGE_ROOT_A + below(g, 2), n);
    li(g, base, va);
    emit(g, touch);
}

static void do_satp(struct gen *g)
{
    uint32_t r = reg(g), kind = below(g, 10);
    uint32_t satp = PAGE_AT(PAGE_ROOT_A + below(g, 2)) >> PAGE_SHIFT;

    g->paging = kind < 8;
    if (g->paging)
        satp |= SATP_MODE;
    if (kind == 0) /* without ASIDs these bits read as 0 */
        satp |= 3u << SATP_ASID_SHIFT;
    li(g, r, satp);
    emit(g, CSRRW(chance(g, 50) ? reg(g) : 0, CSR_SATP, r));
    fence(g, true, 0);
}

static void do_fence(struct gen *g)
{
    uint32_t r = reg(g);

    if (chance(g, 50))
        li(g, r, random_address(g));
    emit(g, SFENCE(chance(g, 70) ? r : 0, chance(g, 30) ? reg(g) : 0));
}

/* The same access with and without SUM, MXR or both. */
static void do_sum_mxr(struct gen *g)
{
    static const uint32_t bits[] = { MSTATUS_SUM, MSTATUS_MXR, MSTATUS_MXR,
                                     MSTATUS_SUM | MSTATUS_MXR };
    uint32_t              flag = 5, base = 6, n = 2 + below(g, 2);
    bool                  set = chance(g, 60);

    li(g, flag, PICK(g, bits));
    li(g, base, random_address(g) & ~3u);
    while (n--) {
        emit(g,
             set ? CSRRS(0, CSR_SSTATUS, flag) : CSRRC(0, CSR_SSTATUS, flag));
        emit(g, chance(g, 75) ? LW(7 + below(g, 8), base, 0)
                              : SW(reg(g), base, 0));
        set = !set;
    }
}

static void do_stvec(struct gen *g)
{
    uint32_t r = reg(g), kind = below(g, 20);

    li(g, r, kind ? VECTOR | below(g, 4) : rnd(g));
    emit(g, CSRRW(reg(g), CSR_STVEC, r));
    if (kind)
        return;
    do_arithmetic(g);
    li(g, r, VECTOR);
    emit(g, CSRRW(0, CSR_STVEC, r));
}

static void do_timer(struct gen *g)
{
    emit(g, CSRRS(A0, CSR_TIME, 0));
    emit(g, ADDI(A0, A0, chance(g, 80) ? 6 + below(g, 60) : 0));
    emit(g, ADDI(A1, 0, 0));
    if (chance(g, 50)) {
        li(g, A7, SBI_EXT_TIME);
        emit(g, ADDI(A6, 0, SBI_TIME_SET));
    } else {
        emit(g, ADDI(A7, 0, SBI_LEGACY_SET_TIMER));
    }
    emit(g, ECALL);
    emit(g, ADDI(5, 0, MIP_STIP | (chance(g, 30) ? MIP_SSIP : 0)));
    if (chance(g, 80))
        emit(g, CSRRS(0, CSR_SIE, 5));
    if (chance(g, 70))
        emit(g, enc_i(0x73, 6, 0, MSTATUS_SIE, CSR_SSTATUS));
}

static void do_wfi(struct gen *g)
{
    if (chance(g, 85))
        do_timer(g);
    emit(g, WFI);
}

static void do_software_irq(struct gen *g)
{
    if (chance(g, 70))
        emit(g, enc_i(0x73, 6, 0, MIP_SSIP, CSR_SIE));
    if (chance(g, 70))
        emit(g, enc_i(0x73, 6, 0, MSTATUS_SIE, CSR_SSTATUS));
    emit(g, enc_i(0x73, chance(g, 70) ? 6 : 5, reg(g), MIP_SSIP, CSR_SIP));
}

/* "The transmitter is empty" is always true: a UART interrupt whenever we
 * like. The PLIC hands source 10 to context 1, which is S-mode of hart 0. */
static void do_external_irq(struct gen *g)
{
    emit(g, LUI(5, PLIC_BASE));
    emit(g, ADDI(6, 0, 1));
    emit(g, SW(6, 5, 4 * UART_IRQ));
    emit(g, LUI(7, PLIC_BASE + 0x2000));
    emit(g, ADDI(6, 0, 1 << UART_IRQ));
    emit(g, SW(6, 7, 0x80));
    emit(g, LUI(7, UART_BASE));
    emit(g, ADDI(6, 0, 2));
    emit(g, enc_store(0, 7, 6, 1));
    li(g, 5, MIP_SEIP);
    emit(g, CSRRS(0, CSR_SIE, 5));
    emit(g, enc_i(0x73, 6, 0, chance(g, 70) ? MSTATUS_SIE : 0, CSR_SSTATUS));
    if (chance(g, 50)) {
        li(g, 7, PLIC_BASE + 0x201004);
        emit(g, LW(8, 7, 0)); /* claim */
        if (chance(g, 50))
            emit(g, SW(8, 7, 0)); /* complete */
    }
}

static void do_sbi(struct gen *g)
{
    static const uint32_t calls[][2] = {
        { SBI_EXT_BASE, 8 },
        { SBI_EXT_BASE, 8 },
        { SBI_EXT_TIME, 2 },
        { SBI_EXT_IPI, 2 },
        { SBI_EXT_RFNC, 4 },
        { SBI_EXT_DBCN, 4 },
        { SBI_EXT_HSM, 4 },
        { 1, 1 },
        { 2, 1 },
        { 3, 1 },
        { 4, 1 },
        { 5, 1 },
        { 6, 1 },
        { 7, 1 },
        { 0x0a004856, 15 },
        { 0x12345, 2 },
        { 9, 1 },
    };
    static const uint32_t args[] = {
        0, 1, 1, 2, 0xffffffff, SBI_EXT_TIME, PAGE_AT(PAGE_DATA), 64, PAGE_SIZE
    };
    const uint32_t *call = PICK(g, calls);
    uint32_t        function = below(g, call[1]);

    if (call[0] == SBI_EXT_HSM)
        function = SBI_HSM_STATUS;
    li(g, A7, call[0]);
    emit(g, ADDI(A6, 0, function));
    li(g, A0, call[0] >= 4 && call[0] <= 7 ? 0 : PICK(g, args));
    li(g, A1, PICK(g, args));
    li(g, A2, call[0] == SBI_EXT_DBCN && chance(g, 80) ? 0 : PICK(g, args));
    li(g, 13, PICK(g, args));
    emit(g, ECALL);
}

/* sret with chosen or random status, to the word behind it. */
static void do_sret(struct gen *g)
{
    uint32_t at = g->pc, status = rnd(g) & SSTATUS_MASK;

    g->pc += 16; /* ra and the target: known at the end */
    li(g, 7, status | MSTATUS_SPP);
    emit(g, CSRRW(0, CSR_SSTATUS, 7));
    emit(g, CSRRW(0, CSR_SEPC, 6));
    emit(g, SRET);
    put_li(g, at, RA, g->pc);
    put_li(g, at + 8, 6, g->pc | below(g, 4)); /* low bits are dropped */
}

typedef void (*piece)(struct gen *g);

static const piece user_pieces[] = {
    do_access, do_access, do_access,   do_arithmetic, do_constant,
    do_csr,    do_lr_sc,  do_odd_word, do_jump_away,  do_branch,
};

/* Into user mode, to the word behind; returns what leave_user() wants. */
static uint32_t enter_user(struct gen *g)
{
    uint32_t at = g->pc;
    uint32_t clear = chance(g, 50) ? MSTATUS_SPP : MSTATUS_SPP | MSTATUS_SUM;

    g->pc += 16; /* ra and the target: known later */
    li(g, 7, clear);
    emit(g, CSRRC(8, CSR_SSTATUS, 7));
    emit(g, CSRRW(0, CSR_SEPC, 6));
    emit(g, SRET);
    put_li(g, at + 8, 6, alias(g, g->pc, true));
    g->user = true;
    return at;
}

/* System call 0: back to kernel mode, to the word behind. */
static void leave_user(struct gen *g, uint32_t at)
{
    g->user = false;
    emit(g, ADDI(A7, 0, 0));
    emit(g, ECALL);
    put_li(g, at, RA, g->pc);
}

static void do_user(struct gen *g)
{
    uint32_t at = enter_user(g), n = 1 + below(g, 5);

    while (n--) {
        PICK(g, user_pieces)(g);
        if (chance(g, 15)) {
            emit(g, ADDI(A7, 0, 1));
            emit(g, ECALL);
        } else if (chance(g, 10)) {
            emit(g, PICK(g, ((const uint32_t[]){ SRET, WFI, SFENCE(0, 0) })));
        }
    }
    leave_user(g, at);
}

/* What a user program has touched is edited under it. */
static void do_edit_for_user(struct gen *g)
{
    uint32_t index = data_page(g), base = reg(g), n = below(g, 2);
    uint32_t va = PLAY(n) + PAGE_SIZE * index + 4 * below(g, 24);

    for (int again = 0; again < 2; again++) {
        uint32_t at = enter_user(g), accesses = 1 + below(g, 3);

        li(g, base, g->paging ? va : RAM_BASE + (va & (MEGAPAGE_SIZE - 1)));
        emit(g, LW(reg(g), base, 0));
        leave_user(g, at);
        if (again)
            break;
        while (accesses--)
            do_access(g);
        edit_leaf(g, PAGE_PLAY + below(g, 3), index);
    }
}

static const piece kernel_pieces[] = {
    do_access, do_access,     do_access,       do_edit,          do_edit,
    do_edit,   do_arithmetic, do_constant,     do_csr,           do_csr,
    do_satp,   do_fence,      do_sum_mxr,      do_sum_mxr,       do_stvec,
    do_timer,  do_wfi,        do_software_irq, do_external_irq,  do_sbi,
    do_sret,   do_user,       do_user,         do_user,          do_lr_sc,
    do_branch, do_odd_word,   do_jump_away,    do_edit_for_user,
};

static void make_code(struct gen *g)
{
    uint32_t n = 8 + below(g, MAX_PIECES - 8);

    g->pc = PAGE_AT(PAGE_CODE);
    while (n-- && g->pc < PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT - 512)
        PICK(g, kernel_pieces)(g);
    emit(g, enc_jal(0, PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT - g->pc));
    g->pc = PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT;
    li(g, A7, chance(g, 50) ? SBI_LEGACY_SHUTDOWN : SBI_EXT_SRST);
    emit(g, ADDI(A6, 0, SBI_SRST_RESET));
    emit(g, ADDI(A0, 0, below(g, 3)));
    emit(g, ADDI(A1, 0, below(g, 2)));
    emit(g, ECALL);
    emit(g, enc_jal(0, 0)); /* still here: in user mode, say */
}

int hv_privgen(uint64_t seed, uint32_t flags, uint8_t *image, size_t n)
{
    if (!image || n < HV_PRIVGEN_RAM || flags > HV_PRIVGEN_UNFENCED)
        return HV_ERR_INVALID;
    struct gen g = {
        .rng = (seed + 1) * 0x9e3779b97f4a7c15ull | 1,
        .image = image,
        .unfenced = flags & HV_PRIVGEN_UNFENCED,
    };
    memset(image, 0, n);
    for (int i = 0; i < 8; i++)
        rnd(&g); /* neighbouring seeds must not look alike */
    for (int i = 0; i < 2; i++)
        g.hot[i] = PAGE_DATA + below(&g, NR_DATA);
    make_tables(&g);
    make_data(&g);
    make_handler(&g);
    make_boot(&g);
    make_code(&g);
    return HV_OK;
}
