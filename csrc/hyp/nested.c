/* nested.c - the style `nested`: a kernel that does not know, on extension H.
 *
 * The guest kernel runs in VS-mode and its programs in VU. It has a set of
 * supervisor CSRs of its own, its own page tables, its own traps and fences, and
 * nothing of that exits. What does:
 *
 *   20, 21, 23   guest-page faults: memory never touched, or a device
 *   10           an ecall of its kernel, SBI
 *   22           virtual instructions: wfi, so that another vCPU can run, and
 *                cycle and instret, since the machine counts ours in as well
 *   interrupts   the machine's timer and devices
 *
 * `time` is read without an exit: it is the machine's, plus htimedelta. */
#include "hyp/hyp.h"
#include "hyp/mmio.h"
#include "hyp/services.h"

/* The page has its frame from here on, to be written if the access does that,
 * or if it was mapped: then it was the machine that could not set A or D in one
 * of the guest's tables, whatever the access was. False: no memory. */
static bool memory_ready(struct vcpu *vcpu, gfn_t gfn, enum access access)
{
    hfn_t hfn;

    if (access == ACCESS_STORE || stage2_leaf(vcpu->vm, gfn))
        return p2m_writable(vcpu->vm, vcpu->on, gfn, &hfn) == P2M_OK;
    return p2m_populate(vcpu->vm, vcpu->on, gfn, &hfn) == P2M_OK;
}

/* marker: nested-fault */
static enum trap_action stage2_fault(struct vcpu *vcpu, enum access access,
                                     struct trap trap)
{
    struct vm *vm = vcpu->vm;
    gva_t      va = { trap.tval };

    if (p2m_has(vm, trap.gfn)) {
        if (!memory_ready(vcpu, trap.gfn, access))
            return reclaim_wait(vcpu);
        stage2_map(vm, vcpu->on, trap.gfn);
        vm->count.exit_stage2++;
        return TRAP_RESUME;
    }
    /* No RAM: a device, or nothing, or one of the guest's tables is nowhere. */
    struct walk walk = walk_guest(vcpu, va, access);
    if (walk.status != WALK_OK) {
        vm->count.exit_fault++;
        return vcpu_fault(vcpu, walk_cause(walk.status, access), va.raw);
    }
    if (!walk_set_ad(vcpu, &walk, access))
        return reclaim_wait(vcpu);
    vm->count.exit_mmio++;
    return mmio_emulate(vcpu, va, access, walk.pa);
}
/* marker: end */

/* Two vCPUs have different tables of their own, and so different VMIDs. What a
 * vCPU fenced elsewhere, this hart was not told of. */
static uint32_t stage2_hgatp(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    if (vcpu->vmid_on != vcpu->on->id)
        vcpu->vmid = (struct tag){ .generation = 0 };
    vcpu->vmid_on = vcpu->on->id;
    return HGATP_MODE |
           tag_use(vm, vcpu->on, TAG_VMID, &vcpu->vmid) << HGATP_VMID_SHIFT |
           vm->stage2.root.raw;
}

/* The table is the VM's: a vCPU holds nothing of it. */
static void stage2_let_go(struct vcpu *vcpu)
{
    (void)vcpu;
}

/* Asked for by SBI call, of all vCPUs: they get new VMIDs. */
static bool stage2_fence(struct vm *vm, struct pcpu *pcpu, bool one_page,
                         gva_t va)
{
    (void)pcpu, (void)one_page, (void)va;
    tag_forget(vm);
    return true;
}

const struct paging paging_stage2 = {
    .name = "stage2",
    .prepare = stage2_init,
    .fault = stage2_fault,
    .root = stage2_hgatp,
    .release = stage2_let_go,
    .fence = stage2_fence,
    .zap = paging_zap,
    .protect = paging_protect,
};

/* marker: nested-enter */
static void nested_enter(struct vcpu *vcpu, struct world *world)
{
    world->kind = WORLD_NESTED;
    world->mode = vcpu->mode;
    world->sip = vcpu_sip(vcpu);
    world->csr = &vcpu->csr;
    world->born = vcpu->vm->born_time;
}
/* marker: end */

const struct style style_nested = {
    .name = "nested",
    .paging = &paging_stage2,
    .illegal = emulate_illegal,
    .inject = emulate_inject,
    .pending = emulate_pending,
    .wakes = emulate_wakes,
    .enter = nested_enter,
    .in_hart = true,
};
