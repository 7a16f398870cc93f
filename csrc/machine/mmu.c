/* mmu.c - Sv32: from a virtual address to a physical one.
 *
 *        31       22 21       12 11          0
 *   va  [  index 1  |  index 0  |   offset   ]
 *            |           |             |
 *  satp.PPN  v           |             |
 *   -->  +--------+      |             |      a table is one page of 1024
 *        |        |      v             |      entries of 4 bytes
 *        | entry ----> +--------+      |
 *        |        |    |        |      |
 *        +--------+    | entry ----> page of 4 KiB, + offset
 *             |        +--------+
 *             +----> a leaf already here: page of 4 MiB, + index 0, offset
 *
 * An entry is a leaf if R or X is set, else the address of the next table.
 * The walk asks in this order; the first answer that is not "go on" counts:
 *
 *   of each entry   the entry itself lies outside RAM       access fault
 *                   V clear, or W without R                 page fault
 *   of a table      at level 0, or with D, A or U set       page fault
 *   of a leaf       no right to this kind of access         page fault
 *                   4 MiB page whose PPN[0] is not 0        page fault
 *                   A clear, or D clear for a store: with
 *                     the option ad_fault                   page fault
 *                   names more than 32 address bits, or a
 *                     page where nothing answers            access fault
 *                   otherwise: A (D) are set in memory      translated
 *
 * Rights of a leaf, by the mode that the access is made in:
 *
 *            fetch     load                       store
 *   U        U, X      U and (R, or X with MXR)   U, W
 *   S        X, not U  R, or X with MXR;          W;
 *                      if U: only with SUM        if U: only with SUM
 *
 * Only a successful translation enters the TLB. With V = 1 there are two
 * stages: mmu_guest.c. */
#include "machine/mmu.h"

/* Loads and stores may be made in another mode's name (MPRV). */
static inline struct mmu_rights mmu_rights(const struct hart *hart,
                                           enum access        access)
{
    uint32_t          mstatus = hart->csr.mstatus;
    struct mmu_rights rights = { .priv = hart->priv,
                                 .guest = hart->virt,
                                 .mxr_all = mstatus & MSTATUS_MXR };

    if (access != ACCESS_FETCH) {
        if (mstatus & MSTATUS_MPRV) {
            rights.priv = (mstatus & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT;
            rights.guest = rights.priv != PRIV_M &&
                           (hart->csr.mstatush & MSTATUSH_MPV) &&
                           hart_has_h(hart);
        }
        uint32_t status = rights.guest ? hart->csr.vsstatus : mstatus;
        rights.sum = rights.priv == PRIV_S && (status & MSTATUS_SUM);
        rights.mxr = access == ACCESS_LOAD &&
                     ((status | mstatus) & MSTATUS_MXR);
    }
    return rights;
}

/* What the tags of a guest's entries have beside those of others. */
static uint64_t view_guest(const struct hart_csrs *csr,
                           struct mmu_rights       rights)
{
    uint64_t vmid = csr->hgatp >> HGATP_VMID_SHIFT & HGATP_VMID_MASK;

