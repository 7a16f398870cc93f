/* shadow_sync.c - how shadows follow the tables that they are derived from.
 *
 *            a store to a table       a fence of one page     of everything
 *   lazy     is not seen              that entry goes         every link goes;
 *                                                             a table is compared
 *                                                             when linked again
 *   trace    first: the table goes    tables out of sync are compared, and
 *            out of sync              watched again
 *   strict   is emulated, and the     nothing is to be done
 *            entry goes
 *   told     is told by hypercall,    as lazy                 as lazy
 *            and the entry goes
 *
 * Tables of style `direct`, while stores to its memory are logged, are followed
 * as exactly as can be: they change by hypercall, and their shadows are told,
 * whatever the policy is called.
 *
 * Watching means that no mapping of the table's frame has W. Fences ask for
 * less than they get: an entry that goes is filled again by the next access. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/mmio.h"
#include "hyp/shadow_set.h"

static bool traces(const struct vm *vm)
{
    return !vm->style->direct &&
           (vm->sync == SYNC_TRACE || vm->sync == SYNC_TRACE_STRICT);
}

/* --- watching stores ---------------------------------------------------------- */

/* marker: lab-sync-protect */
void shadow_protect(struct hyp *hyp, struct pcpu *pcpu, hfn_t hfn)
{
    uint32_t          at = frame_of(&hyp->frames, hfn)->map;
    struct rmap_entry entry;

    while (rmap_next(hyp, &at, &entry)) {
        shadow_cut(entry.vm, pcpu, entry.shadow, entry.index);
        tag_forget(entry.vm);
    }
}
/* marker: end */

void shadow_unmap(struct hyp *hyp, struct pcpu *pcpu, hfn_t hfn)
{
    uint32_t          at = frame_of(&hyp->frames, hfn)->map;
    struct rmap_entry entry;

    while (rmap_next(hyp, &at, &entry)) {
        shadow_clear(entry.vm, pcpu, entry.shadow, entry.index);
        tag_forget(entry.vm);
    }
}

/* marker: lab-sync-begin */
void sync_begin(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow)
{
    hfn_t hfn;

    shadow->traced = false;
    if (!traces(vm) || !shadow_synchronised(shadow) ||
        p2m_own(vm, pcpu, (gfn_t){ shadow_gfn(shadow) }, &hfn) != P2M_OK)
        return; /* a root outside memory, or none for a copy: out of sync */
    shadow->traced = true;
    if (frame_of(&vm->hyp->frames, hfn)->traced++ == 0)
        shadow_protect(vm->hyp, pcpu, hfn);
}
/* marker: end */

void sync_end(struct vm *vm, struct shadow *shadow)
{
    hfn_t hfn;

    if (!shadow->traced)
        return;
    bool there = p2m_lookup(vm, (gfn_t){ shadow_gfn(shadow) }, &hfn);
    HV_ASSERT(vm->hyp->hal, there);
    frame_of(&vm->hyp->frames, hfn)->traced--;
    shadow->traced = false;
}

/* --- entries ------------------------------------------------------------------ */

/* The shadows of one guest table: for each role, as a root and as leaves. */
#define NR_VIEWS 8

static struct shadow *view(struct vm *vm, uint32_t gfn, uint32_t n)
{
    enum shadow_kind kind = n & 1 ? SHADOW_LEAF : SHADOW_ROOT;

    return shadow_find(vm,
                       shadow_key(kind, gfn, (enum shadow_role)(n >> 1), 0));
}

static struct shadow *shadow_linked(struct vm *vm, const struct shadow *root,
                                    uint32_t index)
{
    hfn_t hfn = { shadow_read(vm, root, index) >> PTE_PPN_SHIFT };

    return shadow_of_frame(vm, hfn);
}

static bool guest_entry(struct vm *vm, struct pcpu *pcpu,
                        const struct shadow *shadow, uint32_t index,
                        uint32_t *gpte)
{
    gpa_t slot = { (shadow_gfn(shadow) << PAGE_SHIFT) + 4 * index };

    if (pcpu)
        hal_charge(pcpu, HAL_COST_guest_read, 1);
    return vm_read32(vm, slot, gpte);
}

/* Does the guest's root still point to the table that this link stands for? */
static bool link_current(struct vm *vm, struct pcpu *pcpu,
                         const struct shadow *root, uint32_t index)
{
    const struct shadow *table = shadow_linked(vm, root, index);
    uint32_t             gpte, low = PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D;

    return shadow_kind(table) == SHADOW_LEAF &&
           guest_entry(vm, pcpu, root, index, &gpte) && (gpte & low) == PTE_V &&
           gpte >> PTE_PPN_SHIFT == shadow_gfn(table);
}

/* marker: lab-sync-leaf */
/* Is this leaf no more than what the guest's says now? (U is not one right
 * more, but another reader.) */
