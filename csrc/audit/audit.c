/* audit.c - recompute everything from scratch, and say what does not add up.
 *
 * The names are those of the properties in the book's chapter on isolation: P1
 * authority, P2 free is clean, P3 counted references, P5 quota, P6
 * conservation, P7 shadow justification (its hard half), P9 table protection,
 * P16 resource control, P37 no unlogged write, P38 copy on write. Second stages
 * are in stage2.c, what is special to style `direct` in direct.c.
 * Cost: proportional to the frames of the machine plus the tables in use. */
#include "audit/recount.h"
#include "sched/timer.h"

uint32_t *audit_refs(struct audit *a, uint32_t hfn)
{
    return &a->refs[hfn - a->hyp->frames.first];
}

bool audit_owned(struct audit *a, uint32_t hfn, uint32_t owner)
{
    a->frame = hfn;
    return frame_exists(&a->hyp->frames, (hfn_t){ hfn }) &&
           frame_of(&a->hyp->frames, (hfn_t){ hfn })->owner == owner;
}

void audit_count(struct audit *a, uint32_t hfn, bool use)
{
    ++*audit_refs(a, hfn);
    a->uses[hfn - a->hyp->frames.first] += use;
}

void audit_open(struct audit *a, hfn_t table)
{
    hal_read(a->hyp->hal, hfn_base(table), a->table, PAGE_SIZE);
}

#define RUN 16 /* entries that are looked at together */

static bool run_is_zero(const uint32_t *entry)
{
    uint32_t any = 0;

    for (int i = 0; i < RUN; i++)
        any |= entry[i];
    return any == 0;
}

uint32_t audit_next(const struct audit *a, uint32_t from)
{
    for (uint32_t i = from; i < PT_ENTRIES; i++) {
        while (i % RUN == 0 && i < PT_ENTRIES && run_is_zero(a->table + i))
            i += RUN;
        if (i < PT_ENTRIES && a->table[i])
            return i;
    }
    return PT_ENTRIES;
}

/* One entry with a frame: its VM's alone, or one that is shared. */
static const char *audit_entry(struct audit *a, struct vm *vm, uint32_t i)
{
    uint32_t hfn = vm->p2m.hfn[i], state = vm->p2m.state[i];

    if (!audit_owned(a, hfn, state & P2M_SHARED ? OWNER_SHARED : vm->id))
        return "P1: a p2m entry names a frame of somebody else";
    struct frame *frame = frame_of(&a->hyp->frames, (hfn_t){ hfn });
    if (state & P2M_GONE)
        return "P2: a page in the balloon has a frame";
    if (frame->type == FRAME_SHADOW ||
        (!(state & P2M_SHARED) && frame->gfn != vm->p2m.first + i))
        return "P1: a frame is in two places of guest memory";
    if (state & P2M_SHARED) {
        a->shares[hfn - a->hyp->frames.first]++;
        a->whose[hfn - a->hyp->frames.first] = vm->id;
    }
    ++*audit_refs(a, hfn);
    return NULL;
}

static const char *audit_p2m(struct audit *a, struct vm *vm)
{
    const struct p2m *p2m = &vm->p2m;
    uint32_t          populated = 0, own = 0, gone = 0;

    for (uint32_t i = 0; i < p2m->count; i++) {
        gone += (p2m->state[i] & P2M_GONE) != 0;
        if ((p2m->state[i] & P2M_CLEAN) && !p2m->logging)
            return "P37: a page is logged, and nobody asked for it";
        if (p2m->hfn[i] == NO_FRAME)
            continue;
        const char *bad = audit_entry(a, vm, i);
        if (bad)
            return bad;
        populated++;
        own += !(p2m->state[i] & P2M_SHARED);
    }
    if (populated != p2m->populated || own != p2m->own || gone != p2m->gone)
        return "P6: populated frames miscounted";
    return NULL;
}

/* A link: to the first level of one of this VM's own shadows. */
static const char *audit_link(struct audit *a, struct vm *vm, uint32_t pte,
                              uint32_t *links)
{
    uint32_t hfn = pte >> PTE_PPN_SHIFT;

    if (!audit_owned(a, hfn, OWNER_HYP))
        return "P11: a shadow root links a frame that is no shadow";
    struct shadow *table = shadow_of_frame(vm, (hfn_t){ hfn });
    if (!table || !table->live)
        return "P7: a shadow root links a table that is not in use";
    if ((pte & 0x3ff) != PTE_V || shadow_kind(table) == SHADOW_ROOT ||
        shadow_kind(table) == SHADOW_BARE)
        return "P7: a malformed link in a shadow root";
    ++*audit_refs(a, hfn);
    ++links[table - vm->shadows.pool];
    return NULL;
}

