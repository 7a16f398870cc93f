/* race-shootdown.c - takes a page away, and forgets that others remember it.
 *
 * styles: bare, emulate, assist, nested
 *
 * The first hart unmaps a page, forgets it itself, and gives the frame to
 * somebody else. The second still has the translation in its TLB, and reads
 * what is not meant for it. The cure is a remote fence before the frame is used
 * again: a shootdown. */
#include "race/lib/race.h"

#define WINDOW 0x40000000u
#define OURS   0x11111111u
#define SECRET 0x22222222u

static uint32_t root[1024] __attribute__((aligned(PAGE_SIZE)));
static uint32_t leaf[1024] __attribute__((aligned(PAGE_SIZE)));
static shared_t frame[1024] __attribute__((aligned(PAGE_SIZE)));

static uint32_t entry(const volatile void *at, uint32_t rights)
{
    return (uint32_t)at >> PAGE_SHIFT << PTE_PPN_SHIFT | PTE_V | rights;
}

static void translate(void)
{
    uint32_t satp = SATP_MODE | (uint32_t)root >> PAGE_SHIFT;

    __asm__ volatile("csrw satp, %0\n"
                     "sfence.vma"
                     :
                     : "r"(satp)
                     : "memory");
}

void prepare(void)
{
    const uint32_t all = PTE_R | PTE_W | PTE_X | PTE_A | PTE_D;
    uint32_t       here = (uint32_t)prepare & ~0x3fffffu;

    frame[0] = OURS;
    leaf[0] = entry(frame, PTE_R | PTE_A);
    root[WINDOW >> 22] = entry(leaf, 0);
    root[here >> 22] = entry((const void *)here, all);
    translate();
}

static void look(void)
{
    faulted = 0;
    uint32_t seen = *(shared_t *)WINDOW;
    must(faulted || seen == OURS);
}

void second(void)
{
    translate();
    look();
    look();
}

void first(void)
{
    *(shared_t *)leaf = 0;
    __asm__ volatile("sfence.vma" ::: "memory");
#ifdef FIXED
    fence_remote(1);
#endif
    frame[0] = SECRET;
}
