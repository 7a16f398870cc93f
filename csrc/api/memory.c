/* memory.c - what is done with guests' memory: balloon, sharing, dirty log. */
#include "abi/pv.h"
#include "api/host.h"
#include <string.h>

/* The VM of this number, of a style whose frames can be taken away. */
static int movable(hv_host *host, uint32_t id, struct vm **vm)
{
    int status = host_guest(host, id, vm);

    if (status != HV_OK)
        return status;
    return *vm && (*vm)->style->paging->zap ? HV_OK : HV_ERR_UNSUPPORTED;
}

int hv_balloon_set(hv_host *host, uint32_t id, uint32_t frames)
{
    struct vm *vm;
    int        status = movable(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (frames < 1 || frames > vm->p2m.count)
        return HV_ERR_INVALID;
    vm->balloon.target = frames;
    return HV_OK;
}

static enum hv_balloon_state balloon_state(const struct vm *vm)
{
    if (balloon_actual(vm) <= balloon_target(vm))
        return HV_BALLOON_REACHED;
    if (!vm->balloon.said)
        return HV_BALLOON_NO_DRIVER;
    return vm->balloon.said == PV_BALLOON_STUCK ? HV_BALLOON_STUCK
                                                : HV_BALLOON_WORKING;
}

int hv_balloon_info(hv_host *host, uint32_t id, struct hv_balloon *out)
{
    struct vm *vm;
    int        status = movable(host, id, &vm);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    *out = (struct hv_balloon){
        .target = vm->balloon.target,
        .asked = balloon_target(vm),
        .actual = balloon_actual(vm),
        .state = balloon_state(vm),
    };
    return HV_OK;
}

static int scan(hv_host *host, uint32_t frames, uint32_t *merged)
{
    struct hal *hal = &host->hal;

    if (setjmp(hal->unwind) != 0)
        return HV_ERR_BROKEN;
    hyp_work_begin(&hal->pcpu[0]);
    bool done = share_scan(&hal->hyp, &hal->pcpu[0],
                           frames ? frames : SHARE_ROUND, merged);
    hyp_work_end(&hal->pcpu[0]);
    hyp_refresh(&hal->hyp);
    return done ? HV_OK : HV_ERR_NO_MEMORY;
}

int hv_share_scan(hv_host *host, uint32_t frames, uint32_t *merged)
{
    if (!host || !merged)
        return HV_ERR_INVALID;
    if (!host_has_hyp(host) || host_slots(host)) /* a way to see others */
        return HV_ERR_UNSUPPORTED;
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    *merged = 0;
    return scan(host, frames, merged);
}

/* The VM of this number. All styles can log. */
static int logged(hv_host *host, uint32_t id, struct vm **vm)
{
    int status = host_guest(host, id, vm);

    if (status != HV_OK)
        return status;
    return *vm ? HV_OK : HV_ERR_UNSUPPORTED;
}

/* Start or stop, unless it is so already. */
static int dirty_switch(hv_host *host, uint32_t id, bool on)
{
    struct vm *vm;
    int        status = logged(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (vm->p2m.logging == on)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    if (on)
        dirty_start(vm);
    else
        dirty_stop(vm);
    hyp_refresh(&host->hal.hyp);
    return HV_OK;
}

int hv_dirty_start(hv_host *host, uint32_t id)
{
    return dirty_switch(host, id, true);
}

int hv_dirty_stop(hv_host *host, uint32_t id)
{
    return dirty_switch(host, id, false);
}

int hv_dirty_fetch(hv_host *host, uint32_t id, uint8_t *map, size_t n,
                   uint32_t *count)
{
    struct vm *vm;
    int        status = logged(host, id, &vm);

    if (status != HV_OK)
        return status;
    if (!map || !count || n < (vm->p2m.count + 7) / 8)
        return HV_ERR_INVALID;
    if (!vm->p2m.logging)
        return HV_ERR_STATE;
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    memset(map, 0, n);
    *count = dirty_fetch(vm, map);
    hyp_refresh(&host->hal.hyp);
    return HV_OK;
}
