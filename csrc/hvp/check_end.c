/* check_end.c - after the last operation: what is left, and what must not be.
 *
 * No word of one VM is in another one's memory (P21); when all VMs are gone,
 * every frame is free and nothing refers to it (P2, P6); and what is free is
 * zero, or marked to be scrubbed before somebody gets it. */
#include "hvp/run.h"
#include <string.h>

/* One word may be an accident; two that follow each other are not. */
static void sweep(struct hvp_run *run, const struct hvp_vm *vm, uint32_t page)
{
    const uint8_t *frame = hvp_frame(run, vm, page);
    uint32_t       at = frame ? hvp_tag_find(run, frame) : PAGE_SIZE;

    for (uint32_t before = 0; at < PAGE_SIZE; at += 4) {
        uint32_t word, owner;

        memcpy(&word, frame + at, 4);
        owner = hvp_tag_owner(run, word);
        if (hvp_tag_foreign(vm, owner) && owner == before) {
            hvp_fail(run, "P21", "page %u of VM %u has memory of VM %u",
                     (unsigned)page, (unsigned)vm->serial, (unsigned)owner);
            return;
        }
        before = owner;
    }
}

/* Written by somebody, or not where it was at first. */
static bool touched(struct hvp_run *run, const struct hvp_vm *vm, uint32_t page)
{
    const struct vm *found = hyp_vm(&run->host->hal.hyp, vm->id);

    if (!found || found->p2m.hfn[page] == NO_FRAME)
        return false;
    uint32_t index = found->p2m.hfn[page] - run->host->hal.hyp.frames.first;

    return run->touched.ever[index] ||
           frame_of(&run->host->hal.hyp.frames, (hfn_t){ found->p2m.hfn[page] })
                   ->owner == OWNER_SHARED;
}

/* Two words of another VM that follow each other, wherever they begin. */
static void read_print(struct hvp_run *run, const struct hvp_vm *vm,
                       const uint8_t *bytes, size_t n)
{
    for (size_t at = 0; at + 8 <= n; at++) {
        uint32_t word[2], owner;

        memcpy(word, bytes + at, sizeof(word));
        owner = hvp_tag_owner(run, word[0]);
        if (hvp_tag_foreign(vm, owner) && owner == hvp_tag_owner(run, word[1]))
            hvp_fail(run, "P21", "VM %u printed memory of VM %u",
                     (unsigned)vm->serial, (unsigned)owner);
    }
}

void hvp_check_consoles(struct hvp_run *run)
{
    uint8_t  bytes[1024];
    uint32_t left = 64; /* it may print for ever */
    size_t   n;

    for (uint32_t i = 0; i < HVP_VMS; i++)
        do {
            if (!run->vm[i].id)
                break;
            n = hv_console_take(run->host, run->vm[i].id, bytes, sizeof(bytes));
            if (hvp_checks(run, HVP_ORACLE_RESIDUE))
                read_print(run, &run->vm[i], bytes, n);
        } while (n == sizeof(bytes) && left--);
}

void hvp_check_residue(struct hvp_run *run)
{
    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t page = 0; run->vm[i].id && page < run->vm[i].pages;
             page++)
            if (touched(run, &run->vm[i], page))
                sweep(run, &run->vm[i], page);
    run->out->checks++;
}

static void check_frames(struct hvp_run *run)
{
    struct frames *frames = &run->host->hal.hyp.frames;

    if (frames->free != frames->count || frames->reserved || frames->hyp ||
        frames->shared)
        hvp_fail(run, "P6", "no VM is left, but %u of %u frames are free",
                 (unsigned)frames->free, (unsigned)frames->count);
    for (uint32_t i = 0; i < frames->count; i++) {
        const uint8_t *page = machine_ram(run->host->machine,
                                          (frames->first + i) << PAGE_SHIFT);

        if (!frames->table[i].dirty && !hvp_is_zero(page))
            hvp_fail(run, "P2", "frame %#x is free and clean, but not zero",
                     (unsigned)(frames->first + i));
    }
}

void hvp_check_end(struct hvp_run *run)
{
    if (hvp_checks(run, HVP_ORACLE_AUDIT | HVP_ORACLE_EACH))
        hvp_check_audit(run);
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (run->vm[i].logging)
            hvp_check_log(run, &run->vm[i]);
    hvp_check_consoles(run);
    if (hvp_checks(run, HVP_ORACLE_RESIDUE))
        hvp_check_residue(run);
    if (!hvp_checks(run, HVP_ORACLE_END) || hvp_failed(run))
        return;
    for (uint32_t i = 0; i < HVP_VMS; i++)
        if (run->vm[i].id)
            hv_vm_destroy(run->host, run->vm[i].id);
    if (run->host->hal.broken) {
        hvp_fail(run, "P27", "%s", hv_host_reason(run->host));
        return;
    }
    run->out->checks++;
    check_frames(run);
    if (hvp_checks(run, HVP_ORACLE_AUDIT | HVP_ORACLE_EACH))
        hvp_check_audit(run);
}
