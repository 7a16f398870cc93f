/* paging.c - translation by shadow tables: the memory side of the styles that
 * have them, from the machine's page fault to the table that the hart walks.
 * Which entry is missing is decided in shadow_fill.c. */
#include "hyp/hyp.h"
#include "hyp/mmio.h"
#include "hyp/services.h"

/* Is there machine memory for what the access is about to touch? If it stores,
 * the page is its own from here on, and noted as written. */
static bool memory_ready(struct vcpu *vcpu, const struct walk *walk,
                         enum access access)
{
    gfn_t gfn = gpa_frame(walk->pa);
    hfn_t hfn;

    return (access == ACCESS_STORE
                ? p2m_writable(vcpu->vm, vcpu->on, gfn, &hfn)
                : p2m_populate(vcpu->vm, vcpu->on, gfn, &hfn)) != P2M_EXHAUSTED;
}

/* marker: on-page-fault */
static enum trap_action shadow_fault(struct vcpu *vcpu, enum access access,
                                     struct trap trap)
{
    struct vm      *vm = vcpu->vm;
    gva_t           va = { trap.tval };
    struct walk     walk = walk_guest(vcpu, va, access);
    enum sync_store store = STORE_FREE;
    uint64_t        copies = vm->count.unshared;

    if (walk.status != WALK_OK) {
        vm->count.exit_fault++;
        return vcpu_fault(vcpu, walk_cause(walk.status, access), va.raw);
    }
    if (!memory_ready(vcpu, &walk, access) || !walk_set_ad(vcpu, &walk, access))
        return reclaim_wait(vcpu);
    if (vm->count.unshared != copies) {
        vm->count.exit_shadow++;
        return TRAP_RESUME; /* enough for one exit: it faults again */
    }
    if (access == ACCESS_STORE)
        store = shadow_store(vcpu, walk.pa);
    vm->count.exit_trace += store != STORE_FREE;
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

/* A VM that was moved between styles has what is left of both. */
void paging_zap(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, bool lost)
{
    shadow_zap(vm, pcpu, gfn, lost);
    stage2_zap(vm, pcpu, gfn);
}

void paging_protect(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    hfn_t hfn;

    if (!p2m_lookup(vm, gfn, &hfn))
        return;
    shadow_protect(vm->hyp, pcpu, hfn);
    stage2_protect(vm, pcpu, gfn);
}

const struct paging paging_shadow = {
    .name = "shadow",
    .prepare = shadow_prepare,
    .fault = shadow_fault,
    .root = shadow_satp,
    .release = shadow_let_go,
    .fence = shadow_fence,
    .zap = paging_zap,
    .protect = paging_protect,
};
