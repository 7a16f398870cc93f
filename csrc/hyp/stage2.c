/* stage2.c - the second-stage table of a VM: make, fill, take away.
 *
 * set_leaf() and set_link() are the only writers. Each checks the invariant of
 * what it stores (P1, P7): a leaf maps a frame of this VM where the p2m has it,
 * writable only where that lets it; a link names one of this VM's own tables. */
#include "hyp/stage2.h"
#include "abi/csr.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"

#define LEAF   (PTE_V | PTE_RWX | PTE_U | PTE_A | PTE_D)
#define NO_PTE 0u

_Static_assert(STAGE2_ROOT_FRAMES == FRAMES_RUN, "the root is such a run");

static hpa_t slot_at(hfn_t table, uint32_t index)
{
    return (hpa_t){ hfn_base(table).raw + 4 * index };
}

uint32_t stage2_read(const struct vm *vm, hfn_t table, uint32_t index)
{
    return hal_read32(vm->hyp->hal, slot_at(table, index));
}

/* The root has one entry for each 4 MiB that a guest address can name. */
static uint32_t root_index(gfn_t gfn)
{
    return gfn.raw / PT_ENTRIES;
}

static hfn_t pte_frame(uint32_t pte)
{
    return (hfn_t){ pte >> PTE_PPN_SHIFT };
}

static void write_entry(struct vm *vm, struct pcpu *pcpu, hfn_t table,
                        uint32_t index, uint32_t pte)
{
    hal_write32(vm->hyp->hal, slot_at(table, index), pte);
    if (pcpu)
        hal_charge(pcpu, HAL_COST_shadow_write, 1);
}

/* The table that has the leaf of this frame, if there is one. */
static bool find_table(const struct vm *vm, gfn_t gfn, hfn_t *table)
{
    uint32_t link = stage2_read(vm, vm->stage2.root, root_index(gfn));

    *table = pte_frame(link);
    return link & PTE_V;
}

uint32_t stage2_leaf(const struct vm *vm, gfn_t gfn)
{
    hfn_t table;

    if (!vm->stage2.made || !p2m_has(vm, gfn) || !find_table(vm, gfn, &table))
        return NO_PTE;
    return stage2_read(vm, table, gfn.raw % PT_ENTRIES);
}

/* marker: stage2-set-leaf */
/* Store a leaf of `gfn`, or NO_PTE; what was there lets go of its frame. */
static void set_leaf(struct vm *vm, struct pcpu *pcpu, hfn_t table, gfn_t gfn,
                     uint32_t pte)
{
    struct frames *frames = &vm->hyp->frames;
    uint32_t       index = gfn.raw % PT_ENTRIES;
    uint32_t       old = stage2_read(vm, table, index);
    hfn_t          hfn;

    if (pte != NO_PTE) {
        struct frame *frame = frame_of(frames, pte_frame(pte));

        HV_ASSERT(frames->hal,
                  (frame->owner == vm->id || frame->owner == OWNER_SHARED) &&
                      frame->type == FRAME_PLAIN && p2m_lookup(vm, gfn, &hfn) &&
                      hfn.raw == pte_frame(pte).raw);
        if (!p2m_may_write(vm, gfn))
            pte &= ~(uint32_t)PTE_W;
        frame_get(frames, pte_frame(pte));
    }
    write_entry(vm, pcpu, table, index, pte);
    if (old != NO_PTE)
        frame_put(frames, pte_frame(old));
    if (pte != NO_PTE)
        vm->count.stage2_fills++;
}
/* marker: end */

/* Store a link to a table of this VM, where there was none. */
static void set_link(struct vm *vm, struct pcpu *pcpu, uint32_t index,
                     hfn_t table)
{
    struct frames *frames = &vm->hyp->frames;
    struct frame  *frame = frame_of(frames, table);

    HV_ASSERT(frames->hal, frame->owner == OWNER_HYP &&
                               frame->type == FRAME_STAGE2 &&
                               frame->vm == vm->id);
    frame_get(frames, table);
    write_entry(vm, pcpu, vm->stage2.root, index,
                table.raw << PTE_PPN_SHIFT | PTE_V);
}