/* Some entry of this VM's p2m names the frame of a leaf, and lets it be
 * written if the leaf does. */
static const char *audit_frame_of_leaf(struct audit *a, struct vm *vm,
                                       uint32_t hfn, bool write)
{
    struct frame *frame = frame_of(&a->hyp->frames, (hfn_t){ hfn });
    hfn_t         now;

    if (frame->owner == OWNER_SHARED) {
        if (a->whose[hfn - a->hyp->frames.first] != vm->id)
            return "P7: a shadow maps a frame that the p2m does not";
        return write ? "P38: a shadow can write to a page that is shared"
                     : NULL;
    }
    if (!p2m_lookup(vm, (gfn_t){ frame->gfn }, &now) || now.raw != hfn)
        return "P7: a shadow maps a frame that the p2m does not";
    if (write && vm->p2m.state[frame->gfn - vm->p2m.first])
        return "P37: a shadow can write to a page that is logged";
    return NULL;
}

/* A leaf: rights within the frame's VM, and the p2m says where it is seen. */
static const char *audit_leaf(struct audit *a, struct vm *vm, uint32_t pte)
{
    uint32_t hfn = pte >> PTE_PPN_SHIFT;
    uint32_t fixed = PTE_V | PTE_A | PTE_D;

    if (!audit_owned(a, hfn, vm->id) && !audit_owned(a, hfn, OWNER_SHARED))
        return "P1: a shadow maps a frame of somebody else";
    if ((pte & fixed) != fixed || (pte & PTE_G) || !(pte & (PTE_R | PTE_X)))
        return "P7: a malformed leaf in a shadow";
    struct frame *frame = frame_of(&a->hyp->frames, (hfn_t){ hfn });
    if (frame->traced && (pte & PTE_W))
        return "P9: a table that is traced is mapped writable";
    if ((pte & PTE_W) && frame->type != FRAME_PLAIN)
        return "P9: a page table of the guest is mapped writable";
    audit_count(a, hfn, pte & PTE_W);
    return audit_frame_of_leaf(a, vm, hfn, pte & PTE_W);
}

/* Its neighbours on the list of the frame that it names point back at it. */
static bool audit_chain(struct audit *a, const struct shadow *shadow,
                        uint32_t index, uint32_t pte)
{
    struct frames    *frames = &a->hyp->frames;
    struct frame     *frame = frame_of(frames, (hfn_t){ pte >> PTE_PPN_SHIFT });
    uint32_t          head = frame->map, next = shadow->chain[index].next;
    struct rmap_entry found, before;

    if (shadow->chain[index].prev == NO_ENTRY) {
        if (!rmap_next(a->hyp, &head, &found) || found.shadow != shadow ||
            found.index != index)
            return false;
    } else {
        uint32_t prev = shadow->chain[index].prev;

        if (!rmap_next(a->hyp, &prev, &before) ||
            !rmap_next(a->hyp, &prev, &found) || found.shadow != shadow ||
            found.index != index)
            return false;
    }
    return next == NO_ENTRY ||
           (rmap_next(a->hyp, &next, &found) && found.shadow &&
            shadow_read(found.vm, found.shadow, found.index) >> PTE_PPN_SHIFT ==
                pte >> PTE_PPN_SHIFT);
}

/* What is noted as used, is. */
static const char *audit_used(const struct audit  *a,
                              const struct shadow *shadow)
{
    for (uint32_t word = 0; word < PT_ENTRIES / 32; word++)
        for (uint32_t i = 0; i < 32 && shadow->used[word] >> i; i++)
            if ((shadow->used[word] >> i & 1) && !a->table[32 * word + i])
                return "P3: a shadow entry that nobody accounts for";
    return NULL;
}

static const char *audit_shadow(struct audit *a, struct vm *vm,
                                struct shadow *shadow, uint32_t *links)
{
    bool root = shadow_kind(shadow) == SHADOW_ROOT ||
                shadow_kind(shadow) == SHADOW_BARE;

