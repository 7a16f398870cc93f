/* guestmem.c - the one way into a guest's memory: checked, page by page.
 *
 * A range is inside or it is not touched at all. Each page is translated for
 * itself, since neighbours in guest memory are strangers in machine memory. */
#include "hyp/assert.h"
#include "hyp/hyp.h"

/* marker: lab-spans */
bool vm_spans(const struct vm *vm, gpa_t pa, uint32_t len)
{
    uint32_t offset = pa.raw - RAM_BASE;

    return offset <= vm->config.mem_size && len <= vm->config.mem_size - offset;
}
/* marker: end */

/* How much of [pa, pa + len) lies in its first page. */
static uint32_t in_page(gpa_t pa, uint32_t len)
{
    uint32_t room = PAGE_SIZE - (pa.raw & PAGE_MASK);

    return len < room ? len : room;
}

bool vm_owns(const struct vm *vm, gpa_t pa, uint32_t len)
{
    if (!vm_spans(vm, pa, len))
        return false;
    for (uint32_t n; vm->p2m.gone && len > 0; len -= n, pa.raw += n) {
        if (!p2m_has(vm, gpa_frame(pa)))
            return false;
        n = in_page(pa, len);
    }
    return true;
}

bool vm_writable(const struct vm *vm, gpa_t pa, uint32_t len)
{
    if (!vm_owns(vm, pa, len))
        return false;
    while (len > 0) {
        uint32_t n = in_page(pa, len);
        hfn_t    hfn;

        if (p2m_lookup(vm, gpa_frame(pa), &hfn) &&
            frame_of(&vm->hyp->frames, hfn)->type != FRAME_PLAIN)
            return false;
        pa.raw += n;
        len -= n;
    }
    return true;
}

enum p2m_result vm_ready(struct vm *vm, struct pcpu *pcpu, gpa_t pa,
                         uint32_t len)
{
    enum p2m_result result = vm_writable(vm, pa, len) ? P2M_OK : P2M_OUTSIDE;
    hfn_t           hfn;

    for (uint32_t n; result == P2M_OK && len > 0; len -= n, pa.raw += n) {
        result = p2m_writable(vm, pcpu, gpa_frame(pa), &hfn);
        n = in_page(pa, len);
    }
    return result;
}

bool vm_hold(struct vm *vm, struct pcpu *pcpu, gpa_t pa)
{
    hfn_t hfn;

    return p2m_writable(vm, pcpu, gpa_frame(pa), &hfn) == P2M_OK &&
           frame_use(&vm->hyp->frames, hfn, FRAME_PLAIN);
}

bool vm_holds(const struct vm *vm, gfn_t gfn)
{
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        const struct pv_state *pv = &vm->vcpu[i].pv;

        if ((pv->shared_set && gpa_frame(pv->shared).raw == gfn.raw) ||
            (pv->sta_set && gpa_frame(pv->sta).raw == gfn.raw))
            return true;
    }
    return false;
}

void vm_release(struct vm *vm, gpa_t pa)
{
    hfn_t hfn;
    bool  there = p2m_lookup(vm, gpa_frame(pa), &hfn);

    HV_ASSERT(vm->hyp->hal, there);
    frame_unuse(&vm->hyp->frames, hfn);
}

bool vm_read(struct vm *vm, gpa_t pa, void *to, uint32_t len)
{
    uint8_t *bytes = to;

    if (!vm_owns(vm, pa, len))
        return false;
    while (len > 0) {
        uint32_t n = in_page(pa, len);
        hfn_t    hfn;

        if (p2m_lookup(vm, gpa_frame(pa), &hfn)) {
            hpa_t from = { hfn_base(hfn).raw | (pa.raw & PAGE_MASK) };
            hal_read(vm->hyp->hal, from, bytes, n);
        } else {
            for (uint32_t i = 0; i < n; i++)
                bytes[i] = 0; /* never touched: reads as zero, stays so */
        }
        bytes += n;
        pa.raw += n;
        len -= n;
    }
    return true;
}

/* Where to write, which vm_ready() has prepared; shadows that follow this frame
 * are told. */
static hpa_t vm_reach(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t len)
{
    hfn_t hfn;
    bool  there = p2m_lookup(vm, gpa_frame(pa), &hfn);

    HV_ASSERT(vm->hyp->hal, there && p2m_may_write(vm, gpa_frame(pa)));
    if (frame_of(&vm->hyp->frames, hfn)->traced)
        shadow_written(vm, pcpu, pa, len);
    return (hpa_t){ hfn_base(hfn).raw | (pa.raw & PAGE_MASK) };
}

bool vm_write(struct vm *vm, struct pcpu *pcpu, gpa_t pa, const void *from,
              uint32_t len)
{
    const uint8_t *bytes = from;

    if (vm_ready(vm, pcpu, pa, len) != P2M_OK)
        return false;
    while (len > 0) {
        uint32_t n = in_page(pa, len);

        hal_write(vm->hyp->hal, vm_reach(vm, pcpu, pa, n), bytes, n);
        bytes += n;
        pa.raw += n;
        len -= n;
    }
    return true;
}

bool vm_read32(struct vm *vm, gpa_t pa, uint32_t *val)
{
    hfn_t hfn;

    if (!vm_owns(vm, pa, 4))
        return false;
    *val = 0;
    if (p2m_lookup(vm, gpa_frame(pa), &hfn))
        *val = hal_read32(vm->hyp->hal,
                          (hpa_t){ hfn_base(hfn).raw | (pa.raw & PAGE_MASK) });
    return true;
}

bool vm_write32(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t val)
{
    if (vm_ready(vm, pcpu, pa, 4) != P2M_OK)
        return false;
    hal_write32(vm->hyp->hal, vm_reach(vm, pcpu, pa, 4), val);
    return true;
}

bool vm_write_ad(struct vm *vm, struct pcpu *pcpu, gpa_t pa, uint32_t val)
{
    hfn_t hfn;

    /* A table of style `direct` is not the guest's to write, but that is. */
    if (p2m_writable(vm, pcpu, gpa_frame(pa), &hfn) != P2M_OK)
        return false;
    hal_write32(vm->hyp->hal,
                (hpa_t){ hfn_base(hfn).raw | (pa.raw & PAGE_MASK) }, val);
    return true;
}
