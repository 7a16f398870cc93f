/* check_others.c - nobody else changed: P15, P18.
 *
 * What a guest does is seen in no other VM's registers, and in no frame of one.
 * That a frame was written says too much: a VM may get its own copy of a page
 * that was shared, while another one acts. */
#include "hvp/run.h"
#include <string.h>

/* Words that an operation of a guest writes to one page, mostly. */
#define WRITES 4

void hvp_others_note(struct hvp_run *run, const struct hvp_act *act)
{
    struct hvp_before *before = &run->before;

    for (uint32_t i = 0; i < HVP_VMS; i++) {
        struct vm *vm = hvp_live(run, &run->vm[i]);

        if (i == act->place)
            continue;
        before->cpu[i] = hvp_cpu_hash(run, &run->vm[i]);
        if (vm)
            memcpy(before->hfn[i], vm->p2m.hfn,
                   run->vm[i].pages * sizeof(before->hfn[i][0]));
    }
    hvp_touch_anew(run);
}

static void check_registers(struct hvp_run *run, const struct hvp_act *act)
{
    const struct hvp_before *before = &run->before;

    for (uint32_t i = 0; i < HVP_VMS; i++) {
        if (i == act->place || !run->vm[i].id)
            continue;
        run->out->checks++;
        if (before->cpu[i] != hvp_cpu_hash(run, &run->vm[i]))
            hvp_fail(run, "P15", "VM %u acted, VM %u has other registers",
                     (unsigned)act->place + 1, (unsigned)i + 1);
    }
}

/* A frame that its VM has got on the way, by a copy of one that was shared, or
 * for the first time: it has the bytes of another one, or none. */
static bool is_copy(struct hvp_run *run, uint32_t hfn)
{
    struct frames *frames = &run->host->hal.hyp.frames;
    const uint8_t *page = machine_ram(run->host->machine, hfn << PAGE_SHIFT);

    for (uint32_t i = 0; i < frames->count; i++) {
        uint32_t other = frames->first + i;

        if (other != hfn &&
            memcmp(page, machine_ram(run->host->machine, other << PAGE_SHIFT),
                   PAGE_SIZE) == 0)
            return true;
    }
    return false;
}

/* The frame that this one stands for since the operation began, which then had
 * the same bytes; NONE: it was the VM's before. */
static uint32_t stands_for(const struct hvp_run *run, const struct vm *owner,
                           uint32_t gfn, uint32_t hfn)
{
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (run->vm[i].id == owner->id && gfn - HVP_FIRST < run->vm[i].pages &&
            run->before.hfn[i][gfn - HVP_FIRST] != hfn)
            return run->before.hfn[i][gfn - HVP_FIRST];
    return NO_FRAME;
}

/* It was copied, and then the actor wrote to the one that it was copied from. */
static bool was_copy(struct hvp_run *run, const struct vm *owner, uint32_t gfn,
                     uint32_t hfn)
{
    uint32_t       old = stands_for(run, owner, gfn, hfn), differ = 0;
    const uint8_t *was,
        *is = machine_ram(run->host->machine, hfn << PAGE_SHIFT);

    if (old == NO_FRAME)
        return false;
    was = machine_ram(run->host->machine, old << PAGE_SHIFT);
    for (uint32_t at = 0; at < PAGE_SIZE; at += 4)
        differ += memcmp(was + at, is + at, 4) != 0;
    return differ <= WRITES;
}

/* What was written is nobody else's: P18. */
static void check_written(struct hvp_run *run, const struct hvp_act *act)
{
    struct hyp *hyp = &run->host->hal.hyp;

    hvp_touch(run);
    run->out->checks++;
    for (uint32_t i = 0; i < run->touched.nr_recent; i++) {
        uint32_t            hfn = hyp->frames.first + run->touched.recent[i];
        const struct frame *frame = frame_of(&hyp->frames, (hfn_t){ hfn });
        const struct vm    *owner = hyp_vm(hyp, frame->owner);

        if (owner && owner->id != act->vm->id &&
            !hvp_told_there(owner, frame->gfn) && !is_copy(run, hfn) &&
            !was_copy(run, owner, frame->gfn, hfn))
            hvp_fail(run, "P18", "VM %u acted, frame %#x of another changed",
                     (unsigned)act->place + 1, (unsigned)hfn);
    }
}

void hvp_others_check(struct hvp_run *run, const struct hvp_act *act)
{
    check_registers(run, act);
    check_written(run, act);
}