    *audit_refs(a, shadow->hfn.raw) += 1;
    audit_open(a, shadow->hfn);
    for (uint32_t i = 0; (i = audit_next(a, i)) < PT_ENTRIES; i++) {
        uint32_t pte = a->table[i];

        a->frame = shadow->hfn.raw;
        if (!(shadow->used[i / 32] >> i % 32 & 1) || !shadow->live)
            return "P3: a shadow entry that nobody accounts for";
        const char *bad = root ? audit_link(a, vm, pte, links)
                               : audit_leaf(a, vm, pte);
        if (bad)
            return bad;
        if (!audit_chain(a, shadow, i, pte))
            return "P3: the reverse map has lost an entry";
    }
    a->frame = shadow->hfn.raw;
    return audit_used(a, shadow);
}

/* Which of the guest's tables this shadow has under watch. */
static const char *audit_trace(struct audit *a, struct vm *vm,
                               const struct shadow *shadow)
{
    hfn_t hfn;

    if (!shadow->live || !shadow->traced)
        return NULL;
    if (!p2m_lookup(vm, (gfn_t){ shadow_gfn(shadow) }, &hfn))
        return "P9: a shadow traces a table that is not there";
    a->traced[hfn.raw - a->hyp->frames.first]++;
    return audit_traced(a, vm, shadow);
}

static const char *audit_shadows(struct audit *a, struct vm *vm,
                                 uint32_t *links)
{
    struct shadows *shadows = &vm->shadows;
    uint32_t        live = 0, framed = 0;

    for (uint32_t i = 0; i < shadows->count; i++)
        links[i] = 0;
    for (uint32_t i = 0; i < shadows->count; i++) {
        struct shadow *shadow = &shadows->pool[i];

        live += shadow->live;
        if (shadow->hfn.raw == NO_FRAME)
            continue;
        framed++;
        if (!audit_owned(a, shadow->hfn.raw, OWNER_HYP))
            return "P11: a shadow lives in somebody's frame";
        const char *bad = audit_shadow(a, vm, shadow, links);
        if (!bad)
            bad = audit_trace(a, vm, shadow);
        if (bad)
            return bad;
        *audit_refs(a, shadow->hfn.raw) += shadow->holds;
    }
    for (uint32_t i = 0; i < shadows->count; i++)
        if (links[i] != shadows->pool[i].links)
            return "P3: links to a shadow miscounted";
    if (live != shadows->in_use || framed != shadows->framed ||
        framed > vm->config.shadow_frames)
        return "P5: shadow pool miscounted";
    return NULL;
}

static const char *audit_vcpus(struct audit *a, struct vm *vm)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpu[i];
        bool ready = vcpu->state == VCPU_RUNNABLE && vm->state == VM_LIVE;

        if (vcpu->sched.queued != (ready && !vcpu->on && !vcpu->sched.parked))
            return "P26: a runnable vCPU is not queued, or the reverse";
        if (vcpu->on && vcpu->on->hyp->current != vcpu)
            return "P16: two vCPUs claim one hart";
        if (vcpu->on && vcpu->root && vcpu->entered &&
            (vcpu->on->hyp->real_satp & (SATP_MODE | SATP_PPN_MASK)) !=
                (SATP_MODE | vcpu->root->hfn.raw))
            return "P16: a hart runs on a root that is not its vCPU's";
        if (vcpu->on && vcpu->entered && vm->style->paging == &paging_stage2 &&
            (vcpu->on->hyp->real_satp & (HGATP_MODE | HGATP_PPN_MASK)) !=
                (HGATP_MODE | vm->stage2.root.raw))
            return "P16: a hart runs on a second stage that is not its VM's";
        hfn_t shared;
        if (vcpu->pv.shared_set &&
            p2m_lookup(vm, gpa_frame(vcpu->pv.shared), &shared))
            audit_count(a, shared.raw, true);
        if (vcpu->pv.sta_set &&
            p2m_lookup(vm, gpa_frame(vcpu->pv.sta), &shared))
            audit_count(a, shared.raw, true);
    }
    return NULL;
}

