/* space.c - address spaces: Sv32 page tables.
 *
 *   va  31      22 21      12 11       0
 *      [ root slot ][ leaf slot ][ offset ]
 *
 * A table is an ordinary page. Since physical and virtual addresses of RAM
 * are the same here, tables are read through plain pointers; but written only
 * by priv_pte_set(), because a processor and a hypervisor remember what they
 * read there. What was set is certain to be there after space_commit() only:
 * so many entries cost one fence, or one hypercall.
 *
 * Another hart that runs a thread of the same space may remember an entry as
 * well: the commit makes it forget (a "TLB shootdown"). Which harts may have
 * loaded a space, it says itself. A hart sets its bit, then reads the tables; a
 * commit stores entries, then reads the bits: who comes second sees the other.
 *
 * Every leaf has A and D set in advance, so that the kernel also works on a
 * processor that traps to have them set. No page is writable and executable
 * at once. */
#include "kernel/space.h"
#include "kernel/cpu.h"
#include "kernel/hart.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "lib/string.h"

#define USER_SLOTS (USER_TOP >> MEGAPAGE_SHIFT) /* of the root table */
#define LEAF_BITS  (PTE_V | PTE_A | PTE_D)
#define PTE_BITS   0x3ff /* of an entry: what is not its address */

#define NR_SPACES (NR_PROCS + MAX_HARTS) /* one more each during an exec */

struct space kernel_space;

static struct space spaces[NR_SPACES];
static struct lock  spaces_lock = { .rank = LOCK_SPACES }; /* for `users` */

static uint32_t *root_slot(const struct space *space, uint32_t va)
{
    return (uint32_t *)space->root + (va >> MEGAPAGE_SHIFT);
}

static uint32_t *leaf_slot(uint32_t table, uint32_t va)
{
    return (uint32_t *)table + (va >> PAGE_SHIFT) % PT_ENTRIES;
}

/* The table that maps the megapage of `va`, made if it is missing; 0 if there
 * is no memory for it. */
static uint32_t table_for(const struct space *space, uint32_t va)
{
    uint32_t *above = root_slot(space, va);
    uint32_t  table;

    if (*above & PTE_V)
        return priv_pte_address(*above);
    table = page_alloc();
    if (table != 0 && !priv_table_make(table, 0)) {
        page_free(table);
        table = 0;
    }
    if (table != 0)
        priv_pte_set(above, priv_pte_make(table, PTE_V));
    return table;
}

/*
 * The slot of the leaf for `va`; NULL if there is no memory for its table. An
 * entry that was set need not be there yet, so the table of the page before is
 * remembered instead of read again: mapping a range ascends.
 */
