/* thrash.c - touches one word in each of many more pages than the TLB holds.
 *
 * The cost it shows is that of a TLB miss. Nearly every touch misses, and each
 * miss walks what the machine walks: two references for the guest's own tables
 * or for a shadow of them, more when each reference of the guest's walk must
 * itself go through a second stage. Once a shadow is filled it costs no exit;
 * so here the oldest way may be the fastest. */
#include "user/lib/user.h"

#define PAGE   4096
#define PAGES  512 /* the TLB has 128 entries for loads */
#define STEP   261 /* odd: it reaches all pages, in no order of theirs */
#define ROUNDS 200

static volatile uint32_t *word_of(char *heap, uint32_t page)
{
    return (volatile uint32_t *)(heap + page * PAGE + page % 64 * 4);
}

int main(const char *args)
{
    uint32_t rounds = ROUNDS * words_number(args, "scale", 1), sum = 0;
    uint32_t page = 0;
    char    *heap = sbrk(PAGES * PAGE);

    if (heap == SBRK_FAILED)
        fail("no memory for %u pages", PAGES);
    for (uint32_t i = 0; i < PAGES; i++)
        *word_of(heap, i) = i * 0x01000193u;
    for (uint32_t i = 0; i < rounds * PAGES; i++) {
        sum = sum * 31 + *word_of(heap, page);
        page = (page + STEP) % PAGES;
    }
    say("%u touches of %u pages", rounds * PAGES, PAGES);
    say_checksum(sum);
    return 0;
}
