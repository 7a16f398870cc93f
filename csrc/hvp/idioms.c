/* idioms.c - the sequences of idioms.def, as records. */
#include "abi/pte.h"
#include "hvp/draw.h"

#define MAX_STEPS 8

/* Rights of the rows: for everybody, but KRW; accessed, and dirty but CLEAN. */
#define UA    (PTE_V | PTE_U | PTE_A)
#define RO    (UA | PTE_R | PTE_D)
#define CLEAN (UA | PTE_R | PTE_W)
#define RW    (CLEAN | PTE_D)
#define KRW   (RW & ~PTE_U)

enum who { KERNEL, USER, OTHER, CHILD };

/* An operand of a row: a literal, or one of these above 16 bits. */
#define OPERAND_ANY   0x10000
#define OPERAND_EDGE  0x20000
#define OPERAND_LIVE  0x30000
#define OPERAND_STALE 0x40000
#define OPERAND_BOARD 0x50000

#define ANY  OPERAND_ANY
#define E    OPERAND_EDGE
#define REG  OPERAND_BOARD
#define N(n) (n)
#define L(k) (OPERAND_LIVE + (k))
#define S(k) (OPERAND_STALE + (k))

#define EDGE(k)   (HVP_BOUNDARY << 14 | (k))
#define UART(k)   EDGE(0x2000 | (k))
#define LIVE(k)   (HVP_LIVE << 14 | (k))
#define LEAF(n)   LIVE((8 * (n) + 1) << 2 | 1)
#define PAGE(n)   ((n) << 5)
#define WINDOW(n) (0x2000 | (n) << 5)
#define AT(n, k)  LIVE(0x2000 | (n) << 5 | (k))

struct step {
    uint8_t  op, who;
    uint32_t operand[3];
};

struct idiom {
    const char *name, *doc;
    uint32_t    features;
    struct step step[MAX_STEPS];
};

static const struct idiom idioms[] = {
#define STEP(op, who, a, b, c) { HVP_##op, who, { a, b, c } },
#define HVP_IDIOM(name, features, doc, steps) \
    { #name, doc, HVP_FEATURE_##features, { steps } },
#include "hvp/idioms.def"
#undef HVP_IDIOM
#undef STEP
};

#define NR_IDIOMS ((uint32_t)(sizeof(idioms) / sizeof(idioms[0])))

uint32_t hvp_idiom_count(void)
{
    return NR_IDIOMS;
}

const char *hvp_idiom_name(uint32_t idiom)
{
    return idiom < NR_IDIOMS ? idioms[idiom].name : NULL;
}

const char *hvp_idiom_doc(uint32_t idiom)
{
    return idiom < NR_IDIOMS ? idioms[idiom].doc : NULL;
}

/* Steps end with the row: nop is no step of any. */
static uint32_t length(const struct idiom *idiom)
{
    uint32_t n = 0;

    while (n < MAX_STEPS && idiom->step[n].op != HVP_nop)
        n++;
    return n;
}

static uint16_t operand(struct hvp_random *random, enum hvp_kind kind,
                        uint32_t code, const uint16_t *handles)
{
    uint32_t handle = handles[code & 3];

    if (kind == HVP_KIND_NONE)
        return 0;
    switch (code & 0xf0000) {
    case OPERAND_ANY:
        return hvp_draw_operand(random, kind, true);
    case OPERAND_EDGE:
        return hvp_operand(HVP_BOUNDARY, hvp_below(random, 32));
    case OPERAND_BOARD:
        return hvp_operand(HVP_BOUNDARY, hvp_draw_register(random));
    case OPERAND_LIVE:
        return hvp_operand(HVP_LIVE, hvp_handle(kind, handle));
    case OPERAND_STALE:
        return hvp_operand(HVP_STALE, hvp_handle(kind, handle));
    default:
        return (uint16_t)code;
    }
}

static uint8_t actor(const struct hvp_taste *taste, uint32_t vm, uint32_t who)
{
    if (who == OTHER)
        vm = (vm + 1) % taste->vms;
    else if (who == CHILD)
        vm = taste->vms % 4;
    return (uint8_t)(vm | (who == USER ? 0 : 16));
}

uint32_t hvp_draw_idiom(struct hvp_random      *random,
                        const struct hvp_taste *taste, uint8_t *to,
                        uint32_t room)
{
    const struct idiom *idiom = &idioms[hvp_below(random, NR_IDIOMS)];
    uint32_t            n = length(idiom);
    uint32_t            vm = hvp_below(random, taste->vms);
    uint16_t            handles[4];

    if (idiom->features & ~taste->features || n > room || taste->build)
        return 0;
    for (int i = 0; i < 4; i++)
        handles[i] = (uint16_t)hvp_below(random, 8);
    for (uint32_t i = 0; i < n; i++) {
        const struct step    *step = &idiom->step[i];
        const struct hvp_row *row = hvp_row(step->op);
        struct hvp_record     record = { .op = step->op };

        record.actor = actor(taste, vm, step->who);
        for (int k = 0; k < 3; k++)
            record.arg[k] = operand(random, (enum hvp_kind)row->kind[k],
                                    step->operand[k], handles);
        if (step->op == HVP_link || step->op == HVP_mega)
            record.arg[0] = hvp_root_slot(record.arg[0]);
        hvp_put(to + HVP_RECORD * i, record);
    }
    return n;
}
