/* direct.c - see direct.h. */
#include "hostile/lib/direct.h"

__attribute__((aligned(PAGE_SIZE))) uint32_t kernel_root[PT_ENTRIES];
__attribute__((aligned(PAGE_SIZE))) uint32_t user_root[PT_ENTRIES];
__attribute__((aligned(PAGE_SIZE))) uint32_t kernel_leaf[PT_ENTRIES];
__attribute__((aligned(PAGE_SIZE))) uint32_t user_leaf[PT_ENTRIES];

void good(int32_t error, const char *what)
{
    if (error != SBI_SUCCESS)
        breach(what);
}

uint32_t own(const volatile void *where, uint32_t flags)
{
    uint32_t frame = 0;

    good(sbi_call(SBI_EXT_HV, HCALL_memory_map, address(where) >> PAGE_SHIFT, 1,
                  address(&frame), 0)
             .error,
         "memory_map");
    return *(volatile uint32_t *)&frame << PTE_PPN_SHIFT | flags;
}

uint32_t *leaf_entry(const volatile void *where)
{
    return &kernel_leaf[(address(where) >> PAGE_SHIFT) % PT_ENTRIES];
}

int32_t update(const uint32_t *slot, uint32_t value)
{
    uint32_t list[2] = { address(slot), value };

    return hv_call(HCALL_pt_update, address(list), 1).error;
}

int32_t pin(const uint32_t *table_, uint32_t level)
{
    return hv_call(HCALL_pt_pin, address(table_), level).error;
}

int32_t unpin(const uint32_t *table_)
{
    return hv_call(HCALL_pt_unpin, address(table_), 0).error;
}

int32_t load_roots(const uint32_t *kernel, const uint32_t *user)
{
    return hv_call(HCALL_set_roots, address(kernel), address(user)).error;
}

static bool is_table(uint32_t va)
{
    return va == address(kernel_root) || va == address(user_root) ||
           va == address(kernel_leaf) || va == address(user_leaf);
}

void direct_on(void)
{
    for (uint32_t va = KERNEL_BASE; va < address(image_end); va += PAGE_SIZE)
        *leaf_entry(word_at(va)) = own(
            word_at(va), is_table(va) ? PTE_R | UL : PTE_RWX | UL);
    kernel_root[KERNEL_BASE >> MEGAPAGE_SHIFT] = own(kernel_leaf, PTE_V);
    user_leaf[(USER_WINDOW >> PAGE_SHIFT) % PT_ENTRIES] = own(
        user_page, PTE_R | PTE_X | UL);
    user_root[USER_WINDOW >> MEGAPAGE_SHIFT] = own(user_leaf, PTE_V);
    user_base = USER_WINDOW;
    good(pin(kernel_leaf, 0), "a leaf table");
    good(pin(user_leaf, 0), "the user's leaf table");
    good(pin(kernel_root, 1), "a root");
    good(pin(user_root, 1), "the user's root");
    good(load_roots(kernel_root, user_root), "set_roots");
}
