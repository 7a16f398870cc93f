/* host_snap.c - going back, forks, and running out of memory. */
#include "hvp/run.h"
#include <string.h>

void hvp_op_do_fail_alloc(struct hvp_run *run, struct hvp_act *act)
{
    /* Who meets it depends on what all of them do. */
    hvp_trace_untimed(run);
    hv_fail_alloc(run->host, act->a % 64);
}

void hvp_op_do_save(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_saved *saved = &run->saved;

    (void)act;
    /* First: a mark forgets what was written before it. */
    saved->hash = hvp_host_hash(run);
    if (saved->there)
        hv_mark_drop(run->host, saved->mark);
    saved->there = hv_mark(run->host, &saved->mark) == HV_OK;
    saved->serials = run->serials;
    saved->nr_ids = run->nr_ids;
    memcpy(saved->vm, run->vm, sizeof(saved->vm));
}

/* P35: everything is as it was. */
void hvp_op_do_reset(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_saved *saved = &run->saved;

    (void)act;
    hvp_host_hash(run); /* notes what was written since */
    if (!saved->there || hv_reset(run->host, saved->mark) != HV_OK)
        return;
    hvp_touch_forget(run);
    run->serials = saved->serials;
    run->nr_ids = saved->nr_ids;
    memcpy(run->vm, saved->vm, sizeof(run->vm));
    run->out->checks++;
    if (hvp_host_hash(run) != saved->hash)
        hvp_fail(run, "P35", "put back, and not as it was");
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (run->vm[i].logging)
            hvp_log_anew(run, &run->vm[i]);
}

/* --- a second VM ---------------------------------------------------------------- */

/* What its guest has there. Where the hypervisor tells it of time, anything. */
static uint64_t page_seen(struct hvp_run *run, const struct hvp_vm *vm,
                          uint32_t page)
{
    const struct vm *found = hyp_vm(&run->host->hal.hyp, vm->id);

    if (hvp_told_there(found, HVP_FIRST + page))
        return 1;
    if (found->p2m.state[page] & P2M_GONE)
        return 2;
    return hvp_frame(run, vm, page)
               ? hvp_frame_hash(run, found->p2m.hfn[page], HVP_HASHED_BYTES)
               : 0;
}

static uint64_t seen(struct hvp_run *run, const struct hvp_vm *vm)
{
    uint64_t hash = hvp_vcpus_hash(run, vm);

    hvp_touch(run);
    for (uint32_t i = 0; i < vm->pages; i++)
        hash = hvp_mix(hash, page_seen(run, vm, i));
    return hash;
}

/* What is known of the parent is true of the child, but for what a processor
 * may have of it: its reservation, and whatever is logged. */
static struct hvp_vm child_of(struct hvp_run *run, const struct hvp_vm *parent,
                              uint32_t place, uint32_t id)
{
    struct hvp_vm child = *parent;

    child.id = id;
    child.serial = ++run->serials;
    child.kin |= hvp_tag_bit(child.serial);
    child.tried = true;
    child.logging = false;
    child.logged = run->context->logged + place * HVP_PAGES * PAGE_SIZE;
    for (uint32_t i = 0; i < HVP_VCPUS; i++)
        child.vcpu[i].linked = false;
    return child;
}

/* Whether there is memory for it depends on how much of its own the parent has,
 * which is the parent's secret: nobody's trace says anything from here on. */
static void fork_into(struct hvp_run *run, const struct hvp_vm *parent,
                      uint32_t place)
{
    struct hvp_vm *child = &run->vm[place];
    uint64_t       before = parent->id ? seen(run, parent) : 0;
    uint32_t       id;

    hvp_trace_untimed(run);
    child->tried = true;
    if (hv_vm_fork(run->host, parent->id, &id, NULL, 0) != HV_OK)
        return;
    *child = child_of(run, parent, place, id);
    hvp_id_note(run, id);
    run->out->checks++;
    if (seen(run, child) != before)
        hvp_fail(run, "P35", "the fork of VM %u is in another state",
                 (unsigned)parent->serial);
    if (seen(run, parent) != before)
        hvp_fail(run, "P38", "VM %u was forked, and has another state",
                 (unsigned)parent->serial);
}

void hvp_op_do_fork(struct hvp_run *run, struct hvp_act *act)
{
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (!run->vm[i].id) {
            fork_into(run, act->vm, i);
            return;
        }
}
