/* host_mem.c - what is done with a VM's memory from outside. */
#include "hvp/run.h"
#include <string.h>

void hvp_op_do_host_write(struct hvp_run *run, struct hvp_act *act)
{
    hv_mem_write(run->host, act->vm->id, act->a, &act->b, 4);
    hvp_owe_unknown(act->vm);
}

void hvp_op_do_host_read(struct hvp_run *run, struct hvp_act *act)
{
    uint8_t bytes[512];

    hv_mem_read(run->host, act->vm->id, act->a, bytes,
                act->b < sizeof(bytes) ? act->b : sizeof(bytes));
}

void hvp_op_do_console(struct hvp_run *run, struct hvp_act *act)
{
    uint8_t bytes[64];

    memset(bytes, 'a' + (int)(act->a % 26), sizeof(bytes));
    hv_console_give(run->host, act->vm->id, bytes, act->a % sizeof(bytes));
}

void hvp_op_do_balloon_set(struct hvp_run *run, struct hvp_act *act)
{
    uint32_t target = act->vm->pages - act->a;

    if (hv_balloon_set(run->host, act->vm->id, target) == HV_OK)
        act->vm->target = target;
}

/* What each page has, and where it lies. */
struct content {
    const uint8_t *at;
    uint64_t       hash;
};

static struct content content(struct hvp_run *run, uint32_t i, uint32_t page)
{
    const uint8_t *at = hvp_frame(run, &run->vm[i], page);

    if (!at)
        return (struct content){ NULL, 0 };
    const struct vm *vm = hyp_vm(&run->host->hal.hyp, run->vm[i].id);
    return (struct content){ at, hvp_frame_hash(run, vm->p2m.hfn[page],
                                                HVP_HASHED_BYTES) };
}

/* Nobody can tell that pages are shared: P38. What lies elsewhere now has the
 * bytes that it had; where it was, somebody else may be by now. */
void hvp_op_do_share(struct hvp_run *run, struct hvp_act *act)
{
    struct content before[HVP_VMS][HVP_PAGES];
    uint32_t       merged;

    run->merged = true;
    hvp_touch(run);
    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t page = 0; page < HVP_PAGES; page++)
            before[i][page] = content(run, i, page);
    hv_share_scan(run->host, act->a, &merged);
    run->out->checks++;
    for (uint32_t i = 0; i < HVP_VMS; i++)
        for (uint32_t page = 0; page < HVP_PAGES; page++) {
            const struct content *was = &before[i][page];
            const uint8_t        *is = hvp_frame(run, &run->vm[i], page);

            if (was->at != is &&
                (!was->at || !is || hvp_page_hash(is) != was->hash))
                hvp_fail(run, "P38", "VM %u has other memory after a scan",
                         (unsigned)i + 1);
        }
}

static void log_begin(struct hvp_run *run, struct hvp_vm *vm)
{
    for (uint32_t i = 0; i < vm->pages; i++) {
        const uint8_t *frame = hvp_frame(run, vm, i);

        if (frame)
            memcpy(vm->logged + i * PAGE_SIZE, frame, PAGE_SIZE);
        else
            memset(vm->logged + i * PAGE_SIZE, 0, PAGE_SIZE);
    }
}

void hvp_log_anew(struct hvp_run *run, struct hvp_vm *vm)
{
    uint8_t  map[HVP_PAGES / 8 + 1];
    uint32_t count;

    hv_dirty_fetch(run->host, vm->id, map, sizeof(map), &count);
    log_begin(run, vm);
}

void hvp_op_do_log(struct hvp_run *run, struct hvp_act *act)
{
    struct hvp_vm *vm = act->vm;

    if (act->a == 1 && hv_dirty_start(run->host, vm->id) == HV_OK) {
        vm->logging = true;
        log_begin(run, vm);
    } else if (act->a == 2 && vm->logging) {
        hvp_check_log(run, vm);
        log_begin(run, vm);
    } else if (act->a == 0 && hv_dirty_stop(run->host, vm->id) == HV_OK) {
        vm->logging = false;
    }
    if (vm->style == HV_STYLE_DIRECT)
        hvp_owe_unknown(vm);
}

/* P37: what changed since the log began anew is named by it. */
void hvp_check_log(struct hvp_run *run, struct hvp_vm *vm)
{
    static const uint8_t zero[PAGE_SIZE];
    uint8_t              map[HVP_PAGES / 8 + 1];
    uint32_t             count;

    if (!hvp_live(run, vm) || /* its memory may have been taken already */
        hv_dirty_fetch(run->host, vm->id, map, sizeof(map), &count) != HV_OK)
        return;
    run->out->checks++;
    for (uint32_t i = 0; i < vm->pages; i++) {
        const uint8_t *frame = hvp_frame(run, vm, i);

        if (!(map[i / 8] >> i % 8 & 1) &&
            memcmp(frame ? frame : zero, vm->logged + i * PAGE_SIZE,
                   PAGE_SIZE) != 0)
            hvp_fail(run, "P37", "page %u changed, and is not logged",
                     (unsigned)i);
    }
}

void hvp_op_do_scrub(struct hvp_run *run, struct hvp_act *act)
{
    (void)act;
    hvp_check_audit(run);
}
