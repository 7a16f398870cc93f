/* direct.c - the style `direct`: roots, faults, and the calls about tables.
 *
 * What a table is, is in pt_type.c. The CPU side is that of pv.c. */
#include "hyp/direct.h"
#include "abi/cause.h"
#include "abi/csr.h"
#include "abi/pv.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"

#define ERR(e) ((struct sbi_ret){ (e), 0 })
#define OK     ERR(SBI_SUCCESS)

bool direct_init(struct vm *vm, const char **why)
{
    *why = "no memory for the tags of its roots";
    vm->root_tag = hal_alloc(vm->hyp->hal, vm->p2m.count * sizeof(struct tag));
    for (uint32_t i = 0; vm->root_tag && i < vm->p2m.count; i++)
        vm->root_tag[i] = (struct tag){ .generation = 0 };
    return vm->root_tag != NULL;
}

void direct_populate(struct vm *vm)
{
    hfn_t hfn;

    for (uint32_t i = 0; i < vm->p2m.count; i++)
        p2m_populate(vm, NULL, (gfn_t){ vm->p2m.first + i }, &hfn);
}

static void drop_pins(struct vm *vm, enum frame_type type)
{
    for (uint32_t i = 0; i < vm->p2m.count; i++) {
        hfn_t         hfn = { vm->p2m.hfn[i] };
        struct frame *frame = frame_of(&vm->hyp->frames, hfn);

        if (frame->type != type)
            continue;
        frame->pinned = false;
        pt_drop(vm, NULL, hfn);
    }
}

/* Roots first: they hold leaf tables. */
void direct_fini(struct vm *vm)
{
    drop_pins(vm, FRAME_ROOT_TABLE);
    drop_pins(vm, FRAME_LEAF_TABLE);
    hal_free(vm->hyp->hal, vm->root_tag);
}

/* Roots -------------------------------------------------------------------- */

bool direct_loaded(const struct vcpu *vcpu)
{
    return vcpu->roots.kernel.raw != NO_FRAME;
}

/* A root in use is a use of it as a root: unpinned, it stays one. */
void direct_load(struct vcpu *vcpu, struct roots roots)
{
    struct vm   *vm = vcpu->vm;
    struct roots old = vcpu->roots;

    if (roots.kernel.raw != NO_FRAME) {
        bool held = frame_use(&vm->hyp->frames, roots.kernel,
                              FRAME_ROOT_TABLE) &&
                    frame_use(&vm->hyp->frames, roots.user, FRAME_ROOT_TABLE);

        HV_ASSERT(vm->hyp->hal, held);
    }
    vcpu->roots = roots;
    if (old.kernel.raw != NO_FRAME) {
        paging_shadow.release(vcpu); /* of one of those, if stores are logged */
        pt_drop(vm, vcpu->on, old.kernel);
        pt_drop(vm, vcpu->on, old.user);
    }
}

static hfn_t root_in_force(const struct vcpu *vcpu)
{
    return vcpu->mode == PRIV_U ? vcpu->roots.user : vcpu->roots.kernel;
}

gfn_t direct_root(const struct vcpu *vcpu)
{
    hfn_t root = root_in_force(vcpu);

    return (gfn_t){ frame_of(&vcpu->vm->hyp->frames, root)->gfn };
}

/* marker: direct-satp */
static bool on_shadows(const struct vcpu *vcpu)
{
    return !direct_loaded(vcpu) || vcpu->vm->p2m.logging;
}

static uint32_t direct_satp(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    if (on_shadows(vcpu))
        return paging_shadow.root(vcpu);
    paging_shadow.release(vcpu);
    hfn_t         root = root_in_force(vcpu);
    struct frame *frame = frame_of(&vm->hyp->frames, root);

    HV_ASSERT(vm->hyp->hal,
              frame->owner == vm->id && frame->type == FRAME_ROOT_TABLE);
    struct tag *tag = &vm->root_tag[frame->gfn - vm->p2m.first];
    return SATP_MODE | tag_use(vm, vcpu->on, TAG_ASID, tag) << SATP_ASID_SHIFT |
           root.raw;
}
/* marker: end */

static void direct_release(struct vcpu *vcpu)
{
    paging_shadow.release(vcpu);
}

void direct_unlog(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        paging_shadow.release(&vm->vcpu[i]);
    shadow_reset(vm);
}

static bool find_root(const struct vm *vm, gpa_t page, hfn_t *hfn)
{
    return page.raw % PAGE_SIZE == 0 && p2m_lookup(vm, gpa_frame(page), hfn) &&
           frame_of(&vm->hyp->frames, *hfn)->type == FRAME_ROOT_TABLE;
}

struct sbi_ret direct_set_roots(struct vcpu *vcpu, gpa_t kernel, gpa_t user)
{
    struct roots roots = NO_ROOTS;

    if ((kernel.raw || user.raw) &&
        (!find_root(vcpu->vm, kernel, &roots.kernel) ||
         !find_root(vcpu->vm, user, &roots.user)))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    direct_load(vcpu, roots);
    return OK;
}

/* Faults ------------------------------------------------------------------- */

/*
 * Untranslated, the shadow of its p2m is all it has: a store into a table, and
 * an access to what is no RAM, are its own mistakes. There are no devices.
 */
static enum trap_action untranslated_fault(struct vcpu *vcpu,
                                           enum access access, struct trap trap)
{
    struct vm *vm = vcpu->vm;
    gpa_t      pa = { trap.tval };
    bool       ram = p2m_has(vm, gpa_frame(pa));

    if (ram && (access != ACCESS_STORE || vm_writable(vm, pa, 1)))
        return paging_shadow.fault(vcpu, access, trap);
    vm->count.exit_fault++;
    return vcpu_fault(vcpu, walk_cause(ram ? WALK_FAULT : WALK_OUTSIDE, access),
                      pa.raw);
}

