/* explore_look.c - what a hart is about to do, and whom that concerns. */
#include "api/explore.h"

#define OP_LOAD     0x03
#define OP_FENCE    0x0f
#define OP_STORE    0x23
#define OP_AMO      0x2f
#define IS_LR(insn) ((insn) >> 27 == 2)
#define IS_SC(insn) ((insn) >> 27 == 3)

/* --- what a hart is about to do -------------------------------------------- */

uint32_t explore_reg(struct explorer *e, uint32_t hart, uint32_t number)
{
    uint32_t val = 0;

    hv_reg_get(e->host, e->vm, hart, number, &val);
    return val;
}

/* False if that access faults. */
static bool reach(struct explorer *e, uint32_t hart, uint32_t gva, int access,
                  uint32_t *gpa)
{
    int fault = 0;

    return hv_translate(e->host, e->vm, hart, gva, access, gpa, &fault) ==
               HV_OK &&
           fault == -1;
}

static uint32_t address(struct explorer *e, uint32_t hart, uint32_t insn)
{
    uint32_t base = explore_reg(e, hart, insn >> 15 & 31);
    int32_t  upper = (int32_t)insn >> 20;

    if (OPCODE(insn) == OP_AMO)
        return base;
    if (OPCODE(insn) == OP_STORE)
        upper = (upper & ~31) | (int32_t)(insn >> 7 & 31);
    return base + (uint32_t)upper;
}

/* The entries that a walk for this address reads. */
static void look_at_tables(struct explorer *e, uint32_t hart, uint32_t gva,
                           struct next *next)
{
    uint32_t satp = explore_reg(e, hart, HV_REG_CSR + CSR_SATP), entry = 0;

    if (!(satp & SATP_MODE))
        return;
    next->entry[0] = satp << PAGE_SHIFT | gva >> 22 << 2;
    if (hv_mem_read(e->host, e->vm, next->entry[0], &entry, 4) == HV_OK &&
        (entry & PTE_V) && !(entry & (PTE_R | PTE_W | PTE_X)))
        next->entry[1] = entry >> PTE_PPN_SHIFT << PAGE_SHIFT |
                         (gva >> PAGE_SHIFT & 1023) << 2;
}

struct next explore_look(struct explorer *e, uint32_t hart)
{
    struct next next = { .traps = true };
    uint32_t    gpa;

    if (!reach(e, hart, explore_reg(e, hart, HV_REG_PC), HV_FETCH, &gpa) ||
        hv_mem_read(e->host, e->vm, gpa, &next.insn, 4) != HV_OK)
        return next;
    uint32_t opcode = OPCODE(next.insn);
    next.access = opcode == OP_LOAD || opcode == OP_STORE || opcode == OP_AMO;
    next.traps = false;
    if (!next.access)
        return next;
    next.write = opcode == OP_STORE || (opcode == OP_AMO && !IS_LR(next.insn));
    uint32_t gva = address(e, hart, next.insn);
    look_at_tables(e, hart, gva, &next);
    next.traps = !reach(e, hart, gva, next.write ? HV_STORE : HV_LOAD,
                        &next.gpa);
    next.gpa &= ~3u;
    return next;
}

/* --- words that several harts use ------------------------------------------- */

/* Its place; one that is not in use, or NULL if there is none. */
static struct word *find(struct explorer *e, uint32_t gpa)
{
    uint32_t at = gpa / 4 * 2654435761u;

    for (uint32_t i = 0; i < NR_WORDS; i++) {
        struct word *word = &e->word[(at + i) % NR_WORDS];

        if (!word->uses || word->gpa == gpa)
            return word;
    }
    return NULL;
}

static bool is_shared(const struct word *word)
{
    return word->writes && (word->uses & (word->uses - 1));
}

static void learn_word(struct explorer *e, uint32_t hart, uint32_t gpa,
                       bool write)
{
    struct word *word = find(e, gpa);

    if (!word)
        return;
    bool before = is_shared(word);
    word->gpa = gpa;
    word->uses |= 1u << hart;
    word->writes |= (uint32_t)write << hart;
    if (is_shared(word) && !before) {
        e->learnt = true;
        e->out->shared++;
    }
}

void explore_learn(struct explorer *e, uint32_t hart, const struct next *next)
{
    for (uint32_t i = 0; i < 2; i++)
        if (next->entry[i])
            learn_word(e, hart, next->entry[i], false);
    if (next->access && !next->traps)
        learn_word(e, hart, next->gpa, next->write);
}

/* 0 is no word of anybody's. */
static bool shared_at(struct explorer *e, uint32_t gpa)
{
    const struct word *word = gpa ? find(e, gpa) : NULL;

    return gpa && (!word || is_shared(word));
}

bool explore_point(struct explorer *e, const struct next *next)
{
    uint32_t opcode = OPCODE(next->insn);

    if (next->traps || opcode == OP_FENCE || opcode == OP_SYSTEM)
        return true;
    if (!next->access)
        return false;
    if (opcode == OP_AMO && (IS_LR(next->insn) || IS_SC(next->insn)))
        return true;
    return shared_at(e, next->gpa) || shared_at(e, next->entry[0]) ||
           shared_at(e, next->entry[1]);
}
