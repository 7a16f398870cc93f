/* space.c - address spaces: Sv32 page tables.
 *
 *   va  31      22 21      12 11       0
 *      [ root slot ][ leaf slot ][ offset ]
 *
 * A table is an ordinary page. Since physical and virtual addresses of RAM
 * are the same here, tables are read through plain pointers; but written only
 * by priv_pte_set(), because a processor and a hypervisor remember what they
 * read there.
 *
 * Every leaf has A and D set in advance, so that the kernel also works on a
 * processor that traps to have them set. No page is writable and executable
 * at once. */
#include "kernel/space.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "lib/string.h"

#define USER_SLOTS (USER_TOP >> MEGAPAGE_SHIFT) /* of the root table */
#define LEAF_BITS  (PTE_V | PTE_A | PTE_D)
#define PTE_BITS   0x3ff /* of an entry: what is not its address */

struct space kernel_space;

static uint32_t *root_slot(const struct space *space, uint32_t va)
{
    return (uint32_t *)space->root + (va >> MEGAPAGE_SHIFT);
}

static uint32_t *leaf_slot(uint32_t table, uint32_t va)
{
    return (uint32_t *)table + (va >> PAGE_SHIFT) % PT_ENTRIES;
}

/* The slot of the leaf for `va`, in a table that is made if it is missing;
 * NULL if there is no memory for it. */
static uint32_t *slot_for(const struct space *space, uint32_t va)
{
    uint32_t *above = root_slot(space, va);

    if (!(*above & PTE_V)) {
        uint32_t table = page_alloc();

        if (table == 0)
            return NULL;
        if (!priv_table_make(table, 0)) {
            page_free(table);
            return NULL;
        }
        priv_pte_set(above, priv_pte_make(table, PTE_V));
        priv_pte_flush(); /* the next page of this table must see it */
    }
    return leaf_slot(priv_pte_address(*above), va);
}

/* The kernel's own half --------------------------------------------------- */

/* Map [start, end) at its address plus `offset`, whole pages or megapages. */
static void kernel_map(uint32_t start, uint32_t end, uint32_t offset,
                       uint32_t rights)
{
    uint32_t bits = LEAF_BITS | PTE_G | rights;
    uint32_t step, pa = start & ~(uint32_t)PAGE_MASK;

    for (; pa < end; pa += step) {
        uint32_t va = pa + offset;
        bool     big = priv_megapages() && pa % MEGAPAGE_SIZE == 0 &&
                       end - pa >= MEGAPAGE_SIZE;

        step = big ? MEGAPAGE_SIZE : PAGE_SIZE;
        uint32_t *slot = big ? root_slot(&kernel_space, va)
                             : slot_for(&kernel_space, va);
        if (slot == NULL)
            panic("no memory for the kernel's tables");
        priv_pte_set(slot, priv_pte_make(pa, bits));
    }
}

static void kernel_map_device(uint32_t pa, uint32_t size)
{
    if (pa != 0 && pa < USER_TOP)
        kernel_map(pa, pa + size, DEVICE_WINDOW, PTE_R | PTE_W);
}

void space_init(void)
{
    uint32_t text = (uint32_t)kernel_text, rodata = (uint32_t)kernel_rodata;
    uint32_t data = (uint32_t)kernel_data;

    kernel_space.root = page_alloc();
    if (kernel_space.root == 0 || !priv_table_make(kernel_space.root, 1))
        panic("no memory for the kernel's tables");
    kernel_map(text, rodata, 0, PTE_R | PTE_X);
    kernel_map(rodata, data, 0, PTE_R);
    kernel_map(data, boot_info.ram.end, 0, PTE_R | PTE_W);
    kernel_map_device(boot_info.power, PAGE_SIZE);
    kernel_map_device(boot_info.uart, PAGE_SIZE);
    kernel_map_device(boot_info.plic, MEGAPAGE_SIZE);
    priv_pte_flush();
}

/* User spaces ------------------------------------------------------------- */

bool space_create(struct space *space)
{
    const uint32_t *from = (const uint32_t *)kernel_space.root;
    uint32_t       *root = (uint32_t *)page_alloc();

    *space = (struct space){ .root = (uint32_t)root, .top = USER_BASE };
    if (root == NULL)
        return false;
    if (!priv_table_make(space->root, 1)) {
        page_free(space->root);
        return false;
    }
    for (uint32_t i = USER_SLOTS; i < PT_ENTRIES; i++)
        if (from[i] & PTE_V)
            priv_pte_set(&root[i], from[i]);
    priv_pte_flush();
    return true;
}

