/* dirty.c - which pages does a guest write to? For whoever copies a VM while
 * it runs.
 *
 * The log is the p2m itself. At the start every entry becomes clean, and W goes
 * from all translations; who is about to write asks p2m_writable(), which makes
 * the entry dirty again; and what is not clean has been written. Guest,
 * devices, A and D bits, hypercalls: all writers ask (P37). A VM of style
 * `direct` runs on shadows meanwhile, since its own tables would let it write;
 * whoever calls these functions makes the harts enter their guests anew. */
#include "hyp/hyp.h"
#include "hyp/services.h"

/* marker: lab-dirty-start */
/* An entry in the balloon stays noted until it is fetched, as one that changed;
 * it is not there, and so it cannot be clean. */
static void clean(struct vm *vm, uint32_t index)
{
    gfn_t gfn = { vm->p2m.first + index };

    if (vm->p2m.state[index] & P2M_GONE)
        return;
    if (p2m_may_write(vm, gfn))
        vm->style->paging->protect(vm, NULL, gfn);
    vm->p2m.state[index] |= P2M_CLEAN;
}

void dirty_start(struct vm *vm)
{
    vm->p2m.logging = true;
    for (uint32_t i = 0; i < vm->p2m.count; i++)
        clean(vm, i);
}
/* marker: end */

/* marker: dirty-fetch */
uint32_t dirty_fetch(struct vm *vm, uint8_t *bitmap)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < vm->p2m.count; i++) {
        if (vm->p2m.state[i] & P2M_CLEAN)
            continue;
        bitmap[i / 8] |= (uint8_t)(1 << i % 8);
        n++;
        clean(vm, i);
    }
    return n;
}
/* marker: end */

void dirty_stop(struct vm *vm)
{
    vm->p2m.logging = false;
    if (vm->style->direct)
        direct_unlog(vm);
    for (uint32_t i = 0; i < vm->p2m.count; i++)
        vm->p2m.state[i] &= (uint8_t)~P2M_CLEAN;
}
