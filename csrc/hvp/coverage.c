/* coverage.c - which states of the hypervisor a program has met.
 *
 * Coverage of code does not see data: the same lines run whether a frame is
 * mapped once or twice. So for a frame that the actor has touched, what the
 * frame table says of it is hashed, together with the operation, and counted in
 * a map that fuzzers read beside their own. */
#include "hvp/run.h"

static uint32_t bucket(uint32_t n)
{
    return n < 3 ? n : n < 8 ? 3 : n < 32 ? 4 : 5;
}

static void hit(struct hvp_run *run, uint64_t state)
{
    uint8_t *at =
        &run->context->map[hvp_mix(0x5bd1e995, state) >> 16 & (HVP_MAP - 1)];

    if (*at < 255)
        ++*at;
}

static uint64_t frame_state(const struct frame *frame, uint32_t id)
{
    uint32_t owner = frame->owner == OWNER_FREE     ? 0
                     : frame->owner == OWNER_HYP    ? 1
                     : frame->owner == OWNER_SHARED ? 2
                     : frame->owner == id           ? 3
                                                    : 4;

    return owner | (uint64_t)frame->type << 3 | bucket(frame->refs) << 6 |
           bucket(frame->uses) << 9 | (uint64_t)(frame->map != NO_ENTRY) << 12 |
           bucket(frame->traced) << 13 | (uint64_t)frame->pinned << 16;
}

static uint64_t vcpu_state(const struct vm *vm, const struct vcpu *vcpu)
{
    return (uint64_t)vcpu->state | (uint64_t)vm->state << 3 |
           (uint64_t)vcpu->mode << 6 | (uint64_t)(vcpu->on != NULL) << 8 |
           (uint64_t)(vcpu->root != NULL) << 9 |
           (uint64_t)vcpu->sched.queued << 10 |
           (uint64_t)bucket(vm->shadows.in_use) << 11 |
           (uint64_t)vm->p2m.logging << 14 |
           (uint64_t)bucket(vm->p2m.gone) << 15 |
           (uint64_t)bucket(vm->p2m.populated - vm->p2m.own) << 18;
}

void hvp_cover(struct hvp_run *run, const struct hvp_act *act)
{
    const struct hvp_outcome *last = &run->last;
    uint64_t                  op = act->record->op;
    struct vm *vm = act->vm->id ? hyp_vm(&run->host->hal.hyp, act->vm->id)
                                : NULL;

    if (!run->context->map)
        return;
    hit(run, op << 48 | (uint64_t)last->trapped << 40 | last->cause);
    if (!vm)
        return;
    hit(run, op << 48 | 1ull << 46 | vcpu_state(vm, &vm->vcpu[act->vcpu]) |
                 (uint64_t)act->vm->style << 32);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t word = i == 0 ? act->a : i == 1 ? act->b : act->c;
        uint32_t page = (word >> PAGE_SHIFT) - HVP_FIRST;

        if (page >= vm->p2m.count)
            page = word - HVP_FIRST;
        if (page >= vm->p2m.count || vm->p2m.hfn[page] == NO_FRAME)
            continue;
        hit(run, op << 48 | 2ull << 46 | (uint64_t)i << 40 |
                     (uint64_t)vm->p2m.state[page] << 24 |
                     frame_state(frame_of(&run->host->hal.hyp.frames,
                                          (hfn_t){ vm->p2m.hfn[page] }),
                                 vm->id));
    }
}
