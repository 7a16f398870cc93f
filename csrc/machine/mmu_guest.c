/* mmu_guest.c - two stages: from a guest's virtual address to a physical one.
 * (Privileged Specification, 18.5 Two-Stage Address Translation.)
 *
 *   gva --[first stage: the guest's own tables, vsatp]--> gpa
 *   gpa --[second stage: the hypervisor's tables, hgatp]--> physical address
 *
 * All that the guest calls physical goes through the second stage, and that
 * means the addresses of its tables as well. So each of the two entries that
 * the first stage reads costs a walk of the second stage before it can be read,
 * and the result costs one more. Numbered in the order of reading:
 *
 *                 hgatp           hgatp           hgatp
 *                   |               |               |
 *                [1]                [4]             [7]
 *                [2]                [5]             [8]
 *                   |               |               |
 *   vsatp.PPN --> [3] entry ------> [6] leaf -----> page
 *
 * Eight references where one stage has two. A megapage of the second stage
 * saves one of each pair, one of the first stage saves a whole column (three).
 * With vsatp Bare the last column alone is left; with hgatp Bare, the row.
 *
 * The second stage is mmu_walk() with two differences. An address has 34 bits,
 * so the root has 4096 entries (Sv32x4). And every access counts as made in U:
 * its leaves need U. Its page fault is a guest-page fault, and says at which
 * guest-physical address; if that is one of an entry of the first stage, and
 * not of what the guest wants, xtinst says so. The cause is that of the guest's
 * access in any case.
 *
 * A and D: those of the second stage are set when the page behind them is
 * accessed, be it by the walk. Those of the first stage are set last, after
 * everything else has gone well; setting them is a store to the guest's table,
 * which the second stage must allow. */
#include "machine/mmu.h"

/* A walk, as far as it has come, and the bits that it will have set. */
struct guest_walk {
    const struct machine   *m;
    const struct hart_csrs *csr;
    enum access             access; /* what the guest does */
    struct mmu_rights       rights;
    bool                    mega; /* the first stage's leaf is one of 4 MiB */
    uint32_t                page; /* if all went well: where the page is */
    uint32_t                refs;
    uint32_t                fault_gpa, fault_inst; /* see struct hart */
    struct { uint32_t slot, bits; } set[5];        /* in order */
    uint32_t nr_set;
};

static void will_set(struct guest_walk *walk, uint32_t slot, uint32_t bits)
{
    if (!bits)
        return;
    walk->set[walk->nr_set].slot = slot;
    walk->set[walk->nr_set].bits = bits;
    walk->nr_set++;
}

static int guest_page_fault(struct guest_walk *walk, uint64_t gpa,
                            uint32_t inst)
{
    static const uint8_t cause[NR_ACCESS] = {
        [ACCESS_FETCH] = CAUSE_FETCH_GUEST_PAGE,
        [ACCESS_LOAD] = CAUSE_LOAD_GUEST_PAGE,
        [ACCESS_STORE] = CAUSE_STORE_GUEST_PAGE,
    };

    walk->fault_gpa = (uint32_t)(gpa >> 2);
    walk->fault_inst = inst;
    return cause[walk->access];
}

/* Where gpa is, for an access of this kind: MMU_OK or a cause. `inst` is what
 * xtinst says if the second stage refuses. */
static int stage2(struct guest_walk *walk, uint64_t gpa, enum access access,
                  uint32_t inst, struct walk *found)
{
    struct mmu_rights rights = { .priv = PRIV_U, .mxr = walk->rights.mxr_all };

    if (walk->csr->hgatp & HGATP_MODE) {
        mmu_walk(walk->m, walk->csr->hgatp & HGATP_PPN_MASK, gpa, access,
                 rights, found);
        walk->refs += found->refs;
        if (found->status == WALK_PAGE_FAULT)
            return guest_page_fault(walk, gpa, inst);
    } else {
        *found = (struct walk){ .page = (uint32_t)gpa & ~(uint32_t)PAGE_MASK,
                                .pte = ~0u };
        if (gpa >> 32 || !bus_page_exists(walk->m, found->page, access))
            found->status = WALK_ACCESS_FAULT;
    }
    return mmu_cause(found->status, walk->access);
}

/* Read the first stage's entry at gpa `slot`, through the second. */
static int read_entry(struct guest_walk *walk, uint64_t slot,
                      struct walk *found, uint32_t *pte)
{
    int cause = stage2(walk, slot, ACCESS_LOAD, TINST_WALK_READ, found);

    if (cause != MMU_OK)
        return cause;
    const uint8_t *entry = ram_at(
        walk->m, found->page | ((uint32_t)slot & PAGE_MASK), 4);
    if (!entry)
        return mmu_cause(WALK_ACCESS_FAULT, walk->access);
    will_set(walk, found->slot, mmu_leaf_missing(found->pte, ACCESS_LOAD));
    *pte = load_le(entry, 4);
    walk->refs++;
    return MMU_OK;
}

/* The rules of mmu.c for a leaf, but for the address: that is the second
 * stage's business. */
