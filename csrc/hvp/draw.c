/* draw.c - one record at random: which operation, who does it, with what. */
#include "hvp/draw.h"
#include "abi/pte.h"

/* How operands of a kind are drawn: whether they can name a handle, and below
 * what their usual literals lie. */
struct habit {
    bool     names;
    uint16_t usual;
};

static const struct habit habits[HVP_NR_KINDS] = {
    [HVP_KIND_NONE] = { false, 1 },      [HVP_KIND_GVA] = { true, 1024 },
    [HVP_KIND_GPA] = { true, 1024 },     [HVP_KIND_GFN] = { true, 48 },
    [HVP_KIND_SLOT] = { true, 64 },      [HVP_KIND_ROOT] = { true, 4 },
    [HVP_KIND_RIGHTS] = { false, 1024 }, [HVP_KIND_VALUE] = { true, 256 },
    [HVP_KIND_INSN] = { false, 0x4000 }, [HVP_KIND_SIZE] = { false, 5 },
    [HVP_KIND_COUNT] = { false, 24 },    [HVP_KIND_REG] = { false, 32 },
    [HVP_KIND_CSR] = { true, 0x1000 },   [HVP_KIND_CALL] = { false, 28 },
    [HVP_KIND_SBI] = { false, 24 },      [HVP_KIND_VCPU] = { true, 4 },
    [HVP_KIND_TIME] = { false, 64 },     [HVP_KIND_LEVEL] = { false, 2 },
    [HVP_KIND_MODE] = { false, 2 },      [HVP_KIND_FLAG] = { false, 3 },
    [HVP_KIND_STYLE] = { false, 5 },     [HVP_KIND_SYNC] = { false, 5 },
    [HVP_KIND_WEIGHT] = { false, 1024 }, [HVP_KIND_PERCENT] = { false, 201 },
    [HVP_KIND_MASK] = { false, 4 },
};

uint16_t hvp_operand(enum hvp_form form, uint32_t number)
{
    return (uint16_t)((uint32_t)form << 14 | (number & 0x3fff));
}

static bool is_address(enum hvp_kind kind)
{
    return kind == HVP_KIND_GVA || kind == HVP_KIND_GPA;
}

uint32_t hvp_handle(enum hvp_kind kind, uint32_t n)
{
    return is_address(kind) ? n << 5 : n;
}

/* Slots of a root are the last of the 64 that a program can name. */
uint16_t hvp_root_slot(uint16_t slot)
{
    return hvp_operand(HVP_LITERAL, 48 + (slot & 3));
}

/* Rights as kernels write them, mostly; any ten bits at times. */
static uint32_t draw_rights(struct hvp_random *random)
{
    static const uint16_t usual[] = {
        PTE_V | PTE_R,         PTE_V | PTE_R | PTE_W, PTE_V | PTE_X,
        PTE_V | PTE_R | PTE_X, PTE_V | PTE_RWX,       PTE_V | PTE_RWX,
    };
    uint32_t rights = HVP_PICK(random, usual);

    if (hvp_chance(random, 8))
        return hvp_below(random, 1024);
    if (hvp_chance(random, 60))
        rights |= PTE_U;
    if (hvp_chance(random, 75))
        rights |= PTE_A;
    if (hvp_chance(random, 70))
        rights |= PTE_D;
    return hvp_chance(random, 10) ? rights | PTE_G : rights;
}

uint32_t hvp_draw_register(struct hvp_random *random)
{
    /* Of each device: where its registers are, and some of what is behind. */
    static const uint8_t near[] = { 16, 160, 32, 4 };
    uint32_t             device = hvp_below(random, 4);
    uint32_t n = hvp_chance(random, 80) ? hvp_below(random, near[device])
                                        : hvp_below(random, 0x800);

    return 0x2000 | device << 11 | n;
}

/* Of its kind's table; of addresses, those of devices as well. */
static uint16_t draw_edge(struct hvp_random *random, enum hvp_kind kind)
{
    uint32_t n = hvp_below(random, 32);

    if (is_address(kind) && hvp_chance(random, 25))
        n = hvp_draw_register(random);
    return hvp_operand(HVP_BOUNDARY, n);
}

static uint16_t draw_plain(struct hvp_random *random, enum hvp_kind kind)
{
    if (kind == HVP_KIND_RIGHTS)
        return hvp_operand(HVP_LITERAL, draw_rights(random));
    if (hvp_chance(random, 12))
        return draw_edge(random, kind);
    return hvp_operand(HVP_LITERAL, hvp_below(random, habits[kind].usual));
}

