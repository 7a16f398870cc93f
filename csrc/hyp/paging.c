/* paging.c - translation by shadow tables: the memory side of the styles that
 * have them, from the machine's page fault to the table that the hart walks.
 * Which entry is missing is decided in shadow_fill.c. */
#include "hyp/hyp.h"
#include "hyp/mmio.h"

/* marker: on-page-fault */
static enum trap_action shadow_fault(struct vcpu *vcpu, enum access access,
                                     struct trap trap)
{
    struct vm      *vm = vcpu->vm;
    gva_t           va = { trap.tval };
    struct walk     walk = walk_guest(vcpu, va, access);
    enum sync_store store = STORE_FREE;

    if (walk.status != WALK_OK) {
        vm->count.exit_fault++;
        return vcpu_fault(vcpu, walk_cause(walk.status, access), va.raw);
    }
    walk_set_ad(vcpu, &walk, access);
    if (access == ACCESS_STORE && (store = shadow_store(vcpu, walk.pa)))
        vm->count.exit_trace++;
    if (store == STORE_EMULATE)
        return mmio_emulate(vcpu, va, access, walk.pa);
    if (!p2m_has(vm, gpa_frame(walk.pa)) ||
        !shadow_fill(vcpu, va, access, &walk)) {
        vm->count.exit_mmio += store == STORE_FREE;
        return mmio_emulate(vcpu, va, access, walk.pa);
    }
    vm->count.exit_shadow += store == STORE_FREE;
    return TRAP_RESUME;
}
/* marker: end */

/* The table for the mode and address space that the guest is in. */
static uint32_t shadow_satp(struct vcpu *vcpu)
{
    struct vm     *vm = vcpu->vm;
    struct shadow *old = vcpu->root;
    uint32_t       key = shadow_root_key(vcpu);

    if (!old || old->key != key) {
        vcpu->root = shadow_get(vcpu, key);
        if (old)
            shadow_release(vm, old);
    }
    return SATP_MODE |
           tag_use(vm, vcpu->on, TAG_ASID, &vcpu->root->tag)
               << SATP_ASID_SHIFT |
           vcpu->root->hfn.raw;
}

/* The pool was made with the VM: it may take this style at any time. */
static bool shadow_prepare(struct vm *vm, const char **why)
{
    (void)vm, (void)why;
    return true;
}

static void shadow_let_go(struct vcpu *vcpu)
{
    if (vcpu->root)
        shadow_release(vcpu->vm, vcpu->root);
    vcpu->root = NULL;
}

const struct paging paging_shadow = {
    .name = "shadow",
    .prepare = shadow_prepare,
    .fault = shadow_fault,
    .root = shadow_satp,
    .release = shadow_let_go,
    .fence = shadow_fence,
};
