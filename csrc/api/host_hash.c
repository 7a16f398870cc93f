/* host_hash.c - one number for all that can decide a host's future.
 *
 * Two hosts that have the same one go on alike; so it is the same for both
 * engines and all compilers, and nothing that depends on addresses or on the
 * time of day is in it. */
#include "api/host.h"

#define FNV_PRIME 0x100000001b3ull

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return (hash ^ value) * FNV_PRIME;
}

static uint64_t hash_words(uint64_t hash, const uint32_t *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = mix(hash, words[i]);
    return hash;
}

/* Who will run when. */
static uint64_t hash_sched(uint64_t hash, const struct vcpu *vcpu)
{
    const struct sched_vcpu *s = &vcpu->sched;

    hash = mix(hash, s->home ? s->home->pcpu->id : NO_FRAME);
    hash = mix(mix(hash, s->key), s->affinity);
    hash = mix(hash, (uint64_t)s->parked << 1 | s->queued);
    hash = mix(mix(hash, s->granted), s->vtime);
    hash = mix(hash, (uint64_t)s->credit.credit);
    hash = mix(hash, (uint64_t)s->credit.boost);
    hash = mix(hash, (uint64_t)s->credit.boosted << 1 | s->credit.active);
    hash = mix(mix(hash, s->edf.deadline), (uint64_t)s->edf.left);
    return mix(hash, vcpu->charged);
}

static uint64_t hash_vcpu(uint64_t hash, struct vcpu *vcpu)
{
    const struct vcsr *csr = &vcpu->csr;

    vcpu_pull(vcpu);
    const uint32_t words[] = {
        (uint32_t)vcpu->state,
        vcpu->mode,
        csr->sstatus,
        csr->sie,
        csr->sip,
        csr->stvec,
        csr->scounteren,
        csr->sscratch,
        csr->sepc,
        csr->scause,
        csr->stval,
        csr->satp,
        vcpu->pv.entry,
        vcpu->pv.stack,
        vcpu->pv.shared.raw,
        vcpu->roots.kernel.raw,
        vcpu->roots.user.raw,
    };

    hash = hash_words(hash, vcpu_regs(vcpu)->x, 32);
    hash = mix(hash, vcpu_regs(vcpu)->pc);
    hash = hash_words(hash, words, sizeof(words) / sizeof(words[0]));
    hash = mix(hash, vcpu->timer);
    return mix(hash_sched(hash, vcpu), vcpu->insns);
}

/* Which of its pages are tables decides what its calls will answer. */
static uint64_t hash_types(uint64_t hash, struct vm *vm)
{
    for (uint32_t i = 0; i < vm->p2m.count; i++) {
        const struct frame *frame = frame_of(&vm->hyp->frames,
                                             (hfn_t){ vm->p2m.hfn[i] });

        hash = mix(hash, (uint64_t)frame->type << 1 | frame->pinned);
    }
    return hash;
}

/* The machine has every bit of guest memory; what it cannot see is what the
 * hypervisor knows of each VM. */
int hv_hash(hv_host *host, uint64_t *out)
{
    if (!host || !out)
        return HV_ERR_INVALID;
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    uint64_t hash = machine_hash(host->machine, 0xcbf29ce484222325ull);
    hash = interleave_hash(&host->interleave, hash);
    for (uint32_t slot = 1; host_has_hyp(host) && slot < host->hal.hyp.nr_slots;
         slot++) {
        struct vm *vm = host->hal.hyp.slot[slot];

        if (!vm)
            continue;
        hash = mix(mix(hash, vm->id), (uint64_t)vm->state);
        hash = mix(hash, vm->exit_code);
        for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
            hash = hash_vcpu(hash, &vm->vcpu[i]);
        hash = hash_words(hash, vm->p2m.hfn, vm->p2m.count);
        for (uint32_t i = 0; i < vm->p2m.count; i++)
            hash = mix(hash, vm->p2m.state[i]);
        hash = mix(mix(hash, vm->balloon.target), vm->balloon.said);
        if (vm->style->direct)
            hash = hash_types(hash, vm);
#define COUNTER(name, doc) hash = mix(hash, vm->count.name);
#include "hyp/counters.def"
#undef COUNTER
    }
    *out = hash;
    return HV_OK;
}
