/* rounds.c - rounds of harts: each that is drawn is one that may be asked for,
 * one that may not be asked for is refused, and the clock does not wrap. */
#include "api/interleave.c"
#include "leaf_check.h"

static bool fair(const struct hv_round *round, uint32_t harts, uint64_t quantum)
{
    uint32_t times[8] = { 0 };

    for (uint32_t i = 0; i < harts; i++)
        if (round->order[i] >= 8 || ++times[round->order[i]] > 1)
            return false;
    for (uint32_t i = 0; i < harts; i++)
        if (!times[i])
            return false;
    return round->length >= 1 && round->length <= quantum;
}

static bool check_draws(struct leaf *out)
{
    static const uint32_t quanta[] = { 1, 2, 1000, 0x80000000, 0xffffffff };

    for (uint32_t harts = 1; harts <= 8; harts++)
        for (uint32_t q = 0; q < COUNT_OF(quanta); q++)
            for (uint64_t seed = 0; seed < 3000; seed++) {
                struct interleave il;

                interleave_init(&il, NULL, harts, quanta[q]);
                il.seed = seed;
                il.number = seed << 20;
                interleave_begin(&il, seed * 977);
                SAME("drawn", true, fair(&il.round, harts, quanta[q]), harts,
                     quanta[q], seed, il.round.length);
                SAME("its end", seed * 977 + il.round.length, il.end, harts,
                     quanta[q], seed, 0);
                if (!seed)
                    SAME("cut at multiples", 0, il.end % quanta[q], harts,
                         quanta[q], seed, 0);
            }
    return true;
}

/* All orders of three numbers below six, right and wrong. */
static bool check_asked(struct leaf *out)
{
    for (uint32_t harts = 1; harts <= 3; harts++)
        for (uint32_t n = 0; n < 6 * 6 * 6 * 2; n++) {
            struct hv_round round = {
                .length = n % 2,
                .order = { (uint8_t)(n / 2 % 6), (uint8_t)(n / 12 % 6),
                           (uint8_t)(n / 72) },
            };

            SAME("round_ok", fair(&round, harts, 1), round_ok(&round, harts),
                 harts, n, 0, 0);
        }
    struct hv_round wide = { .length = 1, .order = { 0, 255 } };
    SAME("round_ok", false, round_ok(&wide, 2), 2, 0, 0, 0);
    return true;
}

bool leaf_rounds(struct leaf *out)
{
    struct interleave il;

    interleave_init(&il, NULL, 2, 1000);
    for (uint64_t back = 1; back < 3000; back++) {
        interleave_begin(&il, 0 - back);
        SAME("there is no time after the last", true,
             il.end > 0 - back || il.end == CYCLE_NEVER, back, il.end, 0, 0);
    }
    return check_draws(out) && check_asked(out);
}
