/* hostile-direct-foreign.c - maps frames that it does not have.
 *
 * styles: direct
 * expect: refused
 *
 * Where tables hold machine frames a guest can name any: those of its
 * neighbours, of the hypervisor, of nobody, and numbers of more than 20 bits
 * whose low part is its own (class of XSA-248: who owns it was not asked in
 * time; XSA-148). What must happen: each is refused, in a table in use as well
 * as in one that is to be pinned, and the entry stays what it was. */
#include "hostile/lib/direct.h"

#define FIRST     (RAM_BASE >> PAGE_SHIFT)
#define NR_FRAMES 0x2000 /* that a small machine may have */

static uint32_t mine[NR_FRAMES / 32]; /* a bit for each: is it ours? */
static uint32_t entry, before;        /* what is tried; what is there */

static bool is_mine(uint32_t frame)
{
    uint32_t i = frame - FIRST;

    return i < NR_FRAMES && (mine[i / 32] >> i % 32 & 1);
}

static void learn(void)
{
    uint32_t count = (ram_end - RAM_BASE) >> PAGE_SHIFT;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t frame = own(word_at((FIRST + i) << PAGE_SHIFT), 0) >>
                         PTE_PPN_SHIFT;

        if (frame - FIRST < NR_FRAMES)
            mine[(frame - FIRST) / 32] |= 1u << (frame - FIRST) % 32;
    }
    for (uint32_t i = 0; i < 8; i++)
        check(sbi_call(SBI_EXT_HV, HCALL_memory_map, FIRST + count - i, i + 1,
                       address(page[0]), 0)
                      .error == OUTSIDE,
              "frames beyond our memory");
}

static void map_frame(uint32_t frame)
{
    entry = frame << PTE_PPN_SHIFT | PTE_R | UL;
    check(update(leaf_entry(page[1]), entry) == PARAM, "a frame not ours");
    check(*leaf_entry(page[1]) == before, "the entry is what it was");
}

void attack(void)
{
    uint32_t here;

    learn();
    direct_on();
    before = *leaf_entry(page[1]);
    here = own(page[2], 0) >> PTE_PPN_SHIFT;
    /* Every 3rd frame of a small machine, and what is beyond. */
    for (uint32_t frame = FIRST; frame < FIRST + NR_FRAMES; frame += 3)
        if (!is_mine(frame))
            map_frame(frame);
    map_frame(here | 1u << 20);
    map_frame(here | 1u << 21);
    map_frame(here & 0xfff);
    map_frame(0);
    map_frame(0x3fffff);
    /* The same in a table that is to be. */
    page[3][7] = 0xfffffu << PTE_PPN_SHIFT | PTE_R | UL;
    good(update(leaf_entry(page[3]), own(page[3], PTE_R | UL)), "read-only");
    check(pin(page[3], 0) == PARAM, "a table with a frame not ours");
    good(update(leaf_entry(page[3]), own(page[3], PTE_RWX | UL)), "writable");
    check(can_store(address(&page[3][7]), 4, 0), "it is no table");
}
