/* shadow.c - the pool of shadow tables: find, make, link, fence, evict.
 *
 * Every entry is written by one of three setters at the top of this file.
 * They keep the counts and check what must hold of a shadow whatever the guest
 * did: it maps only frames of its own VM, and links only its own tables. Which
 * entry to write is decided in shadow_fill.c. */
#include "hyp/assert.h"
#include "hyp/hyp.h"
#include "hyp/shadow_set.h"

uint32_t shadow_read(const struct vm *vm, const struct shadow *shadow,
                     uint32_t index)
{
    hpa_t base = hfn_base(shadow->hfn);

    return hal_read32(vm->hyp->hal, (hpa_t){ base.raw + 4 * index });
}

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

void shadow_set_leaf(struct vcpu *vcpu, struct shadow *shadow, uint32_t index,
                     hfn_t hfn, uint32_t rights)
{
    struct vm     *vm = vcpu->vm;
    struct frames *frames = &vm->hyp->frames;
    uint32_t pte = hfn.raw << PTE_PPN_SHIFT | rights | PTE_A | PTE_D | PTE_V;

    HV_ASSERT(vm->hyp->hal, frame_of(frames, hfn)->owner == vm->id);
    HV_ASSERT(vm->hyp->hal, (rights & ~(uint32_t)(PTE_RWX | PTE_U)) == 0 &&
                                (rights & (PTE_R | PTE_X)));
    if (!(rights & PTE_W))
        frame_get(frames, hfn);
    else if (!frame_use(frames, hfn, FRAME_PLAIN))
        hal_halt(vm->hyp->hal, "shadow.c: a table of the guest, writable");
    shadow_clear(vm, vcpu->on, shadow, index);
    shadow_write(vm, vcpu->on, shadow, index, pte);
    vm->count.shadow_fills++;
}

void shadow_set_link(struct vcpu *vcpu, struct shadow *root, uint32_t index,
                     struct shadow *table)
{
    struct vm *vm = vcpu->vm;

    HV_ASSERT(vm->hyp->hal, shadow_of_frame(vm, table->hfn) == table);
    frame_get(&vm->hyp->frames, table->hfn);
    table->links++;
    shadow_clear(vm, vcpu->on, root, index);
    shadow_write(vm, vcpu->on, root, index,
                 table->hfn.raw << PTE_PPN_SHIFT | PTE_V);
}

void shadow_clear(struct vm *vm, struct pcpu *pcpu, struct shadow *shadow,
                  uint32_t index)
{
    if (!shadow_used(shadow, index))
        return;
    uint32_t pte = shadow_read(vm, shadow, index);
    hfn_t    hfn = { pte >> PTE_PPN_SHIFT };

    if (!(pte & PTE_RWX))
        shadow_of_frame(vm, hfn)->links--;
    if (pte & PTE_W)
        frame_unuse(&vm->hyp->frames, hfn);
    else
        frame_put(&vm->hyp->frames, hfn);
    shadow_write(vm, pcpu, shadow, index, 0);
}

static void shadow_clear_all(struct vm *vm, struct pcpu *pcpu,
                             struct shadow *shadow)
{
    for (uint32_t word = 0; word < PT_ENTRIES / 32; word++)
        for (uint32_t bit = 0; shadow->used[word]; bit++)
            shadow_clear(vm, pcpu, shadow, 32 * word + bit);
}

static struct shadow **shadow_bucket(struct vm *vm, uint32_t key)
{
    uint32_t hash = (key ^ key >> 16) * 0x9e3779b1u;

    return &vm->shadows.bucket[hash >> 26];
}

/* Nothing refers to it any more: back to the free list, its frame all zero. */
static void shadow_retire(struct vm *vm, struct pcpu *pcpu,
                          struct shadow *shadow)
{
    struct shadow **at = shadow_bucket(vm, shadow->key);

    HV_ASSERT(vm->hyp->hal, shadow->holds == 0 && shadow->links == 0);
    shadow_clear_all(vm, pcpu, shadow);
    while (*at != shadow)
        at = &(*at)->next;
    *at = shadow->next;
    shadow->live = false;
    shadow->next = vm->shadows.free;
    vm->shadows.free = shadow;
    vm->shadows.in_use--;
}

