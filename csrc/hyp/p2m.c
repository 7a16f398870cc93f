/* p2m.c - populate on first touch, look up, copy on write, give back.
 *
 * Every change of who owns a frame of guest memory is made in this file, and
 * keeps three counts true: references and sharers of the frame, and what the
 * VM is still owed. */
#include "hyp/p2m.h"
#include "hyp/assert.h"
#include "hyp/hyp.h"

bool p2m_init(struct vm *vm)
{
    struct p2m *p2m = &vm->p2m;
    uint32_t    count = vm->config.mem_size >> PAGE_SHIFT;

    *p2m = (struct p2m){ .first = RAM_BASE >> PAGE_SHIFT, .count = count };
    p2m->hfn = hal_alloc(vm->hyp->hal, count * (sizeof(uint32_t) + 1));
    if (!p2m->hfn)
        return false;
    p2m->state = (uint8_t *)(p2m->hfn + count);
    for (uint32_t i = 0; i < count; i++) {
        p2m->hfn[i] = NO_FRAME;
        p2m->state[i] = 0;
    }
    return true;
}

/* --- what was promised ---------------------------------------------------- */

uint32_t p2m_owed(const struct p2m *p2m)
{
    uint32_t room = p2m->count - p2m->gone;
    uint32_t promised = p2m->minimum < room ? p2m->minimum : room;

    return promised > p2m->own ? promised - p2m->own : 0;
}

/* The VM was owed `before`; reserve what it is owed now. */
static bool settle(struct vm *vm, uint32_t before)
{
    uint32_t now = p2m_owed(&vm->p2m);

    if (now > before)
        return frames_reserve(&vm->hyp->frames, now - before);
    frames_unreserve(&vm->hyp->frames, before - now);
    return true;
}

bool p2m_promise(struct vm *vm, uint32_t minimum)
{
    uint32_t before = p2m_owed(&vm->p2m), old = vm->p2m.minimum;

    vm->p2m.minimum = minimum;
    if (settle(vm, before))
        return true;
    vm->p2m.minimum = old;
    return false;
}

/* --- looking -------------------------------------------------------------- */

static uint32_t index_of(const struct vm *vm, gfn_t gfn)
{
    return gfn.raw - vm->p2m.first;
}

bool p2m_has(const struct vm *vm, gfn_t gfn)
{
    return index_of(vm, gfn) < vm->p2m.count &&
           !(vm->p2m.state[index_of(vm, gfn)] & P2M_GONE);
}

bool p2m_lookup(const struct vm *vm, gfn_t gfn, hfn_t *hfn)
{
    if (!p2m_has(vm, gfn))
        return false;
    hfn->raw = vm->p2m.hfn[index_of(vm, gfn)];
    return hfn->raw != NO_FRAME;
}

bool p2m_may_write(const struct vm *vm, gfn_t gfn)
{
    hfn_t hfn;

    return p2m_lookup(vm, gfn, &hfn) && vm->p2m.state[index_of(vm, gfn)] == 0;
}

/* --- frames come ---------------------------------------------------------- */

/* A zeroed frame for this entry; false if there is none for this VM. */
static bool obtain(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t *hfn)
{
    struct frames *frames = &vm->hyp->frames;

    if (p2m_owed(&vm->p2m) == 0 && !frames_reserve(frames, 1))
        return false;
    *hfn = frame_alloc(frames, pcpu, vm->id, FRAME_PLAIN);
    frame_of(frames, *hfn)->gfn = gfn.raw;
    vm->p2m.hfn[index_of(vm, gfn)] = hfn->raw;
    vm->p2m.own++;
    return true;
}

enum p2m_result p2m_populate(struct vm *vm, struct pcpu *pcpu, gfn_t gfn,
                             hfn_t *hfn)
{
    if (!p2m_has(vm, gfn))
        return P2M_OUTSIDE;
    if (p2m_lookup(vm, gfn, hfn))
        return P2M_OK;
    if (!obtain(vm, pcpu, gfn, hfn))
        return P2M_EXHAUSTED;
    vm->p2m.populated++;
    vm->count.populated++;
    return P2M_OK;
}

static void frame_copy(struct vm *vm, struct pcpu *pcpu, hfn_t from, hfn_t to)
{
    uint32_t chunk[64];

    for (uint32_t at = 0; at < PAGE_SIZE; at += sizeof(chunk)) {
        hpa_t a = { hfn_base(from).raw + at }, b = { hfn_base(to).raw + at };

        hal_read(vm->hyp->hal, a, chunk, sizeof(chunk));
        hal_write(vm->hyp->hal, b, chunk, sizeof(chunk));
    }
    if (pcpu)
        hal_charge(pcpu, HAL_COST_word_copy, PAGE_SIZE / 4);
}

/* marker: lab-p2m-leave */
/* One of those that share a frame lets go of it. */
static void leave_shared(struct vm *vm, hfn_t hfn)
{
    struct frames *frames = &vm->hyp->frames;

    if (--frame_of(frames, hfn)->gfn == 0)
        frame_free(frames, hfn);
    else
        frame_put(frames, hfn);
}
/* marker: end */

/* marker: copy-on-write */
enum p2m_result p2m_own(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t *hfn)
{
    struct frames  *frames = &vm->hyp->frames;
    enum p2m_result result = p2m_populate(vm, pcpu, gfn, hfn);
    uint8_t        *state = &vm->p2m.state[index_of(vm, gfn)];
    hfn_t           shared = *hfn;

