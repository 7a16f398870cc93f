/* shadow_fill.c - which shadow entry a guest's access needs.
 *
 * The guest touched an address; its tables allow that, the machine's do not
 * know yet. Find the root for the guest's mode, the table below it, and write
 * the one entry. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/shadow_set.h"

static enum shadow_role role_of(const struct vcpu *vcpu)
{
    if (vcpu->vm->style->in_hart)
        return ROLE_ASSIST;
    if (vcpu->mode == PRIV_U || vcpu->vm->style->direct)
        return ROLE_USER;
    return vcpu->csr.sstatus & MSTATUS_SUM ? ROLE_KERNEL_SUM : ROLE_KERNEL;
}

/* Untranslated, everything is allowed, to the mode that the machine is in. */
static uint32_t bare_rights(const struct vcpu *vcpu)
{
    bool real_s = vcpu->vm->style->in_hart && vcpu->mode == PRIV_S;

    return real_s ? PTE_RWX : PTE_RWX | PTE_U;
}

uint32_t shadow_root_key(const struct vcpu *vcpu)
{
    if (direct_loaded(vcpu))
        return shadow_key(SHADOW_ROOT, direct_root(vcpu).raw, role_of(vcpu), 0);
    if (!(vcpu->csr.satp & SATP_MODE))
        return shadow_key(SHADOW_BARE, 0, ROLE_USER, bare_rights(vcpu));
    return shadow_key(SHADOW_ROOT, vcpu->csr.satp & SATP_PPN_MASK,
                      role_of(vcpu), 0);
}

/* marker: shadow-rights */
uint32_t shadow_rights(uint32_t gpte, enum shadow_role role)
{
    uint32_t rights = gpte & PTE_RWX;

    if (!(gpte & PTE_D))
        rights &= ~(uint32_t)PTE_W; /* the first store must be seen: sets D */
    if (role == ROLE_ASSIST)
        return rights | (gpte & PTE_U);
    if (role == ROLE_USER ? !(gpte & PTE_U)
                          : (gpte & PTE_U) && role == ROLE_KERNEL)
        return 0;
    if ((gpte & PTE_U) && role == ROLE_KERNEL_SUM)
        rights &= ~(uint32_t)PTE_X; /* SUM lets data through, never code */
    return rights | PTE_U;          /* all of it runs in real U-mode */
}
/* marker: end */

/* What to link at level 1: the table's shadow, or a fragment of 4 MiB. */
static uint32_t table_key(struct vcpu *vcpu, const struct walk *walk,
                          uint32_t rights)
{
    gpa_t first = { walk->pa.raw & ~(uint32_t)(MEGAPAGE_SIZE - 1) };

    if (walk->level == 0)
        return shadow_key(SHADOW_LEAF, gpa_frame(walk->slot).raw, role_of(vcpu),
                          0);
    return shadow_key(SHADOW_FRAGMENT, gpa_frame(first).raw, ROLE_USER, rights);
}

static bool linked(const struct vm *vm, const struct shadow *root,
                   uint32_t index, const struct shadow *table)
{
    return shadow_used(root, index) &&
           shadow_read(vm, root, index) >> PTE_PPN_SHIFT == table->hfn.raw;
}

/* marker: lab-shadow-express */
/* A load of an execute-only page under MXR, through a role that took X away:
 * the one thing that rights in an entry cannot say. */
static bool can_express(const struct vcpu *vcpu, uint32_t rights,
                        enum access access)
{
    bool mxr = vcpu->csr.sstatus & MSTATUS_MXR;

    switch (access) {
    case ACCESS_FETCH:
        return rights & PTE_X;
    case ACCESS_LOAD:
        return rights & (mxr ? PTE_R | PTE_X : PTE_R);
    default:
        return rights & PTE_W;
    }
}
/* marker: end */

/* This entry changes: what the TLB knows from it, here and, if the table is
 * linked at other addresses too, there, must go. */
static void forget_entry(struct vcpu *vcpu, const struct shadow *table,
                         gva_t page)
{
    if (table->links > 1)
        tag_forget(vcpu->vm);
    else
        tag_forget_page(vcpu->vm, page);
}

/* marker: shadow-fill */
bool shadow_fill(struct vcpu *vcpu, gva_t va, enum access access,
                 const struct walk *walk)
{
    struct vm *vm = vcpu->vm;
    uint32_t   rights = bare_rights(vcpu);
    gva_t      page = { va.raw & ~(uint32_t)PAGE_MASK };

    if (walk->level >= 0)
        rights = shadow_rights(walk->pte, role_of(vcpu));
    if (!can_express(vcpu, rights, access))
        return false;
    struct shadow *root = shadow_get(vcpu, shadow_root_key(vcpu));
    struct shadow *table = shadow_get(vcpu, table_key(vcpu, walk, rights));

    if (!linked(vm, root, pt_index(va, 1), table)) {
        if (shadow_used(root, pt_index(va, 1)))
            tag_forget(vm); /* the TLB may know what was linked there */
        sync_relink(vm, vcpu->on, table);
        shadow_set_link(vcpu, root, pt_index(va, 1), table);
    }
    if (shadow_used(table, pt_index(va, 0)))
        forget_entry(vcpu, table, page);
    shadow_set_leaf(vcpu, table, pt_index(va, 0), gpa_frame(walk->pa), rights);
    shadow_release(vm, table);
    shadow_release(vm, root);
    return true;
}
/* marker: end */