static hfn_t make_table(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    struct frames *frames = &vm->hyp->frames;
    hfn_t          table = frame_alloc(frames, pcpu, OWNER_HYP, FRAME_STAGE2);

    frame_of(frames, table)->vm = vm->id;
    vm->stage2.framed++;
    set_link(vm, pcpu, root_index(gfn), table);
    return table;
}

/* marker: stage2-map */
void stage2_map(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    hfn_t table, hfn;
    bool  there = p2m_lookup(vm, gfn, &hfn);

    HV_ASSERT(vm->hyp->hal, there);
    if (!find_table(vm, gfn, &table))
        table = make_table(vm, pcpu, gfn);
    set_leaf(vm, pcpu, table, gfn, hfn.raw << PTE_PPN_SHIFT | LEAF);
}
/* marker: end */

/* Leave of the leaf only the bits of `keep`. Since the TLB may have what is
 * taken away, it is made to forget this VM. */
static void reduce(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, uint32_t keep)
{
    uint32_t pte = stage2_leaf(vm, gfn);
    hfn_t    table;

    if (pte == NO_PTE || (pte & ~keep) == 0)
        return;
    find_table(vm, gfn, &table);
    set_leaf(vm, pcpu, table, gfn, keep ? pte & keep : NO_PTE);
    tag_forget(vm);
}

void stage2_zap(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    reduce(vm, pcpu, gfn, 0);
}

void stage2_protect(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    reduce(vm, pcpu, gfn, ~(uint32_t)PTE_W);
}

static uint32_t regions(const struct vm *vm)
{
    uint32_t size = vm->config.mem_size;

    return size / MEGAPAGE_SIZE + (size % MEGAPAGE_SIZE != 0);
}

bool stage2_init(struct vm *vm, const char **why)
{
    struct frames *frames = &vm->hyp->frames;
    uint32_t       promised = STAGE2_ROOT_FRAMES + regions(vm);
    hfn_t          root;

    if (vm->stage2.made)
        return true;
    if (hal_vmids(vm->hyp->hal) == 0) {
        *why = "the machine has no extension H";
        return false;
    }
    if (!frames_reserve(frames, promised)) {
        *why = "machine memory is promised to other VMs";
        return false;
    }
    if (!frame_alloc_run(frames, OWNER_HYP, FRAME_STAGE2, &root)) {
        frames_unreserve(frames, promised);
        *why = "no four free frames follow each other";
        return false;
    }
    for (uint32_t i = 0; i < STAGE2_ROOT_FRAMES; i++)
        frame_of(frames, (hfn_t){ root.raw + i })->vm = vm->id;
    vm->stage2 = (struct stage2){ true, root, promised, STAGE2_ROOT_FRAMES };
    return true;
}

static void drop_table(struct vm *vm, hfn_t table)
{
    struct frames *frames = &vm->hyp->frames;

    for (uint32_t i = 0; i < PT_ENTRIES; i++) {
        uint32_t pte = stage2_read(vm, table, i);

        if (pte != NO_PTE)
            frame_put(frames, pte_frame(pte));
    }
    frame_put(frames, table); /* the link to it */
    frame_free(frames, table);
}

void stage2_clear(struct vm *vm)
{
    struct frames *frames = &vm->hyp->frames;
    uint32_t       first = root_index((gfn_t){ RAM_BASE >> PAGE_SHIFT });

    if (!vm->stage2.made)
        return;
    for (uint32_t i = first; i < first + regions(vm); i++) {
        uint32_t link = stage2_read(vm, vm->stage2.root, i);

        if (!(link & PTE_V))
            continue;
        write_entry(vm, NULL, vm->stage2.root, i, NO_PTE);
        drop_table(vm, pte_frame(link));
        vm->stage2.framed--;
        bool kept = frames_reserve(frames, 1);
        HV_ASSERT(frames->hal, kept); /* it is free now */
    }
    tag_forget(vm);
}

void stage2_fini(struct vm *vm)
{
    struct frames *frames = &vm->hyp->frames;

    if (!vm->stage2.made)
        return;
    stage2_clear(vm);
    for (uint32_t i = 0; i < STAGE2_ROOT_FRAMES; i++)
        frame_free(frames, (hfn_t){ vm->stage2.root.raw + i });
    frames_unreserve(frames, vm->stage2.promised - vm->stage2.framed);
    vm->stage2.made = false;
}