static bool is_root(const struct shadow *shadow)
{
    return shadow->live && (shadow_kind(shadow) == SHADOW_ROOT ||
                            shadow_kind(shadow) == SHADOW_BARE);
}

/* Remove every link to it, so that no root reaches it. */
static void shadow_unlink(struct vm *vm, struct pcpu *pcpu,
                          const struct shadow *table)
{
    uint32_t link = table->hfn.raw << PTE_PPN_SHIFT | PTE_V;

    for (uint32_t i = 0; i < vm->shadows.count && table->links; i++) {
        struct shadow *root = &vm->shadows.pool[i];

        for (uint32_t n = 0; is_root(root) && n < PT_ENTRIES; n++)
            if (shadow_used(root, n) && shadow_read(vm, root, n) == link)
                shadow_clear(vm, pcpu, root, n);
    }
}

/*
 * Make room. The hand goes round the pool and takes the first table that no
 * vCPU runs on: first in, first out, but for what is in use. The pool is never
 * smaller than SHADOW_MIN_FRAMES, and one access needs a root and a leaf, so
 * there always is one.
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

static struct shadow *shadow_make(struct vcpu *vcpu, uint32_t key)
{
    struct vm      *vm = vcpu->vm;
    struct shadows *shadows = &vm->shadows;
    struct shadow **bucket = shadow_bucket(vm, key);

    if (!shadows->free)
        shadow_evict(vcpu);
    struct shadow *shadow = shadows->free;
    HV_ASSERT(vm->hyp->hal, shadow != NULL);
    shadows->free = shadow->next;
    if (shadow->hfn.raw == NO_FRAME) {
        struct frames *frames = &vm->hyp->frames;

        shadow->hfn = frame_alloc(frames, vcpu->on, OWNER_HYP, FRAME_SHADOW);
        frame_of(frames, shadow->hfn)->vm = vm->id;
        frame_of(frames, shadow->hfn)->gfn = (uint32_t)(shadow - shadows->pool);
        shadows->framed++;
    }
    shadow->key = key;
    shadow->tag = (struct tag){ .generation = 0 };
    shadow->live = true;
    shadow->next = *bucket;
    *bucket = shadow;
    shadows->in_use++;
    vm->count.shadow_tables++;
    return shadow;
}

struct shadow *shadow_get(struct vcpu *vcpu, uint32_t key)
{
    struct shadow *shadow = *shadow_bucket(vcpu->vm, key);

    while (shadow && shadow->key != key)
        shadow = shadow->next;
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

/* Fragments and the untranslated root are derived from the p2m alone; no
 * guest table can make them stale. */
static bool is_synchronised(const struct shadow *shadow)
{
    return shadow_kind(shadow) == SHADOW_ROOT ||
           shadow_kind(shadow) == SHADOW_LEAF;
}

/* Links of roots go first, so that every leaf table can be retired after. */
static void shadow_drop_all(struct vm *vm, struct pcpu *pcpu)
{
    struct shadows *shadows = &vm->shadows;

    for (uint32_t i = 0; i < shadows->count; i++)
        if (is_root(&shadows->pool[i]) && is_synchronised(&shadows->pool[i]))
            shadow_clear_all(vm, pcpu, &shadows->pool[i]);
    for (uint32_t i = 0; i < shadows->count; i++) {
        struct shadow *shadow = &shadows->pool[i];

        if (!shadow->live || !is_synchronised(shadow) || shadow->holds)
            continue;
        shadow_retire(vm, pcpu, shadow);
        vm->count.shadow_drops++;
    }
}

static struct shadow *shadow_linked(struct vm *vm, const struct shadow *root,
                                    uint32_t index)
{
    hfn_t hfn = { shadow_read(vm, root, index) >> PTE_PPN_SHIFT };

    return shadow_of_frame(vm, hfn);
}