    return TLB_V | (csr->vsatp & SATP_MODE ? TLB_STAGE1 : 0) |
           (csr->hgatp & HGATP_MODE ? TLB_STAGE2 : 0) | TLB_VMID(vmid) |
           (uint64_t)rights.mxr_all << TLB_HX_SHIFT;
}

static inline void view_refresh(struct hart *hart, enum access access)
{
    struct hart_view *view = &hart->view[access];
    struct mmu_rights rights = mmu_rights(hart, access);
    uint32_t          satp = rights.guest ? hart->csr.vsatp : hart->csr.satp;
    uint64_t          asid = satp >> SATP_ASID_SHIFT & SATP_ASID_MASK;

    view->guest = rights.guest;
    view->translated = rights.priv != PRIV_M && (satp & SATP_MODE);
    view->context = (uint64_t)rights.priv << TLB_PRIV_SHIFT |
                    (uint64_t)rights.sum << TLB_SUM_SHIFT |
                    (uint64_t)rights.mxr << TLB_MXR_SHIFT |
                    asid << TLB_ASID_SHIFT;
    if (rights.guest) {
        view->translated |= (hart->csr.hgatp & HGATP_MODE) != 0;
        view->context |= view_guest(&hart->csr, rights);
    }
    view->key = (view->translated ? view->context : TLB_BARE) | TLB_VALID;
}

/* All that mmu_rights() and view_refresh() look at. In another mode's name
 * (MPRV) they look at more: then nothing is kept. */
static inline struct view_from view_inputs(const struct hart *hart)
{
    const struct hart_csrs *csr = &hart->csr;
    struct view_from        from = {
        .priv = hart->priv,
        .mstatus = csr->mstatus & (MSTATUS_SUM | MSTATUS_MXR),
        .satp = csr->satp,
        .virt = hart->virt,
        .valid = !(csr->mstatus & MSTATUS_MPRV),
    };

    if (hart->virt) {
        from.vsstatus = csr->vsstatus;
        from.vsatp = csr->vsatp;
        from.hgatp = csr->hgatp;
    }
    return from;
}

static inline bool view_same(const struct view_from *a,
                             const struct view_from *b)
{
    return a->valid && b->valid && a->priv == b->priv &&
           a->mstatus == b->mstatus && a->satp == b->satp &&
           a->virt == b->virt && a->vsstatus == b->vsstatus &&
           a->vsatp == b->vsatp && a->hgatp == b->hgatp;
}

void mmu_refresh(struct hart *hart)
{
    hart->view_from = view_inputs(hart);
    view_refresh(hart, ACCESS_FETCH);
    view_refresh(hart, ACCESS_LOAD);
    view_refresh(hart, ACCESS_STORE);
}

void mmu_refresh_if_stale(struct hart *hart)
{
    struct view_from now = view_inputs(hart);

    if (!view_same(&now, &hart->view_from))
        mmu_refresh(hart);
}

/* marker: lab-mmu-rights */
bool mmu_leaf_permits(uint32_t pte, enum access access,
                      struct mmu_rights rights)
{
    if (rights.priv == PRIV_U && !(pte & PTE_U))
        return false;
    if (rights.priv == PRIV_S && (pte & PTE_U) && !rights.sum)
        return false; /* for a fetch, sum is never set */
    switch (access) {
    case ACCESS_FETCH:
        return pte & PTE_X;
    case ACCESS_LOAD:
        return pte & (rights.mxr ? PTE_R | PTE_X : PTE_R);
    default:
        return pte & PTE_W;
    }
}

uint32_t mmu_leaf_missing(uint32_t pte, enum access access)
{
    uint32_t needed = access == ACCESS_STORE ? PTE_A | PTE_D : PTE_A;

    return needed & ~pte;
}
/* marker: end */

/* marker: lab-mmu-leaf */
/* What a valid leaf says about the access; looks at rights before it looks
 * at the address. Fills in page and mega. */
static enum walk_status walk_leaf(const struct machine *m, struct walk *walk,
                                  enum access access, struct mmu_rights rights,
                                  uint32_t va)
{
    uint32_t ppn = walk->pte >> PTE_PPN_SHIFT;

    if (!mmu_leaf_permits(walk->pte, access, rights))
        return WALK_PAGE_FAULT;
    if (walk->mega) {
        if (ppn % PT_ENTRIES != 0)
            return WALK_PAGE_FAULT;
        ppn |= (va >> PAGE_SHIFT) % PT_ENTRIES;
    }
    if (m->config.ad_fault && mmu_leaf_missing(walk->pte, access))
        return WALK_PAGE_FAULT;
    walk->page = ppn << PAGE_SHIFT;
    if (ppn >> (32 - PAGE_SHIFT) || !bus_page_exists(m, walk->page, access))
        return WALK_ACCESS_FAULT;
    return WALK_OK;
}
/* marker: end */

/* marker: lab-mmu-walk */
/* Invariant: at the top of each round, `table` is the page number of a table
 * of level `level`, as its parent (or satp) names it: 22 bits, unchecked. */
void mmu_walk(const struct machine *m, uint32_t satp, uint64_t va,
              enum access access, struct mmu_rights rights, struct walk *walk)
{
    uint32_t table = satp & SATP_PPN_MASK;