    if (result != P2M_OK || !(*state & P2M_SHARED))
        return result;
    struct frame *frame = frame_of(frames, shared);
    if (frame->gfn == 1) { /* nobody else is left: keep it, uncopied */
        uint32_t owed = p2m_owed(&vm->p2m);

        frame->owner = vm->id;
        frame->gfn = gfn.raw;
        frames->shared--;
        vm->p2m.own++;
        settle(vm, owed);
    } else {
        /* While the entry still names the old frame: its translations go. */
        vm->style->paging->zap(vm, pcpu, gfn, false);
        if (!obtain(vm, pcpu, gfn, hfn))
            return P2M_EXHAUSTED;
        frame_copy(vm, pcpu, shared, *hfn);
        leave_shared(vm, shared);
    }
    *state &= (uint8_t)~P2M_SHARED;
    vm->count.unshared++;
    return P2M_OK;
}
/* marker: end */

/* marker: lab-p2m-writable */
enum p2m_result p2m_writable(struct vm *vm, struct pcpu *pcpu, gfn_t gfn,
                             hfn_t *hfn)
{
    enum p2m_result result = p2m_own(vm, pcpu, gfn, hfn);

    if (result == P2M_OK && vm->p2m.state[index_of(vm, gfn)] & P2M_CLEAN) {
        vm->p2m.state[index_of(vm, gfn)] &= (uint8_t)~P2M_CLEAN;
        vm->count.dirtied++;
    }
    return result;
}
/* marker: end */

/* --- frames go ------------------------------------------------------------ */

/* The entry lets go of its frame, which no translation names any more. Does
 * not settle. */
static void release(struct vm *vm, uint32_t index)
{
    hfn_t hfn = { vm->p2m.hfn[index] };

    if (vm->p2m.state[index] & P2M_SHARED) {
        leave_shared(vm, hfn);
    } else {
        frame_free(&vm->hyp->frames, hfn);
        vm->p2m.own--;
    }
    vm->p2m.state[index] &= (uint8_t)~P2M_SHARED;
    vm->p2m.hfn[index] = NO_FRAME;
}

/* A page that was mapped nowhere but by this entry may have to be promised
 * again: it is free now, so it can be. */
static void settled(struct vm *vm, uint32_t before)
{
    bool kept = settle(vm, before);

    HV_ASSERT(vm->hyp->hal, kept);
}

void p2m_fini(struct vm *vm)
{
    p2m_promise(vm, 0);
    for (uint32_t i = 0; i < vm->p2m.count; i++)
        if (vm->p2m.hfn[i] != NO_FRAME)
            release(vm, i);
    hal_free(vm->hyp->hal, vm->p2m.hfn);
}

void p2m_drop(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    uint32_t before = p2m_owed(&vm->p2m);
    hfn_t    hfn;

    if (!p2m_lookup(vm, gfn, &hfn))
        return;
    vm->style->paging->zap(vm, pcpu, gfn, true);
    release(vm, index_of(vm, gfn));
    vm->p2m.populated--;
    settled(vm, before);
}

/* marker: p2m-give */
void p2m_give(struct vm *vm, struct pcpu *pcpu, const uint32_t *gfn, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t before;

        p2m_drop(vm, pcpu, (gfn_t){ gfn[i] });
        before = p2m_owed(&vm->p2m);
        vm->p2m.state[gfn[i] - vm->p2m.first] = P2M_GONE; /* not clean: what
                                                was there has changed */
        vm->p2m.gone++;
        settled(vm, before);
    }
}
/* marker: end */

bool p2m_take(struct vm *vm, const uint32_t *gfn, uint32_t n)
{
    uint32_t before = p2m_owed(&vm->p2m);

    vm->p2m.gone -= n;
    if (!settle(vm, before)) {
        vm->p2m.gone += n;
        return false;
    }
    for (uint32_t i = 0; i < n; i++)
        vm->p2m.state[gfn[i] - vm->p2m.first] = 0;
    return true;
}

/* --- sharing -------------------------------------------------------------- */

/* marker: lab-p2m-share */
bool p2m_share(struct vm *vm, struct pcpu *pcpu, gfn_t gfn)
{
    uint32_t      index = index_of(vm, gfn), before = p2m_owed(&vm->p2m);
    struct frame *frame = frame_of(&vm->hyp->frames,
                                   (hfn_t){ vm->p2m.hfn[index] });

    vm->p2m.own--;
    if (!settle(vm, before)) {
        vm->p2m.own++;
        return false;
    }
    vm->style->paging->protect(vm, pcpu, gfn);
    vm->p2m.state[index] |= P2M_SHARED;
    frame->owner = OWNER_SHARED;
    frame->gfn = 1;
    vm->hyp->frames.shared++;
    return true;
}
/* marker: end */

/* This entry, which has no frame, names that one as well. */
static void name_shared(struct vm *vm, uint32_t index, hfn_t shared)
{
    vm->p2m.hfn[index] = shared.raw;
    vm->p2m.state[index] |= P2M_SHARED;
    frame_get(&vm->hyp->frames, shared);
    frame_of(&vm->hyp->frames, shared)->gfn++;
}

void p2m_adopt(struct vm *vm, gfn_t gfn, hfn_t shared)
{
    name_shared(vm, index_of(vm, gfn), shared);
    vm->p2m.populated++;
}

void p2m_join(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, hfn_t shared)
{
    uint32_t index = index_of(vm, gfn), before = p2m_owed(&vm->p2m);

    vm->style->paging->zap(vm, pcpu, gfn, false);
    release(vm, index);
    name_shared(vm, index, shared);
    settled(vm, before);
    vm->count.shared++;
}