uint16_t hvp_draw_operand(struct hvp_random *random, enum hvp_kind kind,
                          bool handles)
{
    if (!handles || !habits[kind].names)
        return draw_plain(random, kind);
    uint32_t of_hundred = hvp_below(random, 100);
    /* Few handles are named often: things happen to the same page. */
    uint32_t n = hvp_chance(random, 60) ? hvp_below(random, 4)
                                        : hvp_below(random, 32);
    uint32_t number = hvp_handle(kind, n);

    if (kind == HVP_KIND_VALUE && hvp_chance(random, 30))
        number = 0x2000 | hvp_below(random, 16) << 5 | hvp_below(random, 32);
    if (is_address(kind) && hvp_chance(random, 40))
        number += hvp_below(random, 32);
    if (of_hundred < 66)
        return hvp_operand(HVP_LIVE, number);
    if (of_hundred < 80)
        return hvp_operand(HVP_STALE, number);
    if (of_hundred < 92)
        return draw_edge(random, kind);
    return hvp_operand(HVP_LITERAL, hvp_below(random, habits[kind].usual));
}

uint8_t hvp_draw_actor(struct hvp_random *random, uint32_t vms)
{
    uint32_t actor = hvp_below(random, vms);

    if (hvp_chance(random, 25))
        actor |= hvp_below(random, 4) << 2;
    return (uint8_t)(hvp_chance(random, 70) ? actor | 16 : actor);
}

/* An instruction word: what a hypervisor has to look at, or any bits. */
static uint32_t draw_insn(struct hvp_random *random)
{
    static const uint32_t words[] = {
        0x00000073, /* ecall */ 0x00100073,       /* ebreak */
        0x10200073, /* sret */ 0x30200073,        /* mret */
        0x10500073, /* wfi */ 0x12000073,         /* sfence.vma */
        0x0000100f, /* fence.i */ 0x22000073,     /* hfence.vvma */
        0x62000073, /* hfence.gvma */ 0x00000013, /* nop */
    };
    static const uint32_t opcodes[] = { 0x03, 0x13, 0x23, 0x2f, 0x33,
                                        0x37, 0x63, 0x6f, 0x67, 0x73 };
    uint32_t              kind = hvp_below(random, 100);
    uint32_t              any = hvp_draw(random);

    if (kind < 40)
        return HVP_PICK(random, words);
    if (kind < 60) /* a CSR instruction */
        return (any & ~0x7fu) | 0x73;
    if (kind < 90)
        return (any & ~0x7fu) | HVP_PICK(random, opcodes);
    return any;
}

static uint32_t weight(const struct hvp_taste *taste, uint32_t op)
{
    const struct hvp_row *row = hvp_row(op);

    if (!(row->feature & taste->features))
        return 0;
    return taste->build && row->phase != HVP_PHASE_BUILD ? 0 : row->weight;
}

/* nop, where a taste allows nothing else. */
static uint8_t draw_op(struct hvp_random *random, const struct hvp_taste *taste)
{
    uint32_t sum = 0;

    for (uint32_t op = 0; op < HVP_NR_OPS; op++)
        sum += weight(taste, op);
    if (sum == 0)
        return HVP_nop;
    uint32_t at = hvp_below(random, sum);
    uint32_t op = 0;

    while (at >= weight(taste, op)) {
        at -= weight(taste, op);
        op++;
    }
    return (uint8_t)op;
}

struct hvp_record hvp_draw_record(struct hvp_random      *random,
                                  const struct hvp_taste *taste)
{
    struct hvp_record     record = { .op = draw_op(random, taste) };
    const struct hvp_row *row = hvp_row(record.op);

    record.actor = hvp_draw_actor(random, taste->vms);
    if (row->kind[1] == HVP_KIND_INSN) {
        uint32_t word = draw_insn(random);

        record.arg[1] = (uint16_t)word;
        record.arg[2] = (uint16_t)(word >> 16);
        return record;
    }
    for (int i = 0; i < 3; i++) {
        enum hvp_kind kind = (enum hvp_kind)row->kind[i];

        if (kind != HVP_KIND_NONE)
            record.arg[i] = hvp_draw_operand(random, kind, taste->handles);
    }
    if (taste->handles && (record.op == HVP_link || record.op == HVP_mega))
        record.arg[0] = hvp_root_slot(record.arg[0]);
    return record;
}

void hvp_put_half(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

void hvp_put(uint8_t *at, struct hvp_record record)
{
    at[0] = record.op;
    at[1] = record.actor;
    for (int i = 0; i < 3; i++)
        hvp_put_half(at + 2 + 2 * i, record.arg[i]);
}
