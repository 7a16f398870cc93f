/* idioms.c - the sequences of idioms.def, as records. */
#include "abi/pte.h"
#include "hvp/draw.h"

#define MAX_STEPS 8

/* Rights of the rows: for everybody, but KRW; accessed but FRESH, and dirty but
 * CLEAN; to be read, but XO. */
#define UA    (PTE_V | PTE_U | PTE_A)
#define RO    (UA | PTE_R | PTE_D)
#define FRESH (PTE_V | PTE_U | PTE_R | PTE_W)
#define CLEAN (UA | PTE_R | PTE_W)
#define RW    (CLEAN | PTE_D)
#define XO    (UA | PTE_X | PTE_D)
#define ODD   0x200u /* of a megapage: whether or not it is aligned */
#define KRW   (RW & ~PTE_U)

#define KERNEL HVP_PART_KERNEL
#define USER   HVP_PART_USER
#define OTHER  HVP_PART_OTHER
#define CHILD  HVP_PART_CHILD
#define SECOND HVP_PART_SECOND

#define ANY  HVP_WANTED_ANY
#define E    HVP_WANTED_EDGE
#define REG  HVP_WANTED_BOARD
#define N(n) (n)
#define L(k) (HVP_WANTED_LIVE + (k))
#define S(k) (HVP_WANTED_STALE + (k))

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

uint32_t hvp_idiom_features(uint32_t idiom)
{
    return idiom < NR_IDIOMS ? idioms[idiom].features : 0;
}

/* Steps end with the row: nop is no step of any. */
static uint32_t length(const struct idiom *idiom)
{
    uint32_t n = 0;

    while (n < MAX_STEPS && idiom->step[n].op != HVP_nop)
        n++;
    return n;
}

int hvp_idiom_step(uint32_t idiom, uint32_t at, struct hvp_step *out)
{
    if (idiom >= NR_IDIOMS || at >= length(&idioms[idiom]))
        return 0;
    const struct step *step = &idioms[idiom].step[at];

    *out = (struct hvp_step){ .op = step->op, .who = step->who };
    for (int i = 0; i < 3; i++)
        out->operand[i] = step->operand[i];
    return 1;
}

static uint16_t operand(struct hvp_random *random, enum hvp_kind kind,
                        uint32_t code, const uint16_t *handles)
{
    uint32_t handle = handles[code & 3];

    if (kind == HVP_KIND_NONE)
        return 0;
    switch (code & 0xf0000) {
    case HVP_WANTED_ANY:
        return hvp_draw_operand(random, kind, true);
    case HVP_WANTED_EDGE:
        return hvp_operand(HVP_BOUNDARY, hvp_below(random, 32));
    case HVP_WANTED_BOARD:
        return hvp_operand(HVP_BOUNDARY, hvp_draw_register(random));
    case HVP_WANTED_LIVE:
        return hvp_operand(HVP_LIVE, hvp_handle(kind, handle));
    case HVP_WANTED_STALE:
        return hvp_operand(HVP_STALE, hvp_handle(kind, handle));
    default:
        return (uint16_t)code;
    }
}

static uint8_t actor(const struct hvp_taste *taste, uint32_t vm, uint32_t who)
{
    if (who == HVP_PART_OTHER)
        vm = (vm + 1) % taste->vms;
    else if (who == HVP_PART_CHILD)
        vm = taste->vms % 4;
    else if (who == HVP_PART_SECOND)
        vm |= 1 << 2;
    return (uint8_t)(vm | (who == HVP_PART_USER ? 0 : 16));
}

/* One that the features allow, mostly: a few are looked at. */
static const struct idiom *pick(struct hvp_random      *random,
                                const struct hvp_taste *taste)
{
    const struct idiom *idiom = &idioms[hvp_below(random, NR_IDIOMS)];

    for (int i = 0; i < 4 && idiom->features & ~taste->features; i++)
        idiom = &idioms[hvp_below(random, NR_IDIOMS)];
    return idiom;
}

uint32_t hvp_draw_idiom(struct hvp_random      *random,
                        const struct hvp_taste *taste, uint8_t *to,
                        uint32_t room)
{
    const struct idiom *idiom = pick(random, taste);
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
