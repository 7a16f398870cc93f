/* interleave.h - in which order harts run, and for how long at a time.
 *
 * Harts take turns. Time is cut into rounds: in a round every hart has one
 * turn, in the round's order, and runs in it until its clock reaches the end of
 * the round. Who runs before whom, and where the cuts are, decides every race
 * between them; on a real computer that is chance, here it is an input of the
 * machine, like what is typed at its console:
 *
 *   by default   harts in the order of their numbers, cuts at the multiples of
 *                the quantum
 *   by a seed    order and length drawn from (seed, number of the round)
 *   by a list    of rounds, one by one, and then one of the above
 *
 * and it can be recorded as such a list. Nothing in this file knows what a hart
 * is; run.c gives them their turns. */
#ifndef HV_API_INTERLEAVE_H
#define HV_API_INTERLEAVE_H

#include "abi/memmap.h"
#include "include/hv.h"
#include <stdbool.h>
#include <stdint.h>

_Static_assert(sizeof(((struct hv_round *)0)->order) == MAX_HARTS,
               "a round names every hart");

struct arena;

struct rounds {
    struct hv_round *list;
    uint32_t         len, cap;
};

struct interleave {
    struct arena *arena; /* where its lists are */
    uint32_t      harts, quantum;

    /* Where rounds come from: the list from `next` on, then the seed, if it is
     * not 0. */
    struct rounds asked;
    uint32_t      next;
    uint64_t      seed;

    /* The round under way; once `turn` is the number of harts, it is over. */
    struct hv_round round;
    uint64_t        number; /* of this round, from 1 */
    uint64_t        end;    /* cycle */
    uint32_t        turn;   /* whose: an index of round.order */

    bool          recording, lost; /* lost: there was no memory for a round */
    struct rounds made;
};

void interleave_init(struct interleave *il, struct arena *arena, uint32_t harts,
                     uint32_t quantum);

/* Does it name every hart once? */
bool round_ok(const struct hv_round *round, uint32_t harts);
/* One more round of the list. False: it is none, or there is no memory. */
bool interleave_ask(struct interleave *il, const struct hv_round *round);

/* The next round begins at this cycle, which is not before the last one's
 * end. */
void interleave_begin(struct interleave *il, uint64_t cycle);

/* Mix what the rest of the round depends on into a running hash. Where later
 * rounds come from is input, and not in it. */
uint64_t interleave_hash(const struct interleave *il, uint64_t hash);

#endif
