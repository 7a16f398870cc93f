/* tables.c - the code and the page tables that a VM of a program begins with.
 *
 * Kernel code runs where it is in RAM, translated or not; user code in the
 * window, at HVP_WINDOW, when there is translation. Both run the instructions
 * of the page of code, each of which has its place: enum hvp_slot. */
#include "hvp/run.h"
#include <string.h>

#define T0   5u
#define T1   6u
#define T2   7u
#define LOOP 0x6fu /* j . */

#define I_LOAD(f3)  (T0 << 15 | (f3) << 12 | T1 << 7 | 0x03u)
#define I_STORE(f3) (T1 << 20 | T0 << 15 | (f3) << 12 | 0x23u)
#define I_AMO(f5, rs2) \
    ((f5) << 27 | (rs2) << 20 | T0 << 15 | 2u << 12 | T2 << 7 | 0x2fu)

static const uint32_t code[HVP_NR_SLOTS] = {
    [HVP_SLOT_TRAP] = LOOP,
    [HVP_SLOT_LOAD1] = I_LOAD(4u),
    [HVP_SLOT_LOAD2] = I_LOAD(5u),
    [HVP_SLOT_LOAD4] = I_LOAD(2u),
    [HVP_SLOT_STORE1] = I_STORE(0u),
    [HVP_SLOT_STORE2] = I_STORE(1u),
    [HVP_SLOT_STORE4] = I_STORE(2u),
    [HVP_SLOT_AMO] = I_AMO(1u, T1),
    [HVP_SLOT_LR] = I_AMO(2u, 0u),
    [HVP_SLOT_SC] = I_AMO(3u, T1),
    [HVP_SLOT_ECALL] = 0x73,
    [HVP_SLOT_SRET] = 0x10200073,
    [HVP_SLOT_WFI] = 0x10500073,
    [HVP_SLOT_SFENCE] = 0x12000073 | T0 << 15,
    [HVP_SLOT_SFENCE_ALL] = 0x12000073,
    [HVP_SLOT_JUMP] = T0 << 15 | 0x67,
};

uint32_t hvp_slot_at(uint32_t slot)
{
    return 8 * slot;
}

uint32_t hvp_code(uint32_t slot)
{
    return code[slot];
}

uint32_t hvp_frame_number(struct hvp_run *run, const struct hvp_vm *vm,
                          uint32_t gfn)
{
    uint32_t hfn;

    if (vm->style == HV_STYLE_DIRECT &&
        hv_p2m(run->host, vm->id, gfn, &hfn) == HV_OK && hfn != HV_NONE)
        return hfn;
    return gfn;
}

/* Slots 0-23 are the window's pages behind that of code, 24-47 those of the
 * identity, 48-63 entries of the root. */
struct hvp_place hvp_place(uint32_t slot)
{
    uint32_t first = RAM_BASE, index;

    slot %= 64;
    if (slot < HVP_WINDOWED) {
        index = slot + 1;
        return (struct hvp_place){ first + HVP_PAGE_WINDOW * PAGE_SIZE +
                                       4 * index,
                                   HVP_WINDOW + index * PAGE_SIZE, false };
    }
    if (slot < 2 * HVP_WINDOWED) {
        index = slot - HVP_WINDOWED + HVP_PAGE_ROOT2;
        return (struct hvp_place){ first + HVP_PAGE_IDENTITY * PAGE_SIZE +
                                       4 * index,
                                   first + index * PAGE_SIZE, false };
    }
    index = (HVP_WINDOW >> MEGAPAGE_SHIFT) + (slot - 2 * HVP_WINDOWED);
    return (struct hvp_place){ first + HVP_PAGE_ROOT * PAGE_SIZE + 4 * index,
                               index << MEGAPAGE_SHIFT, true };
}

static bool put(struct hvp_run *run, const struct hvp_vm *vm, uint32_t page,
                const void *from, uint32_t size)
{
    return hv_mem_write(run->host, vm->id, RAM_BASE + page * PAGE_SIZE, from,
                        size) == HV_OK;
}

static bool put_code(struct hvp_run *run, const struct hvp_vm *vm)
{
    uint32_t text[2 * HVP_NR_SLOTS];

    for (uint32_t i = 0; i < HVP_NR_SLOTS; i++) {
        text[2 * i] = code[i] ? code[i] : LOOP;
        text[2 * i + 1] = LOOP;
    }
    return put(run, vm, HVP_PAGE_CODE, text, sizeof(text));
}

static uint32_t entry(struct hvp_run *run, const struct hvp_vm *vm,
                      uint32_t page, uint32_t rights)
{
    if (vm->style == HV_STYLE_DIRECT && (rights & PTE_RWX)) {
        rights |= PTE_U;
        if (vm->tables >> page & 1)
            rights &= ~(uint32_t)PTE_W;
    }
    return hvp_frame_number(run, vm, HVP_FIRST + page) << PTE_PPN_SHIFT |
           rights | PTE_V;
}

static bool put_leaves(struct hvp_run *run, const struct hvp_vm *vm)
{
    uint32_t identity[HVP_PAGES], window[HVP_PAGES] = { 0 };
    uint32_t all = PTE_RWX | PTE_A | PTE_D, user = PTE_R | PTE_U | PTE_A;

    for (uint32_t i = 0; i < vm->pages; i++)
        identity[i] = entry(run, vm, i, all);
    window[0] = entry(run, vm, HVP_PAGE_CODE, user | PTE_X);
    for (uint32_t i = 1; i < HVP_WINDOWED; i++) {
        uint32_t page = HVP_PAGE_DATA + i - 1;

        if (page >= vm->pages || i % 4 == 3)
            continue;
        window[i] = entry(run, vm, page,
                          i % 4 == 2 ? user : user | PTE_W | PTE_D);
    }
    return put(run, vm, HVP_PAGE_IDENTITY, identity,
               vm->pages * sizeof(identity[0])) &&
           put(run, vm, HVP_PAGE_WINDOW, window, sizeof(window));
}

static bool put_root(struct hvp_run *run, const struct hvp_vm *vm,
                     uint32_t page)
{
    uint32_t at = RAM_BASE + page * PAGE_SIZE;
    uint32_t identity = entry(run, vm, HVP_PAGE_IDENTITY, 0);
    uint32_t window = entry(run, vm, HVP_PAGE_WINDOW, 0);

    return hv_mem_write(run->host, vm->id,
                        at + 4 * (RAM_BASE >> MEGAPAGE_SHIFT), &identity,
                        4) == HV_OK &&
           hv_mem_write(run->host, vm->id,
                        at + 4 * (HVP_WINDOW >> MEGAPAGE_SHIFT), &window,
                        4) == HV_OK;
}

bool hvp_tables_write(struct hvp_run *run, struct hvp_vm *vm)
{
    vm->tables = 1u << HVP_PAGE_ROOT | 1u << HVP_PAGE_IDENTITY |
                 1u << HVP_PAGE_WINDOW | 1u << HVP_PAGE_ROOT2;
    return put_code(run, vm) && put_leaves(run, vm) &&
           put_root(run, vm, HVP_PAGE_ROOT) &&
           put_root(run, vm, HVP_PAGE_ROOT2);
}
