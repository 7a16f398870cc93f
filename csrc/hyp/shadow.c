/* shadow.c - the pool of shadow tables: find, make, link, evict.
 *
 * Every entry is written by one of three setters at the top of this file.
 * They keep the counts and check what must hold of a shadow whatever the guest
 * did: it maps only frames that the p2m has, writable only where that lets it,
 * and links only its own tables. Which entry to write is decided in
 * shadow_fill.c. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/shadow_set.h"

uint32_t shadow_read(const struct vm *vm, const struct shadow *shadow,
                     uint32_t index)
{
    hpa_t base = hfn_base(shadow->hfn);

    return hal_read32(vm->hyp->hal, (hpa_t){ base.raw + 4 * index });
}

/* The setters keep the reverse map; this only stores. */
static void shadow_write(struct vm *vm, struct pcpu *pcpu,
                         struct shadow *shadow, uint32_t index, uint32_t pte)
{
    hpa_t base = hfn_base(shadow->hfn);

    hal_write32(vm->hyp->hal, (hpa_t){ base.raw + 4 * index }, pte);
    if (pte)
        shadow->used[index / 32] |= 1u << index % 32;
    else
        shadow->used[index / 32] &= ~(1u << index % 32);
    if (pcpu)
        hal_charge(pcpu, HAL_COST_shadow_write, 1);
}

struct shadow *shadow_of_frame(struct vm *vm, hfn_t hfn)
{
    struct frame *frame = frame_of(&vm->hyp->frames, hfn);

    if (frame->type != FRAME_SHADOW || frame->vm != vm->id)
        return NULL;
    return &vm->shadows.pool[frame->gfn];
}

bool shadow_used(const struct shadow *shadow, uint32_t index)
{
    return shadow->used[index / 32] >> index % 32 & 1;
}

/* An entry that can write uses its frame as plain memory, others just refer
 * to theirs. */
static void shadow_refer(struct vm *vm, hfn_t hfn, uint32_t pte)
{
    struct frames *frames = &vm->hyp->frames;

    if (!(pte & PTE_W))
        frame_get(frames, hfn);
    else if (!frame_use(frames, hfn, FRAME_PLAIN))
        hal_halt(vm->hyp->hal, "shadow.c: a table of the guest, writable");
}

static void shadow_unrefer(struct vm *vm, hfn_t hfn, uint32_t pte)
{
    if (pte & PTE_W)
        frame_unuse(&vm->hyp->frames, hfn);
    else
        frame_put(&vm->hyp->frames, hfn);
}

/* An entry begins to name a frame. A VM has at most RMAP_MAX that name the same
 * one, and forgets the oldest for one more: to take them all away is bounded
 * work (P25). */
static void shadow_name(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                        uint32_t index, hfn_t hfn, uint32_t pte)
{
    struct rmap_entry oldest;

    shadow_clear(vm, pcpu, shadow, index);
    if (rmap_full(vm, hfn, &oldest)) {
        shadow_clear(vm, pcpu, oldest.shadow, oldest.index);
        tag_forget(vm);
    }
    shadow_refer(vm, hfn, pte);
    rmap_add(vm->hyp, hfn, shadow, index);
    shadow_write(vm, pcpu, shadow, index, pte);
}

void shadow_set_leaf(struct vcpu *vcpu, struct shadow *shadow, uint32_t index,
                     gfn_t gfn, uint32_t rights)
{
    struct vm *vm = vcpu->vm;
    hfn_t      hfn;
    bool       there = p2m_lookup(vm, gfn, &hfn);

    HV_ASSERT(vm->hyp->hal, there);
    const struct frame *frame = frame_of(&vm->hyp->frames, hfn);
    HV_ASSERT(vm->hyp->hal,
              frame->owner == vm->id || frame->owner == OWNER_SHARED);
    HV_ASSERT(vm->hyp->hal, (rights & ~(uint32_t)(PTE_RWX | PTE_U)) == 0 &&
                                (rights & (PTE_R | PTE_X)));
    if (frame->traced || frame->type != FRAME_PLAIN || !p2m_may_write(vm, gfn))
        rights &= ~(uint32_t)PTE_W;
    shadow_name(vm, vcpu->on, shadow, index, hfn,
                hfn.raw << PTE_PPN_SHIFT | rights | PTE_A | PTE_D | PTE_V);
    vm->count.shadow_fills++;
}

void shadow_set_link(struct vcpu *vcpu, struct shadow *root, uint32_t index,
                     struct shadow *table)
{
    struct vm *vm = vcpu->vm;

    HV_ASSERT(vm->hyp->hal, shadow_of_frame(vm, table->hfn) == table);
    table->links++; /* first, in case what is there now links it, too */
    shadow_name(vm, vcpu->on, root, index, table->hfn,
                table->hfn.raw << PTE_PPN_SHIFT | PTE_V);
}