    *walk = (struct walk){ .status = WALK_PAGE_FAULT };
    for (int level = 1; level >= 0; level--) {
        uint32_t index = level ? (uint32_t)(va >> MEGAPAGE_SHIFT)
                               : (uint32_t)(va >> PAGE_SHIFT) % PT_ENTRIES;

        walk->slot = (table << PAGE_SHIFT) + 4 * index;
        const uint8_t *entry = ram_at(m, walk->slot, 4);
        if (table >> (32 - PAGE_SHIFT) || !entry) {
            walk->status = WALK_ACCESS_FAULT;
            return;
        }
        walk->pte = load_le(entry, 4);
        walk->refs++;
        if (!(walk->pte & PTE_V) || (walk->pte & (PTE_R | PTE_W)) == PTE_W)
            return;
        if (walk->pte & (PTE_R | PTE_X)) {
            walk->mega = level == 1;
            walk->status = walk_leaf(m, walk, access, rights, (uint32_t)va);
            return;
        }
        if (walk->pte & (PTE_D | PTE_A | PTE_U))
            return; /* reserved in a pointer */
        table = walk->pte >> PTE_PPN_SHIFT;
    }
    return; /* a pointer at level 0 */
}
/* marker: end */

int mmu_cause(enum walk_status status, enum access access)
{
    bool page = status == WALK_PAGE_FAULT;

    if (status == WALK_OK)
        return MMU_OK;
    switch (access) {
    case ACCESS_FETCH:
        return page ? CAUSE_FETCH_PAGE : CAUSE_FETCH_ACCESS;
    case ACCESS_LOAD:
        return page ? CAUSE_LOAD_PAGE : CAUSE_LOAD_ACCESS;
    default:
        return page ? CAUSE_STORE_PAGE : CAUSE_STORE_ACCESS;
    }
}

void mmu_set_ad(struct hart *hart, uint32_t slot, uint32_t bits)
{
    struct machine *m = hart->machine;
    uint8_t        *entry = ram_at(m, slot, 4);

    if (!(bits & ~load_le(entry, 4)))
        return;
    ram_touch(m, slot);
    store_le(entry, 4, load_le(entry, 4) | bits);
    bus_ram_written(m, slot, 4);
    hart->count.ad_updates++;
}

void mmu_count_miss(struct hart_counters *count, enum access access)
{
    switch (access) {
    case ACCESS_FETCH:
        count->fetch_misses++;
        break;
    case ACCESS_LOAD:
        count->load_misses++;
        break;
    default:
        count->store_misses++;
        break;
    }
}

/* marker: lab-mmu-miss */
/* The TLB does not know: walk, pay for it, remember the answer if it is yes. */
static int mmu_miss(struct hart *hart, enum access access, uint32_t va,
                    uint32_t *pa)
{
    struct walk walk;

    if (hart->view[access].guest)
        return mmu_guest_miss(hart, access, va, mmu_rights(hart, access), pa);
    mmu_walk(hart->machine, hart->csr.satp, va, access,
             mmu_rights(hart, access), &walk);
    mmu_count_miss(&hart->count, access);
    hart->count.walk_refs += walk.refs;
    hart_pay(hart, COST_tlb_miss, 1);
    hart_pay(hart, COST_walk_ref, walk.refs);
    if (walk.status != WALK_OK)
        return mmu_cause(walk.status, access);
    mmu_set_ad(hart, walk.slot, mmu_leaf_missing(walk.pte, access));
    tlb_insert(&hart->tlb, access, hart->view[access].context, va, walk.page,
               walk.mega ? TLB_MEGA : 0);
    *pa = walk.page | (va & PAGE_MASK);
    return MMU_OK;
}
/* marker: end */

int mmu_translate(struct hart *hart, enum access access, uint32_t va,
                  uint32_t *pa)
{
    const struct hart_view *view = &hart->view[access];

    if (!view->translated) {
        *pa = va;
        return MMU_OK;
    }
    const struct tlb_entry *entry = tlb_lookup(&hart->tlb, access,
                                               view->context, va);
    if (!entry)
        return mmu_miss(hart, access, va, pa);
    *pa = entry->page | (va & PAGE_MASK);
    return MMU_OK;
}

int hart_translate(const struct hart *hart, uint32_t va, enum access access,
                   uint32_t *pa)
{
    const struct machine *m = hart->machine;
    struct mmu_rights     rights = mmu_rights(hart, access);
    struct walk           walk = { .page = va & ~(uint32_t)PAGE_MASK };

    if (rights.guest)
        return mmu_guest_ask(hart, va, access, rights, pa);
    if (rights.priv != PRIV_M && (hart->csr.satp & SATP_MODE))
        mmu_walk(m, hart->csr.satp, va, access, rights, &walk);
    else if (!bus_page_exists(m, va, access))
        walk.status = WALK_ACCESS_FAULT;
    if (walk.status == WALK_OK)
        *pa = walk.page | (va & PAGE_MASK);
    return mmu_cause(walk.status, access);
}
