/* operand_address.c - operands that are addresses or numbers of frames. */
#include "hvp/operand.h"

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

void hvp_past_add(struct hvp_past *past, uint32_t handle)
{
    past->handle[past->count++ % HVP_PAST] = handle;
}

bool hvp_past_get(const struct hvp_past *past, uint32_t n, uint32_t *handle)
{
    uint32_t kept = past->count < HVP_PAST ? past->count : HVP_PAST;

    if (kept)
        *handle = past->handle[n % kept];
    return kept;
}

/* --- addresses ------------------------------------------------------------------ */

/* Five bits: mostly words, also what crosses or is not aligned. */
uint32_t hvp_offset(uint32_t n)
{
    static const uint32_t odd[] = { 1, 2, 3, 4094, 4092, 4088 };

    n &= 31;
    return n < 26 ? 4 * n : odd[n - 26];
}

/* In the actor's tables as they are: the n-th page of the window with V. */
uint32_t hvp_window_page(struct hvp_run *run, const struct hvp_vm *vm,
                         uint32_t n)
{
    for (uint32_t i = 0; i < HVP_WINDOWED; i++) {
        uint32_t slot = (n + i) % HVP_WINDOWED;

        if (hvp_peek(run, vm, hvp_place(slot).gpa) & PTE_V)
            return hvp_place(slot).gva;
    }
    return HVP_WINDOW;
}

/* A register of the board that a VM sees, or a place for one where none is: 11
 * bits count them, the two above say of what. */
static uint32_t register_of(uint32_t n)
{
    uint32_t k = n & 0x7ff;

    switch (n >> 11 & 3) {
    case 0:
        return UART_BASE + k % (UART_SIZE + 1);
    case 1: /* sources, and behind the last one */
        return PLIC_BASE + 4 * k;
    case 2: /* of a context: enable; threshold, claim, and behind them */
        return k & 1 ? PLIC_BASE + 0x2000 + 0x40 * (k & ~1u)
                     : PLIC_BASE + 0x200000 + 0x1000 * (k >> 3) + 2 * (k & 6);
    default:
        return TEST_BASE + 4 * k;
    }
}

/* Of the table below; or with bit 13, of a device. */
static uint32_t edge_of_vm(const struct hvp_vm *vm, uint32_t n)
{
    const uint32_t end = RAM_BASE + vm->pages * PAGE_SIZE;
    const uint32_t edges[] = {
        0,
        RAM_BASE - 4,
        RAM_BASE,
        end - 4,
        end,
        end + PAGE_SIZE,
        UART_BASE,
        UART_BASE + 5,
        PLIC_BASE + 0x1000,
        CLINT_BASE,
        VIRTIO_BASE,
        0xfffffffc,
        0xfffff000,
        HVP_WINDOW - 4,
        HVP_WINDOW + MEGAPAGE_SIZE - 4,
        RAM_BASE + MEGAPAGE_SIZE - 4,
        end - 2,
        0x7ffffffc,
        RAM_BASE + HVP_PAGE_SHARED * PAGE_SIZE,
        RAM_BASE + HVP_PAGE_ROOT * PAGE_SIZE,
        TEST_BASE,
        TEST_BASE + 4,
    };

    return n & 0x2000 ? register_of(n) : edges[n % COUNT(edges)];
}

uint32_t hvp_gva(struct hvp_run *run, const struct hvp_vm *vm, uint16_t arg)
{
    uint32_t n = hvp_number(arg), page = n >> 5 & 0xff, va;

    switch (hvp_form(arg)) {
    case HVP_STALE:
        if (hvp_past_get(&vm->unmapped, page, &va))
            return va | hvp_offset(n);
        return hvp_window_page(run, vm, page) | hvp_offset(n);
    case HVP_LIVE:
        return hvp_window_page(run, vm, page) | hvp_offset(n);
    case HVP_BOUNDARY:
        return edge_of_vm(vm, n);
    default:
        va = n & 0x2000 ? HVP_WINDOW : RAM_BASE;
        return va + page % (vm->pages + 1) * PAGE_SIZE + hvp_offset(n);
    }
}

uint32_t hvp_gfn_edge(const struct hvp_vm *vm, uint32_t n)
{
    const uint32_t edges[] = {
        HVP_FIRST - 1,
        HVP_FIRST + vm->pages,
        HVP_FIRST + vm->pages - 1,
        0,
        0xfffff,
        0x100000,
        0x3fffff,
        UART_BASE >> PAGE_SHIFT,
        PLIC_BASE >> PAGE_SHIFT,
        0x100000 | HVP_FIRST,
        0xffffffff,
        HVP_FIRST + HVP_PAGE_SHARED,
        HVP_FIRST + HVP_PAGE_ROOT,
        HVP_FIRST & ~0x3ffu,
        HVP_FIRST + 0x400,
        TEST_BASE >> PAGE_SHIFT,
    };

    return edges[n % COUNT(edges)];
}

uint32_t hvp_gfn(const struct hvp_vm *vm, uint16_t arg)
{
    uint32_t n = hvp_number(arg), number;

    switch (hvp_form(arg)) {
    case HVP_STALE:
        if (hvp_past_get(n & 1 ? &vm->given : &vm->unpinned, n >> 1, &number))
            return number;
        return HVP_FIRST + n % vm->pages;
    case HVP_BOUNDARY:
        return hvp_gfn_edge(vm, n);
    case HVP_LIVE:
        return HVP_FIRST + HVP_PAGE_DATA + n % (vm->pages - HVP_PAGE_DATA);
    default:
        return HVP_FIRST + n % vm->pages;
    }
}

uint32_t hvp_gpa(const struct hvp_vm *vm, uint16_t arg)
{
    if (hvp_form(arg) == HVP_BOUNDARY)
        return edge_of_vm(vm, hvp_number(arg));
    uint32_t n = hvp_number(arg);

    return hvp_gfn(vm, (uint16_t)((arg & 0xc000) | (n >> 5))) << PAGE_SHIFT |
           hvp_offset(n);
}
