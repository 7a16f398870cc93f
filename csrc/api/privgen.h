/* privgen.h - what the two halves of the program generator share: the layout
 * of a program (privgen.c has the picture), random numbers, and words.
 *
 * Random numbers are drawn one by one, never two in one argument list or
 * expression: in what order C evaluates those is the compiler's choice, and a
 * seed must mean the same program everywhere. */
#ifndef HV_API_PRIVGEN_H
#define HV_API_PRIVGEN_H

#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/pte.h"
#include "include/hv.h"
#include <stdbool.h>
#include <stdint.h>

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

static inline uint32_t rnd(struct gen *g)
{
    g->rng ^= g->rng << 13;
    g->rng ^= g->rng >> 7;
    g->rng ^= g->rng << 17;
    return (uint32_t)(g->rng >> 24);
}

static inline uint32_t below(struct gen *g, uint32_t n)
{
    return rnd(g) % n;
}

static inline bool chance(struct gen *g, uint32_t percent)
{
    return below(g, 100) < percent;
}

#define PICK(g, array) (array)[below(g, sizeof(array) / sizeof((array)[0]))]

/* A register that pieces may use: not ra, not the handler's own (x28-x31). */
static inline uint32_t reg(struct gen *g)
{
    return 5 + below(g, 11);
}

/* A data page. Programs that come back to the same pages tell more. */
static inline uint32_t data_page(struct gen *g)
{
    return chance(g, 60) ? PICK(g, g->hot) : PAGE_DATA + below(g, NR_DATA);
}

static inline uint32_t interesting(struct gen *g)
{
    static const uint32_t values[] = {
        0, 1, 2, 0xffffffff, 0x80000000, 0x7fffffff, 0x5a5a5a5a, RAM_BASE,
    };

    return chance(g, 50) ? PICK(g, values) : rnd(g);
}

/* --- words --------------------------------------------------------------- */

static inline void put(struct gen *g, uint32_t pa, uint32_t word)
{
    uint8_t *at = g->image + (pa - RAM_BASE);

    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(word >> 8 * i);
}

static inline void emit(struct gen *g, uint32_t word)
{
    put(g, g->pc, word);
    g->pc += 4;
}

static inline uint32_t enc_r(uint32_t op, uint32_t f7, uint32_t f3, uint32_t rd,
                             uint32_t rs1, uint32_t rs2)
{
    return f7 << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static inline uint32_t enc_i(uint32_t op, uint32_t f3, uint32_t rd,
                             uint32_t rs1, uint32_t imm)
{
    return imm << 20 | rs1 << 15 | f3 << 12 | rd << 7 | op;
}

static inline uint32_t enc_store(uint32_t f3, uint32_t rs1, uint32_t rs2,
                                 uint32_t imm)
{
    return (imm >> 5 & 0x7f) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 |
           (imm & 31) << 7 | 0x23;
}

static inline uint32_t enc_branch(uint32_t f3, uint32_t rs1, uint32_t rs2,
                                  uint32_t offset)
{
    return (offset >> 12 & 1) << 31 | (offset >> 5 & 0x3f) << 25 | rs2 << 20 |
           rs1 << 15 | f3 << 12 | (offset >> 1 & 15) << 8 |
           (offset >> 11 & 1) << 7 | 0x63;
}

static inline uint32_t enc_jal(uint32_t rd, uint32_t offset)
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
static inline void put_li(struct gen *g, uint32_t pa, uint32_t rd, uint32_t val)
{
    put(g, pa, LUI(rd, (val + 0x800) & 0xfffff000));
    put(g, pa + 4, ADDI(rd, rd, val & 0xfff));
}

static inline void li(struct gen *g, uint32_t rd, uint32_t val)
{
    put_li(g, g->pc, rd, val);
    g->pc += 8;
}

static inline uint32_t random_addi(struct gen *g)
{
    uint32_t rd = reg(g), rs1 = reg(g);

    return ADDI(rd, rs1, rnd(g) & 0xfff);
}

/* Where a word of the code page is for who executes it now. */
static inline uint32_t alias(const struct gen *g, uint32_t pc, bool user)
{
    return user && g->paging ? pc - PAGE_AT(PAGE_CODE) + USER_CODE : pc;
}

/* --- what one half wants of the other ----------------------------------------- */

/* privgen.c: an entry of page `page` of the program's memory, and random
 * entries for a play table and for a root. */
uint32_t privgen_entry(uint32_t page, uint32_t bits);
uint32_t privgen_leaf(struct gen *g);
uint32_t privgen_megapage(struct gen *g);
uint32_t privgen_table(struct gen *g);

/* privgen_pieces.c: fill the code page. */
void privgen_code(struct gen *g);

#endif