/* marker: direct-fault */
static enum trap_action direct_fault(struct vcpu *vcpu, enum access access,
                                     struct trap trap)
{
    if (!direct_loaded(vcpu))
        return untranslated_fault(vcpu, access, trap);
    if (on_shadows(vcpu))
        return paging_shadow.fault(vcpu, access, trap);
    /* The tables are the guest's, and so is what they refuse. */
    vcpu->vm->count.exit_fault++;
    return vcpu_fault(vcpu, trap.cause, trap.tval);
}
/* marker: end */

/* pt_update has already made the TLB forget what is no longer so. */
static bool direct_fence(struct vm *vm, struct pcpu *pcpu, bool one_page,
                         gva_t va)
{
    (void)pcpu;
    if (one_page)
        tag_forget_page(vm, va);
    else
        tag_forget(vm);
    return true;
}

static bool leaf_permits(uint32_t pte, bool mxr, enum access access)
{
    switch (access) {
    case ACCESS_FETCH:
        return pte & PTE_X;
    case ACCESS_LOAD:
        return pte & (mxr ? PTE_R | PTE_X : PTE_R);
    default:
        return pte & PTE_W;
    }
}

/* Validated tables name nothing but frames of this VM. */
struct walk direct_walk(struct vcpu *vcpu, gva_t va, enum access access)
{
    struct vm  *vm = vcpu->vm;
    struct walk walk = { .status = WALK_FAULT };
    uint32_t    hfn = root_in_force(vcpu).raw, gfn = 0;
    bool        mxr = vcpu->csr.sstatus & MSTATUS_MXR;
    uint32_t    need = access == ACCESS_STORE ? PTE_A | PTE_D : PTE_A;

    for (walk.level = 1; walk.level >= 0; walk.level--) {
        uint32_t index = pt_index(va, walk.level);

        gfn = frame_of(&vm->hyp->frames, (hfn_t){ hfn })->gfn;
        walk.slot.raw = gfn << PAGE_SHIFT | 4 * index;
        vm_read32(vm, walk.slot, &walk.pte);
        if (!(walk.pte & PTE_V))
            return walk;
        hfn = walk.pte >> PTE_PPN_SHIFT;
    }
    walk.level = 0;
    if (!leaf_permits(walk.pte, mxr, access) ||
        (vm->hyp->config.ad_fault && (walk.pte & need) != need))
        return walk;
    gfn = frame_of(&vm->hyp->frames, (hfn_t){ hfn })->gfn;
    walk.pa.raw = gfn << PAGE_SHIFT | (va.raw & PAGE_MASK);
    walk.status = WALK_OK;
    return walk;
}

/* Calls -------------------------------------------------------------------- */

struct sbi_ret direct_map(struct vcpu *vcpu, gfn_t first, uint32_t count,
                          gpa_t list)
{
    struct vm *vm = vcpu->vm;
    uint32_t   index = first.raw - vm->p2m.first;

    if (count < 1 || count > PV_MEMORY_MAP_MAX || list.raw % 4 != 0)
        return ERR(SBI_ERR_INVALID_PARAM);
    if (index >= vm->p2m.count || count > vm->p2m.count - index ||
        !vm_writable(vm, list, 4 * count))
        return ERR(SBI_ERR_INVALID_ADDRESS);
    for (uint32_t i = 0; i < count; i++)
        vm_write32(vm, vcpu->on, (gpa_t){ list.raw + 4 * i },
                   vm->p2m.hfn[index + i]);
    hal_charge(vcpu->on, HAL_COST_word_copy, count);
    return OK;
}

/* The table that a slot is in, and what it is. */
static enum frame_type slot_table(const struct vm *vm, uint32_t slot,
                                  hfn_t *table)
{
    p2m_lookup(vm, gpa_frame((gpa_t){ slot }), table);
    return frame_of(&vm->hyp->frames, *table)->type;
}

/* marker: direct-update */
/*
 * What may stand in one entry depends on the types of frames, and no update
 * changes one. So each entry of the list can be judged for itself, all before
 * the first is stored.
 */
struct sbi_ret direct_update(struct vcpu *vcpu, uint32_t (*entry)[2],
                             uint32_t     count)
{
    struct vm *vm = vcpu->vm;
    bool       forget = false;
    hfn_t      table;

    for (uint32_t i = 0; i < count; i++) {
        enum frame_type type = slot_table(vm, entry[i][0], &table);

        if (type == FRAME_PLAIN)
            return ERR(SBI_ERR_DENIED);
        if (!pt_entry_ok(vm, type, entry[i][1]))
            return ERR(SBI_ERR_INVALID_PARAM);
    }
    for (uint32_t i = 0; i < count; i++) {
        gpa_t slot = { entry[i][0] };

        p2m_writable(vm, vcpu->on, gpa_frame(slot), &table); /* it is noted */
        if (pt_entry_set(vm, table, (slot.raw & PAGE_MASK) / 4, entry[i][1]))
            forget = true;
        shadow_forget_slot(vm, vcpu->on, slot);
    }
    if (forget)
        tag_forget(vm);
    return OK;
}
/* marker: end */

static const struct paging paging_direct = {
    .name = "direct",
    .prepare = direct_init,
    .fault = direct_fault,
    .root = direct_satp,
    .release = direct_release,
    .fence = direct_fence,
    .protect = paging_protect,
};

const struct style style_direct = {
    .name = "direct",
    .paging = &paging_direct,
    .illegal = pv_illegal,
    .inject = pv_inject,
    .pending = pv_pending,
    .wakes = pv_wakes,
    .enter = deprivileged_enter,
    .hypercalls = true,
    .direct = true,
};