static const char *audit_frame(struct audit *a, uint32_t hfn, uint32_t *free,
                               uint32_t *hyp)
{
    struct frame *frame = frame_of(&a->hyp->frames, (hfn_t){ hfn });

    a->frame = hfn;
    *free += frame->owner == OWNER_FREE;
    *hyp += frame->owner == OWNER_HYP;
    if (frame->traced != a->traced[hfn - a->hyp->frames.first])
        return "P9: traced tables miscounted";
    if (frame->owner == OWNER_FREE && frame->map != NO_ENTRY)
        return "P2: a free frame is still mapped";
    if (frame->uses != a->uses[hfn - a->hyp->frames.first])
        return "P4: uses of a frame as its type miscounted";
    if (frame->refs != *audit_refs(a, hfn))
        return frame->owner == OWNER_FREE
                   ? "P2: a free frame is still referred to"
                   : "P3: references to a frame miscounted";
    if (frame->owner == OWNER_SHARED)
        return frame->gfn != a->shares[hfn - a->hyp->frames.first]
                   ? "P3: sharers of a frame miscounted"
               : frame->traced ? "P9: a shared frame is a table that is traced"
                               : NULL;
    if (frame->owner != OWNER_FREE && frame->owner != OWNER_HYP &&
        !hyp_vm(a->hyp, frame->owner))
        return "P40: a frame belongs to a VM that is gone";
    return NULL;
}

static const char *audit_frames(struct audit *a, uint32_t promised)
{
    struct frames *frames = &a->hyp->frames;
    uint32_t       free = 0, hyp = 0, listed = 0;

    for (uint32_t i = 0; i < frames->count; i++) {
        const char *bad = audit_frame(a, frames->first + i, &free, &hyp);
        if (bad)
            return bad;
    }
    a->frame = NO_FRAME;
    for (uint32_t f = frames->free_head; f != NO_FRAME && listed <= free;
         f = frame_of(frames, (hfn_t){ f })->gfn)
        listed++;
    if (free != frames->free || hyp != frames->hyp || listed != free)
        return "P6: free or hypervisor frames miscounted";
    if (promised != frames->reserved || promised > free)
        return "P6: more memory is promised than there is";
    return NULL;
}

static const char *audit_vm(struct audit *a, struct vm *vm)
{
    const char *bad = audit_p2m(a, vm);
    uint32_t   *links;

    if (!bad)
        bad = audit_stage2(a, vm);
    if (bad)
        return bad;
    links = hal_alloc(a->hyp->hal, vm->shadows.count * sizeof(uint32_t));
    if (!links)
        return audit_no_memory;
    bad = audit_shadows(a, vm, links);
    hal_free(a->hyp->hal, links);
    if (!bad)
        bad = audit_vcpus(a, vm);
    return bad || !vm->style->direct ? bad : audit_direct(a, vm);
}

/* What a VM was promised, less what it gave back, less what it has. */
static uint32_t audit_owed(const struct p2m *p2m)
{
    uint32_t promised = p2m->minimum;

    if (promised > p2m->count - p2m->gone)
        promised = p2m->count - p2m->gone;
    return p2m->own < promised ? promised - p2m->own : 0;
}

static const char *audit_all(struct audit *a)
{
    uint32_t    promised = 0;
    const char *order = audit_sched(a->hyp);

    if (order)
        return order;
    for (uint32_t i = 0; i < a->hyp->frames.count; i++)
        a->refs[i] = a->uses[i] = a->traced[i] = a->shares[i] = a->whose[i] = 0;
    for (uint32_t slot = 1; slot < a->hyp->nr_slots; slot++) {
        struct vm *vm = a->hyp->slot[slot];

        if (!vm)
            continue;
        const char *bad = audit_vm(a, vm);
        if (bad)
            return bad;
        promised += audit_owed(&vm->p2m) + vm->config.shadow_frames -
                    vm->shadows.framed + vm->stage2.promised -
                    vm->stage2.framed;
    }
    return audit_frames(a, promised);
}

const char audit_no_memory[] = "no memory for the audit";

const char *hyp_audit(struct hyp *hyp, uint32_t *frame)
{
    struct audit a = { .hyp = hyp, .frame = NO_FRAME };
    uint32_t     count = hyp->frames.count;

    a.refs = hal_alloc(hyp->hal, 5 * count * sizeof(uint32_t) + PAGE_SIZE);
    if (!a.refs)
        return audit_no_memory;
    a.uses = a.refs + count;
    a.traced = a.uses + count;
    a.shares = a.traced + count;
    a.whose = a.shares + count;
    a.table = a.whose + count;
    const char *bad = audit_all(&a);
    hal_free(hyp->hal, a.refs);
    *frame = a.frame;
    return bad;
}
