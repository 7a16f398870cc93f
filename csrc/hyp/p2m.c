/* p2m.c - populate on first touch, look up, give everything back. */
#include "hyp/p2m.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"

bool p2m_init(struct vm *vm)
{
    struct p2m *p2m = &vm->p2m;

    *p2m = (struct p2m){
        .first = RAM_BASE >> PAGE_SHIFT,
        .count = vm->config.mem_size >> PAGE_SHIFT,
    };
    p2m->hfn = hal_alloc(vm->hyp->hal, p2m->count * sizeof(uint32_t));
    if (!p2m->hfn)
        return false;
    for (uint32_t i = 0; i < p2m->count; i++)
        p2m->hfn[i] = NO_FRAME;
    return true;
}

void p2m_fini(struct vm *vm)
{
    struct p2m *p2m = &vm->p2m;

    for (uint32_t i = 0; i < p2m->count; i++)
        if (p2m->hfn[i] != NO_FRAME)
            frame_free(&vm->hyp->frames, (hfn_t){ p2m->hfn[i] });
    hal_free(vm->hyp->hal, p2m->hfn);
}

bool p2m_has(const struct vm *vm, gfn_t gfn)
{
    return gfn.raw - vm->p2m.first < vm->p2m.count;
}

bool p2m_lookup(const struct vm *vm, gfn_t gfn, hfn_t *hfn)
{
    if (!p2m_has(vm, gfn))
        return false;
    hfn->raw = vm->p2m.hfn[gfn.raw - vm->p2m.first];
    return hfn->raw != NO_FRAME;
}

bool p2m_populate(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t *hfn)
{
    struct frames *frames = &vm->hyp->frames;

    if (!p2m_has(vm, gfn))
        return false;
    if (p2m_lookup(vm, gfn, hfn))
        return true;
    *hfn = frame_alloc(frames, pcpu, vm->id, FRAME_PLAIN);
    frame_of(frames, *hfn)->gfn = gfn.raw;
    vm->p2m.hfn[gfn.raw - vm->p2m.first] = hfn->raw;
    vm->p2m.populated++;
    vm->count.populated++;
    return true;
}
