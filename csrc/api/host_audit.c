/* host_audit.c - does everything hold, in the hypervisor and in the TLBs?
 *
 * The hypervisor is audited by csrc/audit. The TLB is checked against the tables
 * here, on the one floor that sees both: P10, every entry that a root's tag makes
 * reachable is in that root's shadow, with at least those rights. An entry of a
 * guest with a second stage is the combination of two; its second half is
 * checked: the frame that it leads to is mapped by the second stage of that VM,
 * with that right. Its first half comes from tables that the guest may have
 * changed since its last fence. */
#include "api/host.h"
#include "audit/audit.h"

/* Would this leaf have allowed what the entry stands for? */
static bool leaf_allows(uint32_t pte, const struct tlb_entry *entry,
                        enum access access)
{
    uint32_t priv = entry->tag >> TLB_PRIV_SHIFT & 3;
    bool     sum = entry->tag >> TLB_SUM_SHIFT & 1;
    bool     mxr = entry->tag >> TLB_MXR_SHIFT & 1;

    if (priv == PRIV_U ? !(pte & PTE_U) : (pte & PTE_U) && !sum)
        return false;
    switch (access) {
    case ACCESS_FETCH:
        return pte & PTE_X;
    case ACCESS_LOAD:
        return pte & (mxr ? PTE_R | PTE_X : PTE_R);
    default:
        return pte & PTE_W;
    }
}

/* Does the table below this root say so now? */
static bool tlb_entry_ok(hv_host *host, uint32_t root,
                         const struct tlb_entry *entry, enum access access)
{
    uint32_t va = (uint32_t)entry->tag & ~(uint32_t)PAGE_MASK;
    uint32_t pte = 0;

    for (int level = 1; level >= 0; level--) {
        uint32_t slot = root + 4 * (va >> (12 + 10 * level) & 1023);

        if (!machine_ram_read(host->machine, slot, &pte, 4) || !(pte & PTE_V))
            return false;
        root = pte >> PTE_PPN_SHIFT << PAGE_SHIFT;
    }
    return root == entry->page && leaf_allows(pte, entry, access);
}

/* The roots by their tags: what an entry of that ASID is to agree with. An
 * entry whose ASID no root has is out of reach, and gone before the ASID is
 * given out again (P12). */
#define NR_ASIDS (SATP_ASID_MASK + 1)

static void find_roots(hv_host *host, uint32_t *root)
{
    struct hyp *hyp = &host->hal.hyp;

    for (uint32_t i = 0; i < NR_ASIDS; i++)
        root[i] = 0;
    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        struct vm *vm = hyp->slot[slot];

        for (uint32_t i = 0; vm && i < vm->shadows.count; i++) {
            const struct shadow *shadow = &vm->shadows.pool[i];

            if (shadow->live && tag_valid(vm, TAG_ASID, &shadow->tag))
                root[shadow->tag.id] = hfn_base(shadow->hfn).raw;
        }
        for (uint32_t i = 0; vm && vm->root_tag && i < vm->p2m.count; i++)
            if (tag_valid(vm, TAG_ASID, &vm->root_tag[i]))
                root[vm->root_tag[i].id] =
                    hfn_base((hfn_t){ vm->p2m.hfn[i] }).raw;
    }
}

/* The VM that has a vCPU with this VMID now, or NULL: then it is out of reach,
 * as above. */
static struct vm *find_vmid(hv_host *host, uint32_t vmid)
{
    struct hyp *hyp = &host->hal.hyp;

    for (uint32_t slot = 1; slot < hyp->nr_slots; slot++) {
        struct vm *vm = hyp->slot[slot];

        for (uint32_t i = 0; vm && i < vm->config.nr_vcpus; i++)
            if (tag_valid(vm, TAG_VMID, &vm->vcpu[i].vmid) &&
                vm->vcpu[i].vmid.id == vmid)
                return vm;
    }
    return NULL;
}

/* A frame that is one VM's knows where that sees it; a shared one may be
 * anywhere. */
static bool stage2_allows(struct vm *vm, hfn_t hfn, uint32_t right)
{
    const struct frame *frame = frame_of(&vm->hyp->frames, hfn);

    for (uint32_t i = 0; i < vm->p2m.count; i++) {
        uint32_t gfn = vm->p2m.first + i;

        if (frame->owner != OWNER_SHARED)
            gfn = frame->gfn;
        uint32_t pte = stage2_leaf(vm, (gfn_t){ gfn });
        if (pte >> PTE_PPN_SHIFT == hfn.raw)
            return pte & right;
        if (frame->owner != OWNER_SHARED)
            return false;
    }
    return false;
}

