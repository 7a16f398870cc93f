/* hostile-residue.c - looks for what others left in its memory.
 *
 * styles: emulate, assist, nested, pv, direct
 * expect: refused
 *
 * Frames go from VM to VM. One that is not scrubbed between two owners tells
 * the second what the first was doing (XSA-100, XSA-245, XSA-372). What must
 * happen: all memory but the image and the device tree reads as zero. It is
 * read once before it is written, and pages that were only read are read
 * again. */
#include "hostile/lib/hostile.h"

#define STRIDE 256 /* bytes: whoever fills memory fills this, too */

static void all_zero(uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at += STRIDE)
        check(*word_at(at) == 0, "residue of another VM");
}

void attack(void)
{
    uint32_t tree = ram_end - 16 * PAGE_SIZE; /* the device tree is above */

    all_zero(RAM_BASE, KERNEL_BASE);
    all_zero(address(image_end), tree);
    /* A store populates a page: the rest of it must be clean, too. */
    for (uint32_t at = address(image_end); at < tree; at += PAGE_SIZE)
        *word_at(at + 8) = 0x5a5a5a5a;
    all_zero(address(image_end), tree);
}