static bool leaf_current(struct vm *vm, struct pcpu *pcpu,
                         const struct shadow *table, uint32_t index)
{
    uint32_t spte = shadow_read(vm, table, index), gpte;
    hfn_t    hfn;

    if (!guest_entry(vm, pcpu, table, index, &gpte) || !(gpte & PTE_V) ||
        !(gpte & PTE_A) ||
        !p2m_lookup(vm, (gfn_t){ gpte >> PTE_PPN_SHIFT }, &hfn) ||
        hfn.raw != spte >> PTE_PPN_SHIFT)
        return false;
    uint32_t rights = shadow_rights(gpte, shadow_role(table));
    return (spte & PTE_RWX & ~rights) == 0 && ((spte ^ rights) & PTE_U) == 0;
}
/* marker: end */

/* Entries that no longer agree with the guest's table go; and after so many of
 * those the rest, unread: that is work enough for one table. */
#define MANY_STALE 128

/* marker: lab-sync-compare */
static void compare(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow)
{
    uint32_t stale = 0;

    vm->count.shadow_syncs++;
    for (uint32_t i = 0; i < PT_ENTRIES; i++) {
        if (!shadow_used(shadow, i))
            continue;
        if (stale < MANY_STALE &&
            (shadow_is_root(shadow) ? link_current(vm, pcpu, shadow, i)
                                    : leaf_current(vm, pcpu, shadow, i)))
            continue;
        shadow_clear(vm, pcpu, shadow, i);
        tag_forget(vm);
        stale++;
    }
}
/* marker: end */

/* A leaf table that was cached without being linked here may hold entries that
 * were never reachable at these addresses, where the machine would read them
 * afresh. A table that is watched, or of style `direct`, has no such entries. */
void sync_relink(struct vm *vm, struct pcpu *pcpu, struct shadow *table)
{
    if (shadow_kind(table) == SHADOW_LEAF && !table->traced &&
        !vm->style->direct)
        compare(vm, pcpu, table);
}

/* --- stores ------------------------------------------------------------------- */

void shadow_forget_slot(struct vm *vm, struct pcpu *pcpu, gpa_t slot)
{
    uint32_t index = (slot.raw & PAGE_MASK) / 4;

    for (uint32_t n = 0; n < NR_VIEWS; n++) {
        struct shadow *shadow = view(vm, gpa_frame(slot).raw, n);

        if (!shadow || !shadow_used(shadow, index))
            continue;
        shadow_clear(vm, pcpu, shadow, index);
        tag_forget(vm);
    }
}

void shadow_written(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t len)
{
    gpa_t slot = { pa.raw & ~3u };

    for (; slot.raw - (pa.raw & ~3u) < len + (pa.raw & 3); slot.raw += 4)
        shadow_forget_slot(vm, pcpu, slot);
}

/* No entry of this VM names this frame any more; how many did. */
static uint32_t forget_frame(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    uint32_t          at, n = 0;
    struct rmap_entry entry;
    hfn_t             hfn;

    if (!p2m_lookup(vm, gfn, &hfn))
        return 0;
    for (at = frame_of(&vm->hyp->frames, hfn)->map;
         rmap_next(vm->hyp, &at, &entry); n++)
        if (entry.vm == vm)
            shadow_clear(vm, pcpu, entry.shadow, entry.index);
    tag_forget(vm);
    return n;
}

void shadow_zap(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, bool lost)
{
    for (uint32_t n = 0; lost && n < NR_VIEWS; n++) {
        struct shadow *shadow = view(vm, gfn.raw, n);

        if (shadow) {
            shadow_clear_all(vm, pcpu, shadow);
            sync_end(vm, shadow);
        }
    }
    forget_frame(vm, pcpu, gfn);
}

/* May another piece wait? Only once some work is done that going back to the
 * instruction does not undo: whoever asks again and again gets to the end. */
static bool may_wait(struct pcpu *pcpu, uint32_t done)
{
    return done >= EXIT_LEAST && exit_enough(pcpu);
}

/* marker: wipe */
bool shadow_wipe(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, uint32_t *done)
{
    for (uint32_t n = 0; n < NR_VIEWS; n++) {
        struct shadow *shadow = view(vm, gfn.raw, n);

        if (shadow && may_wait(pcpu, *done))
            return false;
        if (shadow)
            *done += shadow_clear_all(vm, pcpu, shadow);
    }
    *done += forget_frame(vm, pcpu, gfn);
    return !may_wait(pcpu, *done);
}
/* marker: end */

/* What is to become of the table that is stored to? */
struct views {
    bool idle;   /* no root leads to it any more */
    bool leaves; /* it is used as a table of leaves alone */
};

static struct views views_of(struct vm *vm, uint32_t gfn)
{
    struct views views = { true, true };

    for (uint32_t n = 0; n < NR_VIEWS; n++) {
        const struct shadow *shadow = view(vm, gfn, n);

        if (!shadow)
            continue;
        /* Also one that is out of sync: a vCPU may run on it. */
        views.idle = views.idle && !shadow->links && !shadow->holds;
        if (!shadow->traced)
            continue;
        views.leaves = views.leaves && shadow_kind(shadow) == SHADOW_LEAF;
    }
    return views;
}

