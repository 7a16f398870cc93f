/* churn.c - changes what is mapped, again and again.
 *
 * The cost it shows is that of changing page tables in use: some stores and a
 * fence on the bare machine and with a second stage; with lazy shadows a fence
 * that drops what had been derived, and faults to derive it again; with
 * protected tables an exit for each store; with a kernel that tells, one
 * hypercall for many entries.
 *
 * Mostly it flips two halves of its heap, since memory that is taken and given
 * back is cleared as well, which would hide the cost of the tables. A stale
 * translation anywhere shows in the checksum. */
#include "user/lib/user.h"

#define PAGE        4096
#define HALF        32 /* pages */
#define ROUNDS      120
#define GROW_PAGES  16
#define GROW_ROUNDS 8 /* how seldom the heap itself grows and shrinks */

static volatile uint32_t *word_of(char *heap, uint32_t page)
{
    return (volatile uint32_t *)(heap + page * PAGE);
}

/* Touch each page and no more of it. */
static uint32_t touch(char *heap, uint32_t round)
{
    uint32_t sum = 0;

    for (uint32_t page = 0; page < 2 * HALF; page++) {
        sum = mix(sum, *word_of(heap, page));
        *word_of(heap, page) += round;
    }
    return sum;
}

static void grow_and_shrink(char *end)
{
    if (sbrk(GROW_PAGES * PAGE) != end)
        fail("no memory for %d pages", GROW_PAGES);
    for (uint32_t page = 0; page < GROW_PAGES; page++) {
        if (*word_of(end, page) != 0)
            fail("new page %u is not clean", page);
        *word_of(end, page) = 1;
    }
    if (sbrk(-GROW_PAGES * PAGE) == SBRK_FAILED || sbrk(0) != end)
        fail("cannot give memory back");
}

int main(const char *args)
{
    uint32_t rounds = ROUNDS * words_number(args, "scale", 1), sum = 0;
    char    *heap = sbrk(2 * HALF * PAGE), *middle = heap + HALF * PAGE;

    if (heap == SBRK_FAILED)
        fail("no memory for %d pages", 2 * HALF);
    for (uint32_t page = 0; page < 2 * HALF; page++)
        *word_of(heap, page) = page;
    for (uint32_t round = 0; round < rounds; round++) {
        if (flip(heap, middle, HALF) < 0)
            fail("cannot flip in round %u", round);
        if (*word_of(heap, 0) % 2 != 0)
            fail("page 0 is not the one it should be");
        sum = mix(sum, touch(heap, 2 * round));
        if (round % GROW_ROUNDS == 0)
            grow_and_shrink(middle + HALF * PAGE);
    }
    say("%u pages mapped elsewhere", rounds * 2 * HALF);
    say_checksum(sum);
    return 0;
}
