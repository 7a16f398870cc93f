/* pt_type.c - when a page is a table, and what may stand in its entries.
 *
 * Each entry with V holds a reference to the frame that it names, and a use of
 * it: as a leaf table if it is a pointer, as a plain frame if it can write. So
 * a leaf table stays one while any root points to it, and a frame that can be
 * written through some table never becomes one. pt_entry_ok() says what may
 * stand in an entry; nothing else is ever stored there. */
#include "abi/pte.h"
#include "hyp/assert.h"
#include "hyp/direct.h"
#include "hyp/hyp.h"

#define ERR(e) ((struct sbi_ret){ (e), 0 })
#define OK     ERR(SBI_SUCCESS)

static struct frame *own_frame(const struct vm *vm, hfn_t hfn)
{
    struct frames *frames = &vm->hyp->frames;

    if (!frame_exists(frames, hfn) || frame_of(frames, hfn)->owner != vm->id)
        return NULL;
    return frame_of(frames, hfn);
}

/* marker: entry-ok */
bool pt_entry_ok(const struct vm *vm, enum frame_type table, uint32_t pte)
{
    /* 22 bits: a number that the machine has no frame for is refused here,
     * and never cut to one that it has. */
    hfn_t               hfn = { pte >> PTE_PPN_SHIFT };
    const struct frame *frame = own_frame(vm, hfn);
    const uint32_t      pointer = PTE_RWX | PTE_U | PTE_G | PTE_A | PTE_D;

    if (!(pte & PTE_V))
        return true;
    if (!frame)
        return false;
    if (table == FRAME_ROOT_TABLE)
        return !(pte & pointer) && frame->type == FRAME_LEAF_TABLE;
    if (!(pte & PTE_U) || (pte & PTE_G) || !(pte & (PTE_R | PTE_X)))
        return false;
    if (pte & PTE_W)
        return (pte & PTE_R) && frame->type == FRAME_PLAIN;
    return true;
}
/* marker: end */

/* What an entry holds, and no longer holds. */
static void entry_get(struct vm *vm, enum frame_type table, uint32_t pte)
{
    struct frames *frames = &vm->hyp->frames;
    hfn_t          hfn = { pte >> PTE_PPN_SHIFT };
    bool           held = true;

    if (!(pte & PTE_V))
        return;
    if (table == FRAME_ROOT_TABLE)
        held = frame_use(frames, hfn, FRAME_LEAF_TABLE);
    else if (pte & PTE_W)
        held = frame_use(frames, hfn, FRAME_PLAIN);
    else
        frame_get(frames, hfn);
    HV_ASSERT(vm->hyp->hal, held);
}

static void entry_put(struct vm *vm, enum frame_type table, uint32_t pte)
{
    struct frames *frames = &vm->hyp->frames;
    hfn_t          hfn = { pte >> PTE_PPN_SHIFT };

    if (!(pte & PTE_V))
        return;
    if (table == FRAME_ROOT_TABLE || (pte & PTE_W))
        frame_unuse(frames, hfn);
    else
        frame_put(frames, hfn);
}

static hpa_t slot_at(hfn_t table, uint32_t index)
{
    return (hpa_t){ hfn_base(table).raw + 4 * index };
}

static uint32_t entry_read(const struct vm *vm, hfn_t table, uint32_t index)
{
    return hal_read32(vm->hyp->hal, slot_at(table, index));
}

bool pt_entry_set(struct vm *vm, hfn_t table, uint32_t index, uint32_t pte)
{
    enum frame_type type = frame_of(&vm->hyp->frames, table)->type;
    uint32_t        old = entry_read(vm, table, index);

    HV_ASSERT(vm->hyp->hal, pt_entry_ok(vm, type, pte));
    entry_get(vm, type, pte); /* first: it may be the same frame */
    hal_write32(vm->hyp->hal, slot_at(table, index), pte);
    entry_put(vm, type, old);
    return (old & PTE_V) && old != pte;
}

