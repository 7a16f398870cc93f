/* hostile-hog.c - touches every page of its memory, twice.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Memory is populated on first touch, under a promise made when the VM was
 * created. A hypervisor that promised too much has nothing left for a
 * neighbour (XSA-385, XSA-149); one that hands out a frame twice shows a word
 * that is not what was written here. What must happen: all of it is there, all
 * of it is this VM's alone, and not a page more (see hostile-beyond). */
#include "hostile/lib/hostile.h"

static uint32_t pattern(uint32_t at)
{
    return at ^ 0xa5a5a5a5;
}

void attack(void)
{
    uint32_t first = address(image_end), end = ram_end;

    for (uint32_t at = first; at < end; at += PAGE_SIZE)
        for (uint32_t word = 0; word < PAGE_SIZE; word += PAGE_SIZE / 8)
            *word_at(at + word) = pattern(at + word);
    for (uint32_t at = first; at < end; at += PAGE_SIZE)
        for (uint32_t word = 0; word < PAGE_SIZE; word += PAGE_SIZE / 8)
            check(*word_at(at + word) == pattern(at + word),
                  "a word of ours has changed");
}