static uint32_t *slot_for(struct space *space, uint32_t va)
{
    uint32_t megapage = va & ~(MEGAPAGE_SIZE - 1u);

    if (space->table == 0 || space->table_va != megapage) {
        space->table = table_for(space, va);
        space->table_va = megapage;
    }
    return space->table != 0 ? leaf_slot(space->table, va) : NULL;
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

static struct space *reserve(void)
{
    struct space *space = spaces;

    lock_take(&spaces_lock);
    while (space < spaces + NR_SPACES && space->users != 0)
        space++;
    if (space == spaces + NR_SPACES)
        panic("more spaces than processes");
    space->users = 1;
    lock_drop(&spaces_lock);
    return space;
}

static void give_up(struct space *space)
{
    __atomic_store_n(&space->users, 0, __ATOMIC_RELEASE);
}

static bool make_root(struct space *space)
{
    const uint32_t *from = (const uint32_t *)kernel_space.root;
    uint32_t       *root = (uint32_t *)page_alloc();

    if (root == NULL)
        return false;
    if (!priv_table_make((uint32_t)root, 1)) {
        page_free((uint32_t)root);
        return false;
    }
    for (uint32_t i = USER_SLOTS; i < PT_ENTRIES; i++)
        if (from[i] & PTE_V)
            priv_pte_set(&root[i], from[i]);
    space->root = (uint32_t)root;
    return true;
}

struct space *space_create(void)
{
    struct space *space = reserve();

    *space = (struct space){ .lock.rank = LOCK_SPACE,
                             .users = 1,
                             .top = USER_BASE };
    if (make_root(space))
        return space;
    give_up(space);
    return NULL;
}

struct space *space_share(struct space *space)
{
    lock_take(&spaces_lock);
    space->users++;
    lock_drop(&spaces_lock);
    return space;
}

void space_enter(struct space *space, uint32_t stack)
{
    struct cpu   *cpu = cpu_self();
    struct space *before = cpu->space;
    uint32_t      self = 1u << cpu->id;

    if (before != space)
        __atomic_fetch_or(&space->harts, self, __ATOMIC_SEQ_CST);
    priv_switch(space->root, stack);
    if (before != space && before != NULL)
        __atomic_fetch_and(&before->harts, ~self, __ATOMIC_SEQ_CST);
    cpu->space = space;
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
    return fine;
}

void space_commit(const struct space *space)
{
    uint32_t self = 1u << cpu_self()->id;

    priv_pte_flush();
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    hart_fence(__atomic_load_n(&space->harts, __ATOMIC_RELAXED) & ~self);
}

/*
 * Pages that are unmapped are freed only after the commit: before it, a thread
 * on another hart still reaches them. In between they are noted here, and not
 * in the pages themselves, where that thread could read and change it.
 */
#define BATCH_SIZE 64
#define IS_TABLE   1u /* beside the address */

struct batch {
    const struct space *space;
    uint32_t            count;
    uint32_t            page[BATCH_SIZE];
};

static void batch_begin(struct batch *batch, const struct space *space)
{
    batch->space = space;
    batch->count = 0;
}

static void batch_free(struct batch *batch)
{
    space_commit(batch->space);
    while (batch->count > 0) {
        uint32_t page = batch->page[--batch->count];

        if (page & IS_TABLE)
            priv_table_free(page & ~IS_TABLE);
        page_free(page & ~IS_TABLE);
    }
}

/* Clear the slot of a page, or of a table that is empty. */
static void batch_clear(struct batch *batch, uint32_t *slot, uint32_t kind)
{
    if (batch->count == BATCH_SIZE)
        batch_free(batch);
    batch->page[batch->count++] = priv_pte_address(*slot) | kind;
    priv_pte_set(slot, 0);
}

static void clear_slots(struct batch *batch, uint32_t *slots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (slots[i] & PTE_V)
            batch_clear(batch, &slots[i], 0);
}

static void clear_range(struct batch *batch, uint32_t from, uint32_t to)
{
    while (from < to) {
        uint32_t table_end = (from & ~(MEGAPAGE_SIZE - 1u)) + MEGAPAGE_SIZE;
        uint32_t until = to < table_end ? to : table_end;
        uint32_t above = *root_slot(batch->space, from);

        if (above & PTE_V)
            clear_slots(batch, leaf_slot(priv_pte_address(above), from),
                        (until - from) / PAGE_SIZE);
        from = until;
    }
}

void space_unmap(struct space *space, uint32_t from, uint32_t to)
{
    struct batch batch;

    lock_must_be_mine(&space->lock);
    batch_begin(&batch, space);
    space_commit(space); /* what was just mapped is seen below */
    clear_range(&batch, from, to);
    batch_free(&batch);
}

static void destroy(struct space *space)
{
    struct batch batch;
    uint32_t    *root = (uint32_t *)space->root;

    batch_begin(&batch, space);
    if (space->harts != 0)
        panic("a space in use on harts %x is given back", space->harts);
    space_commit(space);
    clear_range(&batch, USER_BASE, space->top);
    clear_range(&batch, USER_STACK, USER_TOP);
    for (uint32_t i = 0; i < USER_SLOTS; i++)
        if (root[i] & PTE_V)
            batch_clear(&batch, &root[i], IS_TABLE);
    batch_free(&batch);
    priv_table_free(space->root);
    page_free(space->root);
    give_up(space);
}

/* The last one is alone: only who is in a space can share it. */
void space_leave(struct space *space)
{
    bool last;

    lock_take(&spaces_lock);
    last = space->users == 1;
    if (!last)
        space->users--;
    lock_drop(&spaces_lock);
    if (last)
        destroy(space);
}

static uint32_t *mapped_slot(const struct space *space, uint32_t va)
{
    return leaf_slot(priv_pte_address(*root_slot(space, va)), va);
}

void space_flip(struct space *space, uint32_t a, uint32_t b, uint32_t pages)
{
    lock_must_be_mine(&space->lock);
    for (uint32_t end = a + pages * PAGE_SIZE; a < end;
         a += PAGE_SIZE, b += PAGE_SIZE) {
        uint32_t *slot_a = mapped_slot(space, a);
        uint32_t *slot_b = mapped_slot(space, b);
        uint32_t  pte_a = *slot_a;

        priv_pte_set(slot_a, *slot_b);
        priv_pte_set(slot_b, pte_a);
    }
}

static bool copy_range(struct space *to, const struct space *from, uint32_t va,
                       uint32_t end)
{
    for (; va < end; va += PAGE_SIZE) {
        uint32_t  leaf = 0, page;
        uint32_t *slot;

        if (*root_slot(from, va) & PTE_V)
            leaf = *mapped_slot(from, va);
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
    return copy_range(to, from, USER_BASE, from->top) &&
           copy_range(to, from, USER_STACK, USER_TOP);
}

uint32_t space_find(const struct space *space, uint32_t va, uint32_t rights)
{
    uint32_t need = PTE_V | PTE_U | rights;

    if (va >= USER_TOP || !(*root_slot(space, va) & PTE_V))
        return 0;
    uint32_t leaf = *mapped_slot(space, va);
    if ((leaf & need) != need)
        return 0;
    return priv_pte_address(leaf) | (va & PAGE_MASK);
}