static bool entries_ok(const struct vm *vm, enum frame_type type, hfn_t table)
{
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        if (!pt_entry_ok(vm, type, entry_read(vm, table, i)))
            return false;
    return true;
}

/* All entries are looked at; those with V cost checks and counts as well, or,
 * when they go, a count alone. */
static void charge_table(struct vm *vm, struct pcpu *pcpu, hfn_t table,
                         enum hal_cost each)
{
    uint32_t valid = 0;

    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        valid += entry_read(vm, table, i) & PTE_V;
    hal_charge(pcpu, HAL_COST_word_copy, PT_ENTRIES);
    hal_charge(pcpu, each, valid);
}

/* Its page, if it is one that the guest may name. */
static bool find_page(const struct vm *vm, gpa_t page, hfn_t *hfn,
                      struct sbi_ret *ret)
{
    *ret = ERR(page.raw % PAGE_SIZE ? SBI_ERR_INVALID_PARAM
                                    : SBI_ERR_INVALID_ADDRESS);
    return page.raw % PAGE_SIZE == 0 && p2m_lookup(vm, gpa_frame(page), hfn);
}

/* marker: pin */
struct sbi_ret pt_pin(struct vcpu *vcpu, gpa_t page, uint32_t level)
{
    struct vm      *vm = vcpu->vm;
    struct frames  *frames = &vm->hyp->frames;
    enum frame_type type = level ? FRAME_ROOT_TABLE : FRAME_LEAF_TABLE;
    struct sbi_ret  ret;
    hfn_t           hfn;

    if (level > 1)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (!find_page(vm, page, &hfn, &ret))
        return ret;
    struct frame *frame = frame_of(frames, hfn);
    if (frame->type == FRAME_PLAIN) /* what untranslated code wrote it by */
        shadow_unmap(vm->hyp, vcpu->on, hfn);
    if (frame->type != FRAME_PLAIN || frame->uses)
        return ERR(SBI_ERR_DENIED);
    /* A table before its entries are looked at: one that maps itself writable
     * is found like any other. */
    frame_retype(frames, hfn, type);
    charge_table(vm, vcpu->on, hfn, HAL_COST_guest_read);
    if (!entries_ok(vm, type, hfn)) {
        frame_retype(frames, hfn, FRAME_PLAIN);
        return ERR(SBI_ERR_INVALID_PARAM);
    }
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        entry_get(vm, type, entry_read(vm, hfn, i));
    frame_use(frames, hfn, type);
    frame->pinned = true;
    vm->count.pins++;
    return OK;
}
/* marker: end */

/* A leaf table is let go of only by its pin, which waits for its links: no
 * table is taken apart because another one was. */
struct sbi_ret pt_unpin(struct vcpu *vcpu, gpa_t page)
{
    struct vm     *vm = vcpu->vm;
    struct sbi_ret ret;
    hfn_t          hfn;

    if (!find_page(vm, page, &hfn, &ret))
        return ret;
    struct frame *frame = frame_of(&vm->hyp->frames, hfn);
    if (!frame->pinned)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (frame->type == FRAME_LEAF_TABLE && frame->uses > 1)
        return ERR(SBI_ERR_DENIED);
    frame->pinned = false;
    pt_drop(vm, vcpu->on, hfn);
    return OK;
}

void pt_drop(struct vm *vm, struct pcpu *pcpu, hfn_t table)
{
    struct frames *frames = &vm->hyp->frames;
    struct frame  *frame = frame_of(frames, table);

    frame_unuse(frames, table);
    if (frame->uses)
        return;
    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        entry_put(vm, (enum frame_type)frame->type, entry_read(vm, table, i));
    frame_retype(frames, table, FRAME_PLAIN);
    shadow_drop(vm, pcpu, (gfn_t){ frame->gfn });
    /* Nobody runs on it; what the TLB knows from it is out of reach. */
    vm->root_tag[frame->gfn - vm->p2m.first] = (struct tag){ .generation = 0 };
    if (pcpu)
        charge_table(vm, pcpu, table, HAL_COST_word_copy);
}