void shadow_clear(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                  uint32_t index)
{
    if (!shadow_used(shadow, index))
        return;
    uint32_t pte = shadow_read(vm, shadow, index);
    hfn_t    hfn = { pte >> PTE_PPN_SHIFT };

    if (!(pte & PTE_RWX)) {
        struct shadow *table = shadow_of_frame(vm, hfn);

        HV_ASSERT(vm->hyp->hal, table);
        table->links--;
    }
    rmap_remove(vm->hyp, hfn, shadow, index);
    shadow_unrefer(vm, hfn, pte);
    shadow_write(vm, pcpu, shadow, index, 0);
}

uint32_t shadow_clear_all(struct vm *vm, struct pcpu *pcpu,
                          struct shadow *shadow)
{
    uint32_t n = 0;

    for (uint32_t word = 0; word < PT_ENTRIES / 32; word++)
        for (uint32_t bit = 0; shadow->used[word]; bit++) {
            n += shadow_used(shadow, 32 * word + bit);
            shadow_clear(vm, pcpu, shadow, 32 * word + bit);
        }
    return n;
}

void shadow_cut(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                uint32_t index)
{
    uint32_t pte = shadow_read(vm, shadow, index);

    hfn_t    hfn = { pte >> PTE_PPN_SHIFT };
    uint32_t less = pte & ~(uint32_t)PTE_W;

    if (less == pte)
        return;
    shadow_refer(vm, hfn, less);
    shadow_unrefer(vm, hfn, pte);
    shadow_write(vm, pcpu, shadow, index, less);
}

static struct shadow **shadow_bucket(struct vm *vm, uint32_t key)
{
    uint32_t hash = (key ^ key >> 16) * 0x9e3779b1u;

    return &vm->shadows.bucket[hash >> 26];
}

void shadow_retire(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow)
{
    struct shadow **at = shadow_bucket(vm, shadow->key);

    HV_ASSERT(vm->hyp->hal, shadow->holds == 0 && shadow->links == 0);
    shadow_clear_all(vm, pcpu, shadow);
    sync_end(vm, shadow);
    while (*at != shadow)
        at = &(*at)->next;
    *at = shadow->next;
    shadow->live = false;
    shadow->next = vm->shadows.free;
    vm->shadows.free = shadow;
    vm->shadows.in_use--;
}

/* Remove every link to it, so that no root reaches it. */
static void shadow_unlink(struct vm *vm, struct pcpu *pcpu,
                          const struct shadow *table)
{
    struct rmap_entry entry;
    uint32_t          at = frame_of(&vm->hyp->frames, table->hfn)->map;

    while (rmap_next(vm->hyp, &at, &entry))
        shadow_clear(vm, pcpu, entry.shadow, entry.index);
}

/* marker: shadow-evict */
/*
 * Make room. The hand goes round the pool and takes the first table that no
 * vCPU runs on: first in, first out, but for what is in use. The pool has at
 * least SHADOW_MIN_FRAMES for each vCPU that can run at the same time, and one
 * access needs a root and a leaf, so there always is one.
 */
static void shadow_evict(struct vcpu *vcpu)
{
    struct vm      *vm = vcpu->vm;
    struct shadows *shadows = &vm->shadows;

    for (uint32_t i = 0; i < shadows->count; i++) {
        struct shadow *victim = &shadows->pool[shadows->hand];

        shadows->hand = (shadows->hand + 1) % shadows->count;
        if (!victim->live || victim->holds)
            continue;
        shadow_unlink(vm, vcpu->on, victim);
        shadow_retire(vm, vcpu->on, victim);
        tag_forget(vm);
        vm->count.shadow_evictions++;
        return;
    }
    hal_halt(vm->hyp->hal, "shadow.c: a pool with nothing to evict");
}
/* marker: end */

/* Give a pool entry its frame, out of the VM's reservation, and the links of
 * its reverse map. False: no memory for those. */
static bool shadow_equip(struct vm *vm, struct pcpu *pcpu,
                         struct shadow *shadow)
{
    struct frames *frames = &vm->hyp->frames;

    if (!shadow->chain)
        shadow->chain = hal_alloc(vm->hyp->hal,
                                  PT_ENTRIES * sizeof(struct rmap_link));
    if (!shadow->chain)
        return false;
    if (shadow->hfn.raw != NO_FRAME)
        return true;
    shadow->hfn = frame_alloc(frames, pcpu, OWNER_HYP, FRAME_SHADOW);
    frame_of(frames, shadow->hfn)->vm = vm->id;
    frame_of(frames, shadow->hfn)->gfn = (uint32_t)(shadow - vm->shadows.pool);
    vm->shadows.framed++;
    return true;
}

/* A free pool entry. The first SHADOW_MIN_FRAMES of each that can run had their
 * links from the beginning, so where there is no memory for more there is one to evict. */