bool space_map(struct space *space, uint32_t from, uint32_t to, uint32_t rights)
{
    bool fine = true;

    if (to <= USER_STACK && to > space->top)
        space->top = to;
    for (uint32_t va = from; fine && va < to; va += PAGE_SIZE) {
        uint32_t *slot = slot_for(space, va);
        uint32_t  page = slot != NULL ? page_alloc() : 0;

        fine = page != 0;
        if (fine)
            priv_pte_set(slot, priv_pte_make(page, LEAF_BITS | PTE_U | rights));
    }
    priv_pte_flush();
    return fine;
}

/*
 * First all entries are cleared, then the pages are freed: before the flush
 * user mode could still reach them. The pages are remembered in between by a
 * chain through their first words, which saves an array as large as a space.
 */
static void unmap_slots(uint32_t *slots, uint32_t count)
{
    uint32_t chain = 0;

    for (uint32_t i = 0; i < count; i++)
        if (slots[i] & PTE_V) {
            uint32_t page = priv_pte_address(slots[i]);

            *(uint32_t *)page = chain;
            chain = page;
            priv_pte_set(&slots[i], 0);
        }
    priv_pte_flush();
    while (chain != 0) {
        uint32_t next = *(uint32_t *)chain;

        page_free(chain);
        chain = next;
    }
}

/* The leaf tables themselves, which hold no entries any more. */
static void free_tables(uint32_t *slots)
{
    static uint32_t tables[USER_SLOTS];
    uint32_t        n = 0;

    for (uint32_t i = 0; i < USER_SLOTS; i++)
        if (slots[i] & PTE_V) {
            tables[n++] = priv_pte_address(slots[i]);
            priv_pte_set(&slots[i], 0);
        }
    priv_pte_flush();
    while (n > 0) {
        priv_table_free(tables[--n]);
        page_free(tables[n]);
    }
}

void space_unmap(struct space *space, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t table_end = (from & ~(MEGAPAGE_SIZE - 1u)) + MEGAPAGE_SIZE;
        uint32_t until = to < table_end ? to : table_end;
        uint32_t above = *root_slot(space, from);

        if (above & PTE_V)
            unmap_slots(leaf_slot(priv_pte_address(above), from),
                        (until - from) / PAGE_SIZE);
        from = until;
    }
}

void space_destroy(struct space *space)
{
    space_unmap(space, USER_BASE, space->top);
    space_unmap(space, USER_STACK, USER_TOP);
    free_tables((uint32_t *)space->root);
    priv_table_free(space->root);
    page_free(space->root);
    *space = (struct space){ 0 };
}

static bool copy_range(struct space *to, const struct space *from, uint32_t va,
                       uint32_t end)
{
    for (; va < end; va += PAGE_SIZE) {
        uint32_t  above = *root_slot(from, va), leaf = 0;
        uint32_t *slot, page;

        if (above & PTE_V)
            leaf = *leaf_slot(priv_pte_address(above), va);
        if (!(leaf & PTE_V))
            continue;
        slot = slot_for(to, va);
        page = slot != NULL ? page_alloc_dirty() : 0;
        if (page == 0)
            return false;
        memcpy((void *)page, (void *)priv_pte_address(leaf), PAGE_SIZE);
        priv_pte_set(slot, priv_pte_make(page, leaf & PTE_BITS));
    }
    return true;
}

bool space_copy(struct space *to, const struct space *from)
{
    to->heap = from->heap;
    to->brk = from->brk;
    to->top = from->top;
    bool fine = copy_range(to, from, USER_BASE, from->top) &&
                copy_range(to, from, USER_STACK, USER_TOP);
    priv_pte_flush();
    return fine;
}

uint32_t space_find(const struct space *space, uint32_t va, uint32_t rights)
{
    uint32_t need = PTE_V | PTE_U | rights;

    if (va >= USER_TOP || !(*root_slot(space, va) & PTE_V))
        return 0;
    uint32_t leaf = *leaf_slot(priv_pte_address(*root_slot(space, va)), va);
    if ((leaf & need) != need)
        return 0;
    return priv_pte_address(leaf) | (va & PAGE_MASK);
}
