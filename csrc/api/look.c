/* look.c - p2m and TLB, an entry at a time. */
#include "api/host.h"

int hv_p2m(hv_host *host, uint32_t id, uint32_t gfn, uint32_t *hfn)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);
    hfn_t      found;

    if (status != HV_OK || !hfn)
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    if (gfn - vm->p2m.first >= vm->p2m.count)
        return HV_ERR_ADDRESS;
    *hfn = p2m_lookup(vm, (gfn_t){ gfn }, &found) ? found.raw : NO_FRAME;
    return HV_OK;
}

int hv_tlb(hv_host *host, uint32_t hart, int access, uint32_t index,
           struct hv_tlb_entry *out)
{
    if (!host || !out || hart >= host->config.harts || access < 0 ||
        access >= (int)NR_ACCESS || index >= TLB_ENTRIES)
        return HV_ERR_INVALID;
    const struct tlb_entry *e =
        &machine_hart(host->machine, hart)->tlb.entry[access][index];
    *out = (struct hv_tlb_entry){
        .valid = (uint32_t)e->tag & 1,
        .va = (uint32_t)e->tag & ~(uint32_t)PAGE_MASK,
        .pa = e->page,
        .context = (uint32_t)(e->tag >> 32),
        .mega = e->flags & TLB_MEGA,
    };
    return HV_OK;
}