static struct shadow *shadow_take(struct vcpu *vcpu)
{
    struct shadows *shadows = &vcpu->vm->shadows;

    if (!shadows->free || !shadow_equip(vcpu->vm, vcpu->on, shadows->free))
        shadow_evict(vcpu);
    struct shadow *shadow = shadows->free;
    bool           ready = shadow && shadow_equip(vcpu->vm, vcpu->on, shadow);

    HV_ASSERT(vcpu->vm->hyp->hal, ready);
    shadows->free = shadow->next;
    return shadow;
}

static struct shadow *shadow_make(struct vcpu *vcpu, uint32_t key)
{
    struct vm      *vm = vcpu->vm;
    struct shadow **bucket = shadow_bucket(vm, key);
    struct shadow  *shadow = shadow_take(vcpu);

    shadow->key = key;
    shadow->tag = (struct tag){ .generation = 0 };
    shadow->live = true;
    shadow->next = *bucket;
    *bucket = shadow;
    vm->shadows.in_use++;
    vm->count.shadow_tables++;
    sync_begin(vm, vcpu->on, shadow);
    return shadow;
}

/* marker: lab-shadow-cache */
struct shadow *shadow_find(struct vm *vm, uint32_t key)
{
    struct shadow *shadow = *shadow_bucket(vm, key);

    while (shadow && shadow->key != key)
        shadow = shadow->next;
    return shadow;
}

struct shadow *shadow_get(struct vcpu *vcpu, uint32_t key)
{
    struct shadow *shadow = shadow_find(vcpu->vm, key);

    if (!shadow)
        shadow = shadow_make(vcpu, key);
    shadow->holds++;
    frame_get(&vcpu->vm->hyp->frames, shadow->hfn);
    return shadow;
}

void shadow_release(struct vm *vm, struct shadow *shadow)
{
    HV_ASSERT(vm->hyp->hal, shadow->live && shadow->holds > 0);
    shadow->holds--;
    frame_put(&vm->hyp->frames, shadow->hfn);
}
/* marker: end */

/* All of the pool is free, to be taken in its order. */
static void shadows_list(struct shadows *shadows)
{
    shadows->hand = 0;
    shadows->free = NULL;
    for (uint32_t i = shadows->count; i-- > 0;) {
        shadows->pool[i].next = shadows->free;
        shadows->free = &shadows->pool[i];
    }
}

static void shadows_free(struct vm *vm)
{
    for (uint32_t i = 0; i < vm->shadows.count; i++)
        if (vm->shadows.pool[i].chain)
            hal_free(vm->hyp->hal, vm->shadows.pool[i].chain);
    hal_free(vm->hyp->hal, vm->shadows.pool);
    vm->shadows.pool = NULL;
}

bool shadows_init(struct vm *vm)
{
    struct shadows *shadows = &vm->shadows;
    size_t          links = PT_ENTRIES * sizeof(struct rmap_link);
    uint32_t        at_once = vm->config.nr_vcpus;

    if (at_once > vm->hyp->nr_cpus)
        at_once = vm->hyp->nr_cpus;
    *shadows = (struct shadows){ .count = vm->config.shadow_frames };
    shadows->pool = hal_alloc(vm->hyp->hal,
                              shadows->count * sizeof(struct shadow));
    if (!shadows->pool)
        return false;
    for (uint32_t i = 0; i < shadows->count; i++)
        shadows->pool[i] = (struct shadow){ .hfn = { NO_FRAME } };
    shadows_list(shadows);
    for (uint32_t i = 0; i < shadows->count && i < SHADOW_MIN_FRAMES * at_once;
         i++) {
        shadows->pool[i].chain = hal_alloc(vm->hyp->hal, links);
        if (!shadows->pool[i].chain) {
            shadows_free(vm);
            return false;
        }
    }
    return true;
}

void shadows_clear(struct vm *vm)
{
    struct shadows *shadows = &vm->shadows;
    uint32_t        framed = shadows->framed;

    shadow_reset(vm);
    for (uint32_t i = 0; i < shadows->count; i++) {
        if (shadows->pool[i].hfn.raw != NO_FRAME)
            frame_free(&vm->hyp->frames, shadows->pool[i].hfn);
        shadows->pool[i].hfn.raw = NO_FRAME;
    }
    shadows->framed = 0;
    bool kept = frames_reserve(&vm->hyp->frames, framed);
    HV_ASSERT(vm->hyp->hal, kept); /* they are free now */
    shadows_list(shadows);
}

/* All vCPUs have let go of their roots. */
void shadows_fini(struct vm *vm)
{
    struct shadows *shadows = &vm->shadows;

    shadow_reset(vm);
    for (uint32_t i = 0; i < shadows->count; i++)
        if (shadows->pool[i].hfn.raw != NO_FRAME)
            frame_free(&vm->hyp->frames, shadows->pool[i].hfn);
    shadows_free(vm);
}