static bool guest_entry_ok(hv_host *host, const struct tlb_entry *entry,
                           enum access access)
{
    static const uint32_t right[NR_ACCESS] = {
        [ACCESS_FETCH] = PTE_X,
        [ACCESS_LOAD] = PTE_R,
        [ACCESS_STORE] = PTE_W,
    };
    struct frames *frames = &host->hal.hyp.frames;
    uint32_t       vmid = entry->tag >> TLB_VMID_SHIFT & HGATP_VMID_MASK;
    struct vm     *vm = find_vmid(host, vmid);
    hfn_t          hfn = { entry->page >> PAGE_SHIFT };

    if (!vm)
        return true;
    return (entry->tag & TLB_STAGE2) && frame_exists(frames, hfn) &&
           stage2_allows(vm, hfn, right[access]);
}

/* What this hart flushes before it enters a guest, need not be true. */
static bool tag_kind_live(hv_host *host, uint32_t hart, enum tag_kind kind)
{
    const struct hyp *hyp = &host->hal.hyp;

    return hyp->cpu[hart].tags[kind] == hyp->tags[kind].generation;
}

static bool tlb_ok(hv_host *host, uint32_t id, uint32_t *va)
{
    struct hart *hart = machine_hart(host->machine, id);
    uint32_t     root[NR_ASIDS];
    bool         asids = tag_kind_live(host, id, TAG_ASID);
    bool         vmids = tag_kind_live(host, id, TAG_VMID);

    find_roots(host, root);
    for (int access = 0; access < NR_ACCESS; access++)
        for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
            const struct tlb_entry *e = &hart->tlb.entry[access][i];
            uint32_t asid = e->tag >> TLB_ASID_SHIFT & TLB_ASID_MASK;
            bool     ok = true;

            *va = (uint32_t)e->tag & ~(uint32_t)PAGE_MASK;
            if (!(e->tag & TLB_VALID))
                continue;
            if (e->tag & TLB_V)
                ok = !vmids || guest_entry_ok(host, e, (enum access)access);
            else if (asids && root[asid])
                ok = tlb_entry_ok(host, root[asid], e, (enum access)access);
            if (!ok)
                return false;
        }
    return true;
}

/* A hart that is in a guest of which all has been forgotten since (tag.h), has
 * been told: it comes into the hypervisor before the next instruction. */
static bool told(hv_host *host, uint32_t id)
{
    const struct vcpu *current = host->hal.hyp.cpu[id].current;
    const struct tag  *tag;

    if (!current || !current->entered || host->hal.waiting[id])
        return true;
    tag = current->root ? &current->root->tag : NULL;
    if (current->vm->style->paging == &paging_stage2)
        tag = &current->vmid;
    return !tag || tag->vm == current->vm->tags ||
           machine_msip(host->machine, id);
}

int host_audit(hv_host *host, char *why, size_t n)
{
    uint32_t    frame = 0, va = 0;
    const char *bad = hyp_audit(&host->hal.hyp, &frame);

    if (bad == audit_no_memory) {
        host_say(why, n, "%s", bad);
        return HV_ERR_NO_MEMORY;
    }
    if (bad) {
        host_say(why, n, "%s (frame %05x)", bad, (unsigned)frame);
        return HV_ERR_AUDIT;
    }
    for (uint32_t i = 0; i < host->config.harts; i++) {
        if (!told(host, i)) {
            host_say(why, n, "P10: hart %u goes on with what it was to forget",
                     (unsigned)i);
            return HV_ERR_AUDIT;
        }
        if (!tlb_ok(host, i, &va)) {
            host_say(why, n,
                     "P10: the TLB has an entry that no table has (va %08x)",
                     (unsigned)va);
            return HV_ERR_AUDIT;
        }
    }
    return HV_OK;
}

int hv_audit(hv_host *host, char *why, size_t n)
{
    if (!host)
        return HV_ERR_INVALID;
    if (!host_has_hyp(host))
        return HV_OK;
    if (host->hal.broken || setjmp(host->hal.unwind) != 0) {
        host_say(why, n, "%s", host->hal.why);
        return HV_ERR_BROKEN;
    }
    return host_audit(host, why, n);
}