static bool leaf_usable(const struct guest_walk *walk, uint32_t pte)
{
    if (!mmu_leaf_permits(pte, walk->access, walk->rights))
        return false;
    if (walk->mega && (pte >> PTE_PPN_SHIFT) % PT_ENTRIES != 0)
        return false;
    return !(walk->m->config.ad_fault && mmu_leaf_missing(pte, walk->access));
}

/* The last column: the page itself. */
static int reach_page(struct guest_walk *walk, uint64_t gpa)
{
    struct walk found;
    int         cause = stage2(walk, gpa, walk->access, 0, &found);

    if (cause != MMU_OK)
        return cause;
    walk->page = found.page;
    will_set(walk, found.slot, mmu_leaf_missing(found.pte, walk->access));
    return MMU_OK;
}

/*
 * A leaf of the first stage, at gpa `slot`, which `table` has translated. If A
 * or D is to be set in it, that is a store there; of the second stage, the
 * entry that has been read already decides.
 */
static int first_leaf(struct guest_walk *walk, uint32_t va, uint32_t pte,
                      uint64_t slot, const struct walk *table)
{
    uint32_t missing = mmu_leaf_missing(pte, walk->access);
    uint64_t gpa = (uint64_t)(pte >> PTE_PPN_SHIFT) << PAGE_SHIFT;
    uint32_t within = walk->mega ? MEGAPAGE_SIZE - 1 : PAGE_MASK;
    uint32_t nr_set = walk->nr_set;

    if (!leaf_usable(walk, pte))
        return mmu_cause(WALK_PAGE_FAULT, walk->access);
    int cause = reach_page(walk, gpa | (va & within));
    if (cause != MMU_OK || !missing)
        return cause;
    if (!(table->pte & PTE_W)) {
        walk->nr_set = nr_set; /* the page will not be accessed */
        return guest_page_fault(walk, slot, TINST_WALK_WRITE);
    }
    will_set(walk, table->slot, mmu_leaf_missing(table->pte, ACCESS_STORE));
    will_set(walk, table->page | ((uint32_t)slot & PAGE_MASK), missing);
    return MMU_OK;
}

/* Invariant as in mmu_walk(), of guest-physical page numbers. */
static int first_stage(struct guest_walk *walk, uint32_t va)
{
    uint32_t table = walk->csr->vsatp & SATP_PPN_MASK;

    for (int level = 1; level >= 0; level--) {
        uint32_t    index = va >> (PAGE_SHIFT + 10 * level) & (PT_ENTRIES - 1);
        uint64_t    slot = ((uint64_t)table << PAGE_SHIFT) + 4 * index;
        struct walk found;
        uint32_t    pte = 0;
        int         cause = read_entry(walk, slot, &found, &pte);

        if (cause != MMU_OK)
            return cause;
        if (!(pte & PTE_V) || (pte & (PTE_R | PTE_W)) == PTE_W)
            break;
        if (pte & (PTE_R | PTE_X)) {
            walk->mega = level == 1;
            return first_leaf(walk, va, pte, slot, &found);
        }
        if (pte & (PTE_D | PTE_A | PTE_U))
            break; /* reserved in a pointer */
        table = pte >> PTE_PPN_SHIFT;
    }
    return mmu_cause(WALK_PAGE_FAULT, walk->access);
}

static int walk_guest(struct guest_walk *walk, const struct hart *hart,
                      uint32_t va, enum access access, struct mmu_rights rights)
{
    *walk = (struct guest_walk){
        .m = hart->machine,
        .csr = &hart->csr,
        .access = access,
        .rights = rights,
    };
    if (hart->csr.vsatp & SATP_MODE)
        return first_stage(walk, va);
    return reach_page(walk, va);
}

int mmu_guest_miss(struct hart *hart, enum access access, uint32_t va,
                   struct mmu_rights rights, uint32_t *pa)
{
    struct guest_walk walk;
    int               cause = walk_guest(&walk, hart, va, access, rights);

    mmu_count_miss(&hart->count, access);
    hart->count.walk_refs += walk.refs;
    hart_charge(hart, COST_tlb_miss, 1);
    hart_charge(hart, COST_walk_ref, walk.refs);
    for (uint32_t i = 0; i < walk.nr_set; i++)
        mmu_set_ad(hart, walk.set[i].slot, walk.set[i].bits);
    hart->fault_gpa = walk.fault_gpa;
    hart->fault_inst = walk.fault_inst;
    if (cause != MMU_OK)
        return cause;
    tlb_insert(&hart->tlb, access, hart->view[access].context, va, walk.page,
               walk.mega ? TLB_MEGA : 0);
    *pa = walk.page | (va & PAGE_MASK);
    return MMU_OK;
}

int mmu_guest_ask(const struct hart *hart, uint32_t va, enum access access,
                  struct mmu_rights rights, uint32_t *pa)
{
    struct guest_walk walk;
    int               cause = walk_guest(&walk, hart, va, access, rights);

    if (cause == MMU_OK)
        *pa = walk.page | (va & PAGE_MASK);
    return cause;
}