/* Watch no longer: it is out of sync, or, if idle, forgotten. */
static void let_go(struct vm *vm, struct pcpu *pcpu, uint32_t gfn, bool idle)
{
    for (uint32_t n = 0; n < NR_VIEWS; n++) {
        struct shadow *shadow = view(vm, gfn, n);

        if (shadow && idle)
            shadow_retire(vm, pcpu, shadow);
        else if (shadow)
            sync_end(vm, shadow);
    }
}

void shadow_drop(struct vm *vm, struct pcpu *pcpu, gfn_t table)
{
    let_go(vm, pcpu, table.raw, true);
}

/* marker: sync-store */
/*
 * A table that is not in use is data again. One that is, is emulated under the
 * strict policy, and otherwise let go until the next fence if it has leaves
 * alone. AMO and SC are never emulated: an SC that came by an exit has lost
 * its reservation, and would never succeed.
 */
enum sync_store shadow_store(struct vcpu *vcpu, gpa_t pa)
{
    struct vm *vm = vcpu->vm;
    hfn_t      hfn;

    if (!p2m_lookup(vm, gpa_frame(pa), &hfn) ||
        !frame_of(&vm->hyp->frames, hfn)->traced)
        return STORE_FREE;
    struct views views = views_of(vm, gpa_frame(pa).raw);
    bool         let = views.idle || (views.leaves && vm->sync == SYNC_TRACE) ||
                       !mmio_plain_store(vcpu);
    if (!let)
        return STORE_EMULATE;
    let_go(vm, vcpu->on, gpa_frame(pa).raw, views.idle);
    return STORE_LET;
}
/* marker: end */

/* --- fences ------------------------------------------------------------------- */

/* marker: sync-forget-all */
/* Every link of a root goes: what it led to will be compared when it is linked
 * again. False: there are more; what was done needs not be done again. */
static bool forget_all(struct vm *vm, struct pcpu *pcpu)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < vm->shadows.count; i++) {
        struct shadow *root = &vm->shadows.pool[i];

        if (!root->live || shadow_kind(root) != SHADOW_ROOT)
            continue;
        if (may_wait(pcpu, done))
            return false;
        done += shadow_clear_all(vm, pcpu, root);
        if (root->holds)
            continue;
        shadow_retire(vm, pcpu, root);
        vm->count.shadow_drops++;
        done += EXIT_LEAST;
    }
    return true;
}
/* marker: end */

/*
 * The address may be mapped through any root, also one that is not in force.
 * One address stands for all of its megapage, and a table may be linked in
 * several places: true if more than this page was dropped. A table that is
 * linked nowhere is left alone: linking it will look at all its entries.
 */
static bool forget_page(struct vm *vm, struct pcpu *pcpu, gva_t va)
{
    uint32_t index = pt_index(va, 1);
    bool     more = false;

    for (uint32_t i = 0; i < vm->shadows.count; i++) {
        struct shadow *root = &vm->shadows.pool[i];

        if (!root->live || shadow_kind(root) != SHADOW_ROOT ||
            !shadow_used(root, index))
            continue;
        if (link_current(vm, NULL, root, index)) {
            struct shadow *table = shadow_linked(vm, root, index);

            more = more || table->links > 1;
            shadow_clear(vm, pcpu, table, pt_index(va, 0));
        } else {
            more = true;
            shadow_clear(vm, pcpu, root, index);
        }
    }
    return more;
}

/* Back in sync, and watched again; what is not in use is forgotten. */
static bool sync_all(struct vm *vm, struct pcpu *pcpu)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < vm->shadows.count; i++) {
        struct shadow *shadow = &vm->shadows.pool[i];

        if (!shadow->live || !shadow_synchronised(shadow) || shadow->traced)
            continue;
        if (may_wait(pcpu, done))
            return false;
        if (!shadow->links && !shadow->holds) {
            shadow_retire(vm, pcpu, shadow);
            vm->count.shadow_drops++;
            done += EXIT_LEAST;
            continue;
        }
        compare(vm, pcpu, shadow);
        sync_begin(vm, pcpu, shadow);
        done += shadow->traced ? EXIT_LEAST : 0; /* or again next time */
    }
    return true;
}

bool shadow_fence(struct vm *vm, struct pcpu *pcpu, bool one_page, gva_t va)
{
    bool all = true;

    if (traces(vm))
        all = sync_all(vm, pcpu);
    else if (!one_page)
        all = forget_all(vm, pcpu);
    else if (!forget_page(vm, pcpu, va)) {
        tag_forget_page(vm, va);
        return true;
    }
    tag_forget(vm);
    return all;
}

/* Links go first, so that every table can be retired after. */
void shadow_reset(struct vm *vm)
{
    struct shadows *shadows = &vm->shadows;

    for (uint32_t i = 0; i < shadows->count; i++)
        if (shadows->pool[i].live && shadow_is_root(&shadows->pool[i]))
            shadow_clear_all(vm, NULL, &shadows->pool[i]);
    for (uint32_t i = 0; i < shadows->count; i++)
        if (shadows->pool[i].live)
            shadow_retire(vm, NULL, &shadows->pool[i]);
    tag_forget(vm);
}
