/* walk.c - Sv32 in software: what the guest's tables allow.
 *
 * The rules, and their order, are those of the machine's own walk; see the
 * picture and the table at the head of machine/mmu.c. The tests compare the
 * two over every combination of entry bits, mode, SUM, MXR and access. What
 * differs is whose memory is read (the guest's) and whose mode counts (the
 * one that the guest believes it is in). */
#include "hyp/walk.h"
#include "abi/cause.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/mmio.h"

#define PPN_LIMIT (1u << (32 - PAGE_SHIFT)) /* 22 bits named, 20 exist */

static bool leaf_permits(const struct vcpu *vcpu, uint32_t pte,
                         enum access access)
{
    bool sum = vcpu->csr.sstatus & MSTATUS_SUM;
    bool mxr = vcpu->csr.sstatus & MSTATUS_MXR;

    if (vcpu->mode == PRIV_U && !(pte & PTE_U))
        return false;
    if (vcpu->mode == PRIV_S && (pte & PTE_U) &&
        (!sum || access == ACCESS_FETCH))
        return false;
    switch (access) {
    case ACCESS_FETCH:
        return pte & PTE_X;
    case ACCESS_LOAD:
        return pte & (mxr ? PTE_R | PTE_X : PTE_R);
    default:
        return pte & PTE_W;
    }
}

static uint32_t leaf_missing(uint32_t pte, enum access access)
{
    uint32_t needed = access == ACCESS_STORE ? PTE_A | PTE_D : PTE_A;

    return needed & ~pte;
}

/* Does anything answer at this page, for this kind of access? */
static bool page_exists(const struct vm *vm, gpa_t pa, enum access access)
{
    return p2m_has(vm, gpa_frame(pa)) ||
           (access != ACCESS_FETCH && mmio_page_exists(pa));
}

/* A valid leaf was found: rights first, then the address. */
static struct walk walk_leaf(struct vcpu *vcpu, gva_t va, enum access access,
                             struct walk walk)
{
    uint32_t ppn = walk.pte >> PTE_PPN_SHIFT;

    walk.status = WALK_FAULT;
    if (!leaf_permits(vcpu, walk.pte, access))
        return walk;
    if (walk.level == 1) {
        if (ppn % PT_ENTRIES != 0)
            return walk;
        ppn |= pt_index(va, 0);
    }
    if (vcpu->vm->hyp->config.ad_fault && leaf_missing(walk.pte, access))
        return walk;
    walk.pa = (gpa_t){ ppn << PAGE_SHIFT | (va.raw & PAGE_MASK) };
    walk.status = WALK_OUTSIDE;
    if (ppn < PPN_LIMIT && page_exists(vcpu->vm, walk.pa, access))
        walk.status = WALK_OK;
    return walk;
}

static struct walk walk_untranslated(struct vcpu *vcpu, gva_t va,
                                     enum access access)
{
    struct walk walk = { .pa = { va.raw }, .level = -1 };

    walk.status = page_exists(vcpu->vm, walk.pa, access) ? WALK_OK
                                                         : WALK_OUTSIDE;
    return walk;
}

/*
 * Invariant: at the top of each round, `table` is the page number of a table
 * of level walk.level, as its parent (or satp) names it: 22 bits, unchecked.
 */
struct walk walk_peek(struct vcpu *vcpu, gva_t va, enum access access)
{
    struct vm  *vm = vcpu->vm;
    struct walk walk = { .status = WALK_FAULT };
    uint32_t    table = vcpu->csr.satp & SATP_PPN_MASK;

    if (direct_loaded(vcpu))
        return direct_walk(vcpu, va, access);
    if (!(vcpu->csr.satp & SATP_MODE))
        return walk_untranslated(vcpu, va, access);
    for (walk.level = 1; walk.level >= 0; walk.level--) {
        walk.slot.raw = table << PAGE_SHIFT | 4 * pt_index(va, walk.level);
        if (table >= PPN_LIMIT || !vm_read32(vm, walk.slot, &walk.pte)) {
            walk.status = WALK_OUTSIDE;
            return walk;
        }
        if (!(walk.pte & PTE_V) || (walk.pte & (PTE_R | PTE_W)) == PTE_W)
            return walk;
        if (walk.pte & (PTE_R | PTE_X))
            return walk_leaf(vcpu, va, access, walk);
        if (walk.pte & (PTE_D | PTE_A | PTE_U))
            return walk; /* reserved in a pointer */
        table = walk.pte >> PTE_PPN_SHIFT;
    }
    return walk; /* a pointer at level 0 */
}

struct walk walk_guest(struct vcpu *vcpu, gva_t va, enum access access)
{
    struct walk walk = walk_peek(vcpu, va, access);
    uint32_t    reads = walk.level < 0 ? 2u : 2u - (uint32_t)walk.level;

    if ((vcpu->csr.satp & SATP_MODE) || direct_loaded(vcpu))
        hal_charge(vcpu->on, HAL_COST_guest_read, reads);
    return walk;
}

bool walk_set_ad(struct vcpu *vcpu, struct walk *walk, enum access access)
{
    struct vm *vm = vcpu->vm;
    uint32_t   missing = leaf_missing(walk->pte, access);

    if (walk->level < 0 || !missing)
        return true;
    if (!vm_write_ad(vm, vcpu->on, walk->slot, walk->pte | missing))
        return false;
    walk->pte |= missing;
    vm->count.ad_updates++;
    return true;
}

uint32_t walk_cause(enum walk_status status, enum access access)
{
    static const uint32_t page_fault[NR_ACCESS] = {
        [ACCESS_FETCH] = CAUSE_FETCH_PAGE,
        [ACCESS_LOAD] = CAUSE_LOAD_PAGE,
        [ACCESS_STORE] = CAUSE_STORE_PAGE,
    };
    static const uint32_t access_fault[NR_ACCESS] = {
        [ACCESS_FETCH] = CAUSE_FETCH_ACCESS,
        [ACCESS_LOAD] = CAUSE_LOAD_ACCESS,
        [ACCESS_STORE] = CAUSE_STORE_ACCESS,
    };

    return status == WALK_FAULT ? page_fault[access] : access_fault[access];
}
