/* traced.c - P7's other half, where it can be decided at any moment.
 *
 * A lazy shadow may be behind the guest's tables, as a TLB may. One that is
 * traced may not: each of its entries must be what the guest's table says now,
 * as the role sees it. Nothing here is shared with shadow_sync.c, which keeps
 * it so. */
#include "audit/recount.h"

/* What the role may do with a page, by the guest's bits. */
static uint32_t allowed(uint32_t gpte, enum shadow_role role)
{
    bool     user = gpte & PTE_U;
    uint32_t rights = gpte & (PTE_R | PTE_X);

    if ((gpte & PTE_W) && (gpte & PTE_D))
        rights |= PTE_W;
    switch (role) {
    case ROLE_USER:
        return user ? rights : 0;
    case ROLE_KERNEL:
        return user ? 0 : rights;
    case ROLE_KERNEL_SUM:
        return user ? rights & ~(uint32_t)PTE_X : rights;
    default: /* ROLE_ASSIST: the machine asks for U itself */
        return rights;
    }
}

static bool leaf_says(struct vm *vm, const struct shadow *shadow, uint32_t gpte,
                      uint32_t spte)
{
    enum shadow_role role = shadow_role(shadow);
    hfn_t            hfn;

    if ((gpte & (PTE_V | PTE_A)) != (PTE_V | PTE_A) ||
        !p2m_lookup(vm, (gfn_t){ gpte >> PTE_PPN_SHIFT }, &hfn) ||
        hfn.raw != spte >> PTE_PPN_SHIFT)
        return false;
    if (role == ROLE_ASSIST && ((gpte ^ spte) & PTE_U))
        return false;
    return (spte & PTE_RWX & ~allowed(gpte, role)) == 0;
}

/* A link: to the shadow of the table that the guest's entry points to, or to
 * fragments of the megapage that it is. */
static bool link_says(struct vm *vm, const struct shadow *root, uint32_t gpte,
                      uint32_t spte)
{
    hfn_t                hfn = { spte >> PTE_PPN_SHIFT };
    const struct shadow *table = shadow_of_frame(vm, hfn);
    uint32_t             ppn = gpte >> PTE_PPN_SHIFT;

    if (!(gpte & PTE_V) || shadow_gfn(table) != ppn)
        return false;
    if (shadow_kind(table) == SHADOW_LEAF)
        return !(gpte & PTE_RWX) && shadow_role(table) == shadow_role(root);
    uint32_t rights = table->key & PTE_RWX;
    return (gpte & PTE_A) && ppn % PT_ENTRIES == 0 &&
           (rights & ~allowed(gpte, shadow_role(root))) == 0;
}

const char *audit_traced(struct audit *a, struct vm *vm,
                         const struct shadow *shadow)
{
    bool root = shadow_kind(shadow) == SHADOW_ROOT;

    a->frame = shadow->hfn.raw;
    audit_open(a, shadow->hfn);
    for (uint32_t i = 0; (i = audit_next(a, i)) < PT_ENTRIES; i++) {
        gpa_t    slot = { (shadow_gfn(shadow) << PAGE_SHIFT) + 4 * i };
        uint32_t spte = a->table[i], gpte;

        if (!vm_read32(vm, slot, &gpte) ||
            !(root ? link_says(vm, shadow, gpte, spte)
                   : leaf_says(vm, shadow, gpte, spte)))
            return "P7: a traced shadow has what the guest's table has not";
    }
    return NULL;
}
