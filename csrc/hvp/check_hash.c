/* check_hash.c - a VM in a number, as its guest could see it. */
#include "hvp/run.h"
#include <string.h>

static uint64_t hash_vcpu(uint64_t hash, struct vcpu *vcpu)
{
    const struct vcsr *csr = &vcpu->csr;
    const struct regs *regs = vcpu_regs(vcpu);

    vcpu_pull(vcpu);
    for (uint32_t i = 1; i < 32; i++)
        hash = hvp_mix(hash, regs->x[i]);
    hash = hvp_mix(hash, regs->pc);
    hash = hvp_mix(hash, vcpu->mode);
    hash = hvp_mix(hash, csr->sstatus | (uint64_t)csr->sie << 32);
    hash = hvp_mix(hash, csr->stvec | (uint64_t)csr->sscratch << 32);
    hash = hvp_mix(hash, csr->sepc | (uint64_t)csr->scause << 32);
    hash = hvp_mix(hash, csr->stval | (uint64_t)csr->satp << 32);
    return hvp_mix(hash, csr->scounteren);
}

uint64_t hvp_vcpus_hash(struct hvp_run *run, const struct hvp_vm *vm)
{
    struct vm *found = hvp_live(run, vm);
    uint64_t   hash = 1;

    for (uint32_t i = 0; found && i < found->config.nr_vcpus; i++)
        hash = hash_vcpu(hash, &found->vcpu[i]);
    return hash;
}

uint64_t hvp_cpu_hash(struct hvp_run *run, const struct hvp_vm *vm)
{
    return hvp_mix(hvp_vcpus_hash(run, vm), vm->id);
}

/* --- errors change nothing: P28 ----------------------------------------------------------- */

/* The hypervisor itself writes there, when a trap or an interrupt comes, and
 * what time was stolen. */
bool hvp_told_there(const struct vm *vm, uint32_t gfn)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        const struct pv_state *pv = &vm->vcpu[i].pv;

        if ((pv->shared_set && pv->shared.raw >> PAGE_SHIFT == gfn) ||
            (pv->sta_set && pv->sta.raw >> PAGE_SHIFT == gfn))
            return true;
    }
    return false;
}

static uint64_t hash_page(struct hvp_run *run, const struct hvp_vm *of,
                          const struct vm *vm, uint32_t page)
{
    uint64_t hash = vm->p2m.state[page] & P2M_GONE;

    if (!hvp_frame(run, of, page) || hvp_told_there(vm, HVP_FIRST + page))
        return hash;
    hfn_t               hfn = { vm->p2m.hfn[page] };
    const struct frame *frame = frame_of(&vm->hyp->frames, hfn);
    uint64_t bytes = hvp_frame_hash(run, hfn.raw,
                                    of->tables >> page & 1 ? HVP_HASHED_TABLE
                                                           : HVP_HASHED_BYTES);

    /* Not populated, or populated with zeros: that is the same. */
    return bytes ? hvp_mix(bytes, frame->type | (uint32_t)frame->pinned << 8)
                 : hash;
}

static uint64_t abstract(struct hvp_run *run, const struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);
    uint64_t   hash = 1;

    if (!vm)
        return 0;
    hvp_touch(run);
    for (uint32_t i = 0; i < act->vm->pages; i++)
        hash = hvp_mix(hash, hash_page(run, act->vm, vm, i));
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        struct vcpu *vcpu = &vm->vcpu[i];

        vcpu_pull(vcpu);
        hash = hvp_mix(hash, vcpu->csr.satp | (uint64_t)vcpu->pv.entry << 32);
        hash = hvp_mix(hash,
                       vcpu->pv.shared.raw | (uint64_t)vcpu->pv.stack << 32);
        hash = hvp_mix(hash, vcpu->roots.kernel.raw |
                                 (uint64_t)vcpu->roots.user.raw << 32);
        hash = hvp_mix(hash, vcpu->pv.sta_set ? vcpu->pv.sta.raw | 1u : 0);
    }
    return hvp_mix(hash, vm->balloon.said);
}

uint64_t hvp_abstract_before(struct hvp_run *run, const struct hvp_act *act)
{
    return hvp_checks(run, HVP_ORACLE_ERRORS) ? abstract(run, act) : 0;
}

void hvp_abstract_check(struct hvp_run *run, const struct hvp_act *act,
                        uint64_t before, uint32_t number, int32_t error)
{
    if (!hvp_checks(run, HVP_ORACLE_ERRORS) || !hvp_live(run, act->vm))
        return;
    run->out->checks++;
    if (abstract(run, act) != before)
        hvp_fail(run, "P28", "call %u failed with %d, and changed something",
                 (unsigned)number, (int)error);
}
