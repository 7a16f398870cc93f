/* priv_direct.c - page tables that the machine itself walks (style `direct`).
 *
 * The third way to have page tables, beside priv_native.c and the rest of
 * priv_pv.c: entries hold machine frames, not our physical addresses, and a
 * table is read-only from the moment the hypervisor has validated it. So we
 *
 *   keep two maps, physical to machine (p2m) and back (m2p);
 *   make a table's page read-only in our own mapping, then pin it;
 *   unpin it, and make it writable, before it is a page again;
 *   have two roots for each space, since every page has U: user mode's has the
 *   user half only.
 *
 * The second root is remembered in the first, in its last slot: an entry
 * without V is ours to use. */
#include "abi/pte.h"
#include "abi/pv.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/page.h"
#include "kernel/pv.h"
#include "kernel/space.h"

#define FRAME_MASK 0xfffff
#define IS_TABLE   (1u << 30) /* beside the frame number in p2m */
#define IS_ROOT    (1u << 31)
#define FIRST      (RAM_BASE >> PAGE_SHIFT) /* of both maps */
#define PER_PAGE   (PAGE_SIZE / 4)
#define PARTS      512 /* RAM ends at 2^32 */

bool pv_direct;

static uint32_t *p2m[PARTS], *m2p[PARTS]; /* in parts of a page each */

static uint32_t *p2m_of(uint32_t pa)
{
    uint32_t index = (pa >> PAGE_SHIFT) - FIRST;

    return &p2m[index / PER_PAGE][index % PER_PAGE];
}

static void m2p_set(uint32_t frame, uint32_t page)
{
    uint32_t  index = frame - FIRST;
    uint32_t *part = m2p[index / PER_PAGE];

    if (part == NULL)
        m2p[index / PER_PAGE] = part = (uint32_t *)page_alloc();
    if (part == NULL)
        panic("no memory for the machine's map");
    part[index % PER_PAGE] = page;
}

static void map_part(uint32_t from, uint32_t count)
{
    uint32_t *part = (uint32_t *)page_alloc();

    if (part == NULL)
        panic("no memory for the map of memory");
    pv_must("memory_map",
            hcall_memory_map(from >> PAGE_SHIFT, count, (uint32_t)part));
    p2m[((from >> PAGE_SHIFT) - FIRST) / PER_PAGE] = part;
    for (uint32_t i = 0; i < count; i++)
        m2p_set(part[i], from + i * PAGE_SIZE);
}

void direct_memory_init(void)
{
    uint32_t pages = (boot_info.ram.end - RAM_BASE) / PAGE_SIZE;

    for (uint32_t done = 0; done < pages; done += PER_PAGE)
        map_part(RAM_BASE + done * PAGE_SIZE,
                 pages - done < PER_PAGE ? pages - done : PER_PAGE);
}

/* Entries ------------------------------------------------------------------ */

uint32_t direct_pte_make(uint32_t pa, uint32_t bits)
{
    if (bits & PTE_RWX) /* a page, not a table: everything runs in user mode */
        bits = (bits | PTE_U) & ~(uint32_t)PTE_G;
    return (*p2m_of(pa) & FRAME_MASK) << PTE_PPN_SHIFT | bits;
}

uint32_t direct_pte_address(uint32_t pte)
{
    uint32_t index = (pte >> PTE_PPN_SHIFT) - FIRST;

    return m2p[index / PER_PAGE][index % PER_PAGE];
}

static uint32_t user_root(uint32_t root)
{
    return ((uint32_t *)root)[PT_ENTRIES - 1];
}

/* No mapping of a table is writable, and both roots have the user half. */
void direct_pte_set(uint32_t *slot, uint32_t pte)
{
    uint32_t at = (uint32_t)slot, index = (at & PAGE_MASK) / 4;

    if ((pte & PTE_W) && (*p2m_of(direct_pte_address(pte)) & IS_TABLE))
        pte &= ~(uint32_t)PTE_W;
    pv_update(at, pte);
    if ((*p2m_of(at) & IS_ROOT) && index < USER_TOP >> MEGAPAGE_SHIFT)
        pv_update(user_root(at & ~(uint32_t)PAGE_MASK) + 4 * index, pte);
}

/* Tables ------------------------------------------------------------------- */

/* The entry by which we map a page ourselves, with or without W. All spaces
 * share it. False: there is none yet. */
static bool own_entry(uint32_t page, bool writable, struct pt_update *update)
{
    uint32_t link = ((uint32_t *)kernel_space.root)[page >> MEGAPAGE_SHIFT];

    if (!(link & PTE_V))
        return false;
    update->slot = direct_pte_address(link) +
                   (page >> PAGE_SHIFT) % PT_ENTRIES * 4;
    update->pte = *(uint32_t *)update->slot & ~(uint32_t)PTE_W;
    if (writable)
        update->pte |= PTE_W;
    return update->pte & PTE_V;
}

static struct multicall entries_call(const uint32_t *pages, uint32_t count,
                                     bool writable, struct pt_update *list)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < count; i++)
        n += own_entry(pages[i], writable, &list[n]);
    if (n == 0) /* untranslated: nothing to say */
        return (struct multicall){ HCALL_features, 0, { 0 } };
    return (struct multicall){ HCALL_pt_update, 0, { (uint32_t)list, n } };
}

/* One page, or a pair of roots. What is still to be stored goes first: it may
 * be our mapping of them, or what points to them. */
static void pin(const uint32_t *pages, uint32_t count, uint32_t level)
{
    struct multicall calls[3];
    struct pt_update list[2];

    pv_update_flush();
    calls[0] = entries_call(pages, count, false, list);
    for (uint32_t i = 0; i < count; i++) {
        *p2m_of(pages[i]) |= level == 1 ? IS_TABLE | IS_ROOT : IS_TABLE;
        calls[1 + i] = (struct multicall){ HCALL_pt_pin,
                                           0,
                                           { pages[i], level } };
    }
    pv_multicall("pin", calls, 1 + count);
}

static void unpin(const uint32_t *pages, uint32_t count)
{
    struct multicall calls[3];
    struct pt_update list[2];

    pv_update_flush();
    for (uint32_t i = 0; i < count; i++) {
        *p2m_of(pages[i]) &= FRAME_MASK;
        calls[i] = (struct multicall){ HCALL_pt_unpin, 0, { pages[i] } };
    }
    calls[count] = entries_call(pages, count, true, list);
    pv_multicall("unpin", calls, count + 1);
}

bool direct_table_make(uint32_t page, uint32_t level)
{
    uint32_t pages[2] = { page };

    if (level == 1) {
        pages[1] = page_alloc();
        if (pages[1] == 0)
            return false;
        ((uint32_t *)page)[PT_ENTRIES - 1] = pages[1];
    }
    pin(pages, 1 + level, level);
    return true;
}

void direct_table_free(uint32_t page)
{
    bool     root = *p2m_of(page) & IS_ROOT;
    uint32_t pages[2] = { page, root ? user_root(page) : 0 };

    unpin(pages, root ? 2 : 1);
    if (root)
        page_free(pages[1]);
}

void direct_roots(uint32_t root, uint32_t *kernel, uint32_t *user)
{
    *kernel = root;
    *user = user_root(root);
}