/* Does the guest's root still point to the table that this link stands for? */
static bool link_current(struct vm *vm, const struct shadow *root,
                         uint32_t index)
{
    const struct shadow *table = shadow_linked(vm, root, index);
    gpa_t    slot = { (shadow_gfn(root) << PAGE_SHIFT) + 4 * index };
    uint32_t gpte, low = PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D;

    return shadow_kind(table) == SHADOW_LEAF && vm_read32(vm, slot, &gpte) &&
           (gpte & low) == PTE_V && gpte >> PTE_PPN_SHIFT == shadow_gfn(table);
}

/*
 * The address may be mapped through any root, also one that is not in force.
 * One address stands for all of its megapage, and a table may be linked in
 * several places: true if more than this page was dropped. A table that is
 * linked nowhere is left alone: linking it will look at all its entries.
 */
static bool shadow_drop_page(struct vm *vm, struct pcpu *pcpu, gva_t va)
{
    uint32_t index = pt_index(va, 1);
    bool     more = false;

    for (uint32_t i = 0; i < vm->shadows.count; i++) {
        struct shadow *root = &vm->shadows.pool[i];

        if (!root->live || shadow_kind(root) != SHADOW_ROOT ||
            !shadow_used(root, index))
            continue;
        if (link_current(vm, root, index)) {
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

void shadow_forget_slot(struct vm *vm, struct pcpu *pcpu, gpa_t slot)
{
    for (uint32_t i = 0; i < vm->shadows.count; i++) {
        struct shadow *shadow = &vm->shadows.pool[i];

        if (shadow->live && is_synchronised(shadow) &&
            shadow_gfn(shadow) == gpa_frame(slot).raw)
            shadow_clear(vm, pcpu, shadow, (slot.raw & PAGE_MASK) / 4);
    }
}

void shadow_unmap_untranslated(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    for (uint32_t i = 0; i < vm->shadows.count; i++) {
        struct shadow *shadow = &vm->shadows.pool[i];

        if (shadow->live && shadow_kind(shadow) == SHADOW_FRAGMENT &&
            gfn.raw - shadow_gfn(shadow) < PT_ENTRIES &&
            shadow_used(shadow, gfn.raw % PT_ENTRIES)) {
            shadow_clear(vm, pcpu, shadow, gfn.raw % PT_ENTRIES);
            tag_forget(vm);
        }
    }
}

void shadow_fence(struct vm *vm, struct pcpu *pcpu, bool one_page, gva_t va)
{
    if (!one_page)
        shadow_drop_all(vm, pcpu);
    else if (!shadow_drop_page(vm, pcpu, va)) {
        hal_fence(pcpu, (struct fence){ .va = va, .size = PAGE_SIZE });
        return;
    }
    tag_forget(vm);
}

bool shadows_init(struct vm *vm)
{
    struct shadows *shadows = &vm->shadows;

    *shadows = (struct shadows){ .count = vm->config.shadow_frames };
    shadows->pool = hal_alloc(vm->hyp->hal,
                              shadows->count * sizeof(struct shadow));
    if (!shadows->pool)
        return false;
    for (uint32_t i = shadows->count; i-- > 0;) {
        shadows->pool[i] = (struct shadow){
            .hfn = { NO_FRAME },
            .next = shadows->free,
        };
        shadows->free = &shadows->pool[i];
    }
    return true;
}

/* All vCPUs have let go of their roots. Links first, as for a full fence. */
void shadows_fini(struct vm *vm)
{
    struct shadows *shadows = &vm->shadows;

    for (uint32_t i = 0; i < shadows->count; i++)
        if (is_root(&shadows->pool[i]))
            shadow_clear_all(vm, NULL, &shadows->pool[i]);
    for (uint32_t i = 0; i < shadows->count; i++) {
        if (shadows->pool[i].live)
            shadow_retire(vm, NULL, &shadows->pool[i]);
        if (shadows->pool[i].hfn.raw != NO_FRAME)
            frame_free(&vm->hyp->frames, shadows->pool[i].hfn);
    }
    hal_free(vm->hyp->hal, shadows->pool);
}
