/* host_snap.c - going back, and running out of memory. */
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

/* Nothing yet that copies a VM. */
void hvp_op_do_fork(struct hvp_run *run, struct hvp_act *act)
{
    (void)run;
    (void)act;
}
