/* hog.c - takes much memory, uses every page of it, gives it back. */
#include "user/lib/user.h"

#define PAGE       4096
#define STEP_PAGES 32
#define STEPS      4

/* One word in each page, at a place that depends on the page. */
static volatile uint32_t *word_of(char *heap, uint32_t page)
{
    return (volatile uint32_t *)(heap + page * PAGE + page % 1024 * 4);
}

static uint32_t pattern(uint32_t page)
{
    return page * 0x01000193u ^ 0x811c9dc5u;
}

int main(const char *args)
{
    uint32_t steps = STEPS * words_number(args, "scale", 1), pages = 0;
    uint32_t sum = 0;
    char    *heap = sbrk(0);

    for (uint32_t step = 0; step < steps; step++) {
        if (sbrk(STEP_PAGES * PAGE) == SBRK_FAILED)
            fail("no memory after %u pages", pages);
        for (; pages < (step + 1) * STEP_PAGES; pages++) {
            if (*word_of(heap, pages) != 0)
                fail("new page %u is not clean", pages);
            *word_of(heap, pages) = pattern(pages);
        }
    }
    for (uint32_t page = 0; page < pages; page++) {
        if (*word_of(heap, page) != pattern(page))
            fail("page %u has changed", page);
        sum = mix(sum, *word_of(heap, page));
    }
    if (sbrk(-(int)(pages * PAGE)) == SBRK_FAILED || sbrk(0) != heap)
        fail("cannot give memory back");
    if (sbrk(PAGE) != heap || *word_of(heap, 0) != 0)
        fail("a page came back with its old contents");
    say("%u pages taken, used and given back", pages);
    say_checksum(sum);
    return 0;
}
