/* check_hash.c - a VM in a number, as its guest could see it. */
#include "hvp/run.h"
#include <string.h>

#define AD (PTE_A | PTE_D)

uint64_t hvp_page_hash(uint64_t hash, const uint8_t *frame)
{
    uint64_t a = hash, b = ~hash;

    for (uint32_t at = 0; at < PAGE_SIZE; at += 16) {
        uint64_t word[2];

        memcpy(word, frame + at, sizeof(word));
        a = (a ^ word[0]) * 0x9e3779b97f4a7c15u;
        b = (b ^ word[1]) * 0xc2b2ae3d27d4eb4fu;
        a ^= a >> 32;
        b ^= b >> 29;
    }
    return hvp_mix(a, b);
}

bool hvp_is_zero(const uint8_t *frame)
{
    return frame[0] == 0 && memcmp(frame, frame + 1, PAGE_SIZE - 1) == 0;
}

/* A page that is not populated reads as zero. */
uint64_t hvp_memory_hash(struct hvp_run *run, const struct hvp_vm *vm)
{
    uint64_t hash = vm->id;

    for (uint32_t i = 0; vm->id && i < vm->pages; i++) {
        const uint8_t *frame = hvp_frame(run, vm, i);

        if (frame && !hvp_is_zero(frame))
            hash = hvp_page_hash(hvp_mix(hash, i), frame);
    }
    return hash;
}

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

uint64_t hvp_cpu_hash(struct hvp_run *run, const struct hvp_vm *vm)
{
    struct vm *found = hvp_live(run, vm);
    uint64_t   hash = vm->id;

    for (uint32_t i = 0; found && i < found->config.nr_vcpus; i++)
        hash = hash_vcpu(hash, &found->vcpu[i]);
    return hash;
}

/* --- errors change nothing: P28 ----------------------------------------------------------- */

/* A page of tables: but for A and D, which an access of its own may set. */
static uint64_t hash_table(uint64_t hash, const uint8_t *frame)
{
    for (uint32_t at = 0; at < PAGE_SIZE; at += 4) {
        uint32_t word;

        memcpy(&word, frame + at, 4);
        if (word)
            hash = hvp_mix(hash, word & ~(uint32_t)AD);
    }
    return hash;
}

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

static uint64_t abstract(struct hvp_run *run, const struct hvp_act *act)
{
    struct vm *vm = hvp_live(run, act->vm);
    uint64_t   hash = 1;

    if (!vm)
        return 0;
    for (uint32_t i = 0; i < act->vm->pages; i++) {
        const uint8_t *frame = hvp_frame(run, act->vm, i);

        hash = hvp_mix(hash, vm->p2m.state[i] & P2M_GONE);
        if (!frame || hvp_is_zero(frame) || hvp_told_there(vm, HVP_FIRST + i))
            continue;
        hash = act->vm->tables >> i & 1
                   ? hash_table(hvp_mix(hash, i), frame)
                   : hvp_page_hash(hvp_mix(hash, i), frame);
        const struct frame *f = frame_of(&run->host->hal.hyp.frames,
                                         (hfn_t){ vm->p2m.hfn[i] });
        hash = hvp_mix(hash, f->type | (uint32_t)f->pinned << 8);
    }
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
