/* turns.c - whose slot it is: against a walk from the table's first tick to the
 * one in question, for all tables of up to three rows of up to three ticks. */
#include "leaf_check.h"
#include "sched/slots.c"

#define LATEST 40

static struct hyp hyp;

/* Tick by tick; `next` takes over when it begins. */
static struct turn walk(const struct slot_table table[2], uint64_t now)
{
    struct turn turn = { .vm = 0, .start = 0, .end = TIME_NEVER };
    int         which = 0;
    uint32_t    row = 0;

    if (table[1].nr)
        turn.end = table[1].begins;
    if (table[0].nr && table[0].begins < turn.end)
        turn.end = table[0].begins;
    for (uint64_t t = 0; t <= now; t++) {
        if (t < turn.end)
            continue;
        if (table[1].nr && t == table[1].begins) {
            which = 1;
            row = 0;
        }
        turn.vm = table[which].slot[row].vm;
        turn.start = t;
        turn.end = t + table[which].slot[row].ticks;
        row = (row + 1) % table[which].nr;
    }
    return turn;
}

static bool check(struct leaf *out, uint32_t shape)
{
    const struct slot_table *first = hyp.sched.table;

    /* One that was replaced has begun: slots_set(). */
    for (uint64_t now = first->nr ? first->begins : 0; now < LATEST; now++) {
        struct turn want = walk(hyp.sched.table, now);
        struct turn got = turn_at(&hyp, now);

        SAME("turn: vm", want.vm, got.vm, now, shape, 0, 0);
        SAME("turn: end", want.end, got.end, now, shape, 0, 0);
        if (want.vm || got.start)
            SAME("turn: start", want.start, got.start, now, shape, 0, 0);
    }
    return true;
}

static void fill(struct slot_table *table, uint32_t shape, uint32_t vm)
{
    table->nr = shape % 4;
    table->length = 0;
    shape /= 4;
    for (uint32_t i = 0; i < table->nr; i++, shape /= 3) {
        table->slot[i] = (struct slot){ vm + i, 1 + shape % 3 };
        table->length += table->slot[i].ticks;
    }
}

bool leaf_turns(struct leaf *out)
{
    struct slot_table *table = hyp.sched.table;

    for (uint32_t a = 0; a < 4 * 27; a++)
        for (uint32_t b = 0; b < 4 * 27; b++)
            for (uint64_t begin = 0; begin < 4; begin++) {
                fill(&table[0], a, 1);
                fill(&table[1], b, 10);
                if (table[1].nr == 0) /* slots_set() makes no such pair */
                    table[0].nr = 0;
                table[0].begins = begin;
                table[1].begins = begin + 3 * table[0].length;
                if (!check(out, a << 16 | b))
                    return false;
            }
    return true;
}
