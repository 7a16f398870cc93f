/* hostile-direct-types.c - takes one kind of table for another.
 *
 * styles: direct
 * expect: refused
 *
 * A root below a root, a root or a leaf table below itself (XSA-240: linear
 * page tables, torn down by recursion without end), a leaf table as a root, a
 * megapage (XSA-148: what it covers was not looked at), pointers and leaves
 * with bits that they must not have, garbage. What must happen: each is
 * refused, whether it is in a table that is to be pinned or is to be put into
 * one that is, and nothing has changed. */
#include "hostile/lib/direct.h"

static void wrong_in_root(uint32_t entry, const char *what)
{
    check(update(&kernel_root[3], entry) == PARAM, what);
    check(kernel_root[3] == 0, "the entry is what it was");
}

static void wrong_in_leaf(uint32_t entry, const char *what)
{
    check(update(&user_leaf[3], entry) == PARAM, what);
    check(user_leaf[3] == 0, "the entry is what it was");
}

static void pointers(void)
{
    wrong_in_root(own(kernel_root, PTE_V), "a root below itself");
    wrong_in_root(own(user_root, PTE_V), "a root below a root");
    wrong_in_root(own(page[0], PTE_V), "a page that is no table");
    for (uint32_t bit = PTE_R; bit <= PTE_D; bit <<= 1)
        wrong_in_root(own(kernel_leaf, PTE_V | bit), "a pointer with flags");
    wrong_in_root(own(kernel_leaf, PTE_RWX | UL), "a megapage");
    wrong_in_root(0x80400u << PTE_PPN_SHIFT | PTE_RWX | UL,
                  "megapage, aligned");
}

static void leaves(void)
{
    wrong_in_leaf(own(kernel_leaf, PTE_V), "a pointer at level 0");
    wrong_in_leaf(own(page[0], PTE_V | PTE_U), "no rights");
    wrong_in_leaf(own(page[0], PTE_W | UL), "W without R");
    wrong_in_leaf(own(page[0], PTE_W | PTE_X | UL), "W and X without R");
    wrong_in_leaf(own(page[0], PTE_R | LEAF), "not for real user mode");
    wrong_in_leaf(own(page[0], PTE_R | PTE_G | UL), "in every address space");
}

static void roots(void)
{
    const uint32_t *const wrong[] = { kernel_leaf, user_leaf, page[0] };

    for (uint32_t i = 0; i < COUNT(wrong); i++) {
        check(load_roots(wrong[i], user_root) == OUTSIDE, "the kernel's root");
        check(load_roots(kernel_root, wrong[i]) == OUTSIDE, "the user's root");
    }
    check(load_roots(kernel_root, NULL) == OUTSIDE, "one root");
    check(load_roots(NULL, user_root) == OUTSIDE, "the other");
    check_hv(OUTSIDE, HCALL_set_roots, address(kernel_root) + 4,
             address(user_root), "not a page");
    check_hv(SBI_ERR_NOT_SUPPORTED, HCALL_set_root,
             SATP_MODE | address(kernel_root) >> PAGE_SHIFT, 0, "pv's call");
    check(fault.cause == 0, "and we still run");
}

static void garbage(void)
{
    for (uint32_t round = 0; round < 16; round++) {
        for (uint32_t i = 0; i < PT_ENTRIES; i++)
            page[1][i] = draw() | PTE_V;
        good(update(leaf_entry(page[1]), own(page[1], PTE_R | UL)), "r");
        check(pin(page[1], round % 2) == PARAM, "garbage");
        good(update(leaf_entry(page[1]), own(page[1], PTE_RWX | UL)), "rwx");
    }
    check_hv(PARAM, HCALL_pt_pin, address(page[2]), 2, "a level");
    check_hv(PARAM, HCALL_pt_pin, address(page[2]), ~0u, "a level");
    check_hv(PARAM, HCALL_pt_pin, address(page[2]) + 4, 0, "not a page");
    check_hv(OUTSIDE, HCALL_pt_pin, ram_end, 0, "outside RAM");
    check_hv(OUTSIDE, HCALL_pt_pin, RAM_BASE - PAGE_SIZE, 0, "below RAM");
    check_hv(OUTSIDE, HCALL_pt_pin, 0, 1, "nowhere");
    check_hv(PARAM, HCALL_pt_unpin, address(page[2]), 0, "not pinned");
    check_hv(OUTSIDE, HCALL_pt_unpin, 0xfffff000, 0, "outside RAM");
}

void attack(void)
{
    direct_on();
    pointers();
    leaves();
    roots();
    garbage();
}
