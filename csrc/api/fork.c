/* fork.c - a second VM in the state of a first, with the same memory.
 *
 * No page is copied but those that the hypervisor itself writes to: parent and
 * child share the others, and who writes first takes a copy (hyp/p2m.c). Only
 * what the child may come to need is reserved, as for any VM that is created:
 * on a strict host all of its memory, and what the parent had and now only
 * shares. Where memory is over-committed that is their minimum, and a fork
 * costs next to nothing. */
#include "api/image.h"

/* The parent's own pages that stay its own. */
static uint32_t held_by(const struct vm *vm)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < vm->p2m.count; i++)
        n += vm_holds(vm, (gfn_t){ vm->p2m.first + i });
    return n;
}

/* What the parent will be owed, beyond what it is now, once it has no others. */
static uint32_t parent_owed(const struct vm *vm)
{
    struct p2m after = vm->p2m;

    after.own = held_by(vm);
    return p2m_owed(&after) - p2m_owed(&vm->p2m);
}

static void copy_page(struct vm *from, struct vm *to, gfn_t gfn)
{
    uint8_t page[PAGE_SIZE];
    hfn_t   hfn, copy;

    if (!p2m_lookup(from, gfn, &hfn) ||
        p2m_populate(to, NULL, gfn, &copy) != P2M_OK)
        hal_halt(from->hyp->hal, "a fork has not the memory it was given");
    hal_read(from->hyp->hal, hfn_base(hfn), page, PAGE_SIZE);
    hal_write(from->hyp->hal, hfn_base(copy), page, PAGE_SIZE);
}

/* marker: fork-page */
static void fork_page(struct vm *parent, struct vm *child, uint32_t i)
{
    gfn_t gfn = { parent->p2m.first + i };
    hfn_t hfn;

    if (!p2m_has(parent, gfn))
        p2m_give(child, NULL, &gfn.raw, 1);
    if (!p2m_lookup(parent, gfn, &hfn))
        return;
    if (vm_holds(parent, gfn)) {
        copy_page(parent, child, gfn);
        return;
    }
    if (!(parent->p2m.state[i] & P2M_SHARED) && !p2m_share(parent, NULL, gfn))
        hal_halt(parent->hyp->hal, "a fork has not the memory it was given");
    p2m_adopt(child, gfn, hfn);
}
/* marker: end */

/* What the child begins with. */
static void describe_child(hv_host *host, struct vm *parent,
                           struct image *image)
{
    vm_describe(host, parent, image);
    image->out.left = 0; /* that was said before there was a child */
    image->vm.logging = 0;
    image->populated = held_by(parent);
}

static int fork_vm(hv_host *host, struct vm *parent, uint32_t *id,
                   struct image_why why)
{
    struct hyp  *hyp = &host->hal.hyp;
    struct image image;
    struct vm   *child;

    describe_child(host, parent, &image);
    uint64_t more = vm_wanted(host, &image) + parent_owed(parent);
    if (more > frames_available(&hyp->frames)) {
        host_say(why.text, why.n,
                 "to share its memory, %u frames must be promised to the two "
                 "beyond what they have, and %u are free",
                 (unsigned)more, (unsigned)frames_available(&hyp->frames));
        return HV_ERR_NO_MEMORY;
    }
    vm_freeze(host, parent);
    describe_child(host, parent, &image);
    int status = vm_remake(host, &image, &child, why);
    if (status != HV_OK)
        return status;
    for (uint32_t i = 0; i < parent->p2m.count; i++)
        fork_page(parent, child, i);
    vm_thaw(host, child, &image);
    *id = child->id;
    return HV_OK;
}

int hv_vm_fork(hv_host *host, uint32_t id, uint32_t *child, char *text,
               size_t n)
{
    struct image_why why = { text, n };
    struct vm       *vm;
    int              status = host_guest(host, id, &vm);

    if (status != HV_OK || !child) {
        status = status != HV_OK ? status : HV_ERR_INVALID;
        host_say(text, n, "%s", hv_status_text(status));
        return status;
    }
    if (!vm || host_slots(host) || !vm->style->paging->zap) {
        host_say(text, n, "%s",
                 !vm ? "the bare machine is no VM"
                 : host_slots(host)
                     ? "policy slots keeps VMs apart: they share no memory"
                     : "style direct: its page tables name frames of its own");
        return HV_ERR_UNSUPPORTED;
    }
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    return fork_vm(host, vm, child, why);
}
