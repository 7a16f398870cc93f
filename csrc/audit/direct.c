/* direct.c - the tables of style `direct`, looked at from scratch.
 *
 * What may stand in an entry is said here a second time, in other words than
 * in pt_type.c: P1 authority, P3 counted references, P4 type exclusivity, P7
 * and P9 in one (the machine walks what the guest sees, which only the
 * hypervisor writes), P16 the real root. While stores are logged it walks
 * shadows of them: P7 is then that each entry is what the guest's says. */
#include "audit/recount.h"

static enum frame_type type_of(struct audit *a, uint32_t hfn)
{
    return frame_of(&a->hyp->frames, (hfn_t){ hfn })->type;
}

static const char *audit_pointer(struct audit *a, uint32_t pte)
{
    uint32_t hfn = pte >> PTE_PPN_SHIFT;

    if ((pte & 0xff) != PTE_V)
        return "P7: a root has an entry that is no pointer";
    if (type_of(a, hfn) != FRAME_LEAF_TABLE)
        return "P4: a root points to what is no leaf table";
    audit_count(a, hfn, true);
    return NULL;
}

static const char *audit_leaf(struct audit *a, uint32_t pte)
{
    uint32_t hfn = pte >> PTE_PPN_SHIFT, rights = pte & PTE_RWX;

    if (rights == 0 || rights == PTE_W || rights == (PTE_W | PTE_X) ||
        (pte & (PTE_U | PTE_G)) != PTE_U)
        return "P7: a leaf table has an entry that is no leaf";
    if ((rights & PTE_W) && type_of(a, hfn) != FRAME_PLAIN)
        return "P4: a page table is mapped writable";
    audit_count(a, hfn, rights & PTE_W);
    return NULL;
}

static const char *audit_table(struct audit *a, struct vm *vm, uint32_t hfn,
                               bool root)
{
    audit_open(a, (hfn_t){ hfn });
    for (uint32_t i = 0; (i = audit_next(a, i)) < PT_ENTRIES; i++) {
        uint32_t    pte = a->table[i];
        const char *bad;

        if (!(pte & PTE_V))
            continue;
        if (!audit_owned(a, pte >> PTE_PPN_SHIFT, vm->id))
            return "P1: a table names a frame of somebody else";
        bad = root ? audit_pointer(a, pte) : audit_leaf(a, pte);
        if (bad)
            return bad;
    }
    return NULL;
}

static const char *audit_root(struct audit *a, struct vm *vm, uint32_t hfn)
{
    if (!audit_owned(a, hfn, vm->id) || type_of(a, hfn) != FRAME_ROOT_TABLE)
        return "P16: a vCPU runs on what is no root of its VM";
    audit_count(a, hfn, true);
    return NULL;
}

static bool runs_on(const struct vm *vm, const struct vcpu *vcpu, uint32_t root)
{
    uint32_t gfn = frame_of(&vm->hyp->frames, (hfn_t){ root })->gfn;

    if (vm->p2m.logging) /* audit_vcpus() looks at the real satp */
        return vcpu->root && shadow_kind(vcpu->root) == SHADOW_ROOT &&
               shadow_gfn(vcpu->root) == gfn;
    return (vcpu->on->hyp->real_satp & (SATP_MODE | SATP_PPN_MASK)) ==
           (SATP_MODE | root);
}

static const char *audit_roots(struct audit *a, struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        const struct vcpu *vcpu = &vm->vcpu[i];
        uint32_t kernel = vcpu->roots.kernel.raw, user = vcpu->roots.user.raw;
        uint32_t force = vcpu->mode == PRIV_U ? user : kernel;
        const char *bad = NULL;

        if (kernel == NO_FRAME && user == NO_FRAME)
            continue;
        bad = audit_root(a, vm, kernel);
        if (!bad)
            bad = audit_root(a, vm, user);
        if (bad)
            return bad;
        if (vcpu->on && vcpu->entered && !runs_on(vm, vcpu, force))
            return "P16: a hart runs on a root that is not its vCPU's";
    }
    return NULL;
}

/* A shadow's entry, and the one in the guest's table that it stands for. */
static bool says_so(struct vm *vm, uint32_t spte, uint32_t gpte, bool root)
{
    struct frames *frames = &vm->hyp->frames;
    hfn_t          named = { gpte >> PTE_PPN_SHIFT };
    hfn_t          real = { spte >> PTE_PPN_SHIFT };
    uint32_t       more = spte & (PTE_RWX | PTE_U) & ~gpte;

    if (!(gpte & PTE_V))
        return false;
    if (root) {
        const struct shadow *leaves = shadow_of_frame(vm, real);

        return shadow_kind(leaves) == SHADOW_LEAF &&
               shadow_gfn(leaves) == frame_of(frames, named)->gfn;
    }
    return (gpte & PTE_A) && ((gpte & PTE_D) || !(spte & PTE_W)) && !more &&
           real.raw == named.raw;
}

/* A shadow of one of its tables, or of the untranslated mode. */
static const char *audit_copy(struct audit *a, struct vm *vm,
                              const struct shadow *shadow)
{
    bool  root = shadow_kind(shadow) == SHADOW_ROOT;
    hfn_t table;

    if (!root && shadow_kind(shadow) != SHADOW_LEAF)
        return NULL;
    a->frame = shadow->hfn.raw;
    if (!vm->p2m.logging)
        return "P7: a shadow of a table that the machine walks itself";
    if (!p2m_lookup(vm, (gfn_t){ shadow_gfn(shadow) }, &table) ||
        type_of(a, table.raw) != (root ? FRAME_ROOT_TABLE : FRAME_LEAF_TABLE))
        return "P7: a shadow of what is no table";
    audit_open(a, shadow->hfn);
    for (uint32_t i = 0; (i = audit_next(a, i)) < PT_ENTRIES; i++) {
        hpa_t slot = { hfn_base(table).raw + 4 * i };

        if (!says_so(vm, a->table[i], hal_read32(a->hyp->hal, slot), root))
            return "P7: a shadow has what the guest's table has not";
    }
    return NULL;
}

static const char *audit_copies(struct audit *a, struct vm *vm)
{
    const char *bad = NULL;

    for (uint32_t i = 0; i < vm->shadows.count && !bad; i++)
        if (vm->shadows.pool[i].live)
            bad = audit_copy(a, vm, &vm->shadows.pool[i]);
    return bad;
}

const char *audit_direct(struct audit *a, struct vm *vm)
{
    for (uint32_t i = 0; i < vm->p2m.count; i++) {
        uint32_t      hfn = vm->p2m.hfn[i];
        struct frame *frame;
        const char   *bad = NULL;

        a->frame = hfn;
        if (hfn == NO_FRAME)
            return "P6: memory that is not there at once";
        frame = frame_of(&a->hyp->frames, (hfn_t){ hfn });
        if (frame->type == FRAME_PLAIN && !frame->pinned)
            continue;
        if (frame->pinned)
            audit_count(a, hfn, true);
        if (frame->type == FRAME_PLAIN || frame->uses == 0)
            return "P4: a table that nobody uses, or a page that is pinned";
        bad = audit_table(a, vm, hfn, frame->type == FRAME_ROOT_TABLE);
        if (bad)
            return bad;
    }
    const char *bad = audit_copies(a, vm);
    return bad ? bad : audit_roots(a, vm);
}
