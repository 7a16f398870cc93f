/* mark.c - putting a host back: machine/marks.h says how.
 *
 * All of a host is in its machine's arena, so nothing here knows what a host
 * is made of; only what of its buffers is worth copying. */
#include "api/host.h"
#include "machine/arena.h"

static void buffer_matters(hv_host *host, const struct channel *channel)
{
    arena_matters(machine_arena(host->machine), channel->bytes, channel->len);
}

/* Some buffers are large, and nearly empty. */
static void say_what_matters(hv_host *host)
{
    struct arena            *arena = machine_arena(host->machine);
    const struct hal        *hal = &host->hal;
    const struct interleave *il = &host->interleave;

    buffer_matters(host, &host->uart_in);
    for (uint32_t i = 0; i < MAX_VMS / CHANNELS_BLOCK; i++)
        for (uint32_t j = 0; hal->channels[i] && j < CHANNELS_BLOCK; j++) {
            buffer_matters(host, &hal->channels[i][j].out);
            buffer_matters(host, &hal->channels[i][j].in);
        }
    arena_matters(arena, hal->event, hal->nr_events * sizeof(*hal->event));
    arena_matters(arena, il->made.list, il->made.len * sizeof(*il->made.list));
}

int hv_mark(hv_host *host, uint32_t *mark)
{
    if (!host || !mark)
        return HV_ERR_INVALID;
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    say_what_matters(host);
    return machine_mark(host->machine, mark) ? HV_OK : HV_ERR_NO_MEMORY;
}

static int mark_error(enum mark_status status)
{
    switch (status) {
    case MARK_OK:
        return HV_OK;
    case MARK_LOST:
        return HV_ERR_NO_MEMORY;
    case MARK_UNKNOWN:
        break;
    }
    return HV_ERR_INVALID;
}

int hv_reset(hv_host *host, uint32_t mark)
{
    return host ? mark_error(machine_reset(host->machine, mark))
                : HV_ERR_INVALID;
}

int hv_mark_drop(hv_host *host, uint32_t mark)
{
    return host ? mark_error(machine_mark_drop(host->machine, mark))
                : HV_ERR_INVALID;
}

int hv_written(hv_host *host, uint32_t *hfns, uint32_t max, uint32_t *count)
{
    if (!host || !count || (!hfns && max))
        return HV_ERR_INVALID;
    return machine_written(host->machine, hfns, max, count) ? HV_OK
                                                            : HV_ERR_STATE;
}

int hv_fail_alloc(hv_host *host, uint32_t n)
{
    if (!host)
        return HV_ERR_INVALID;
    if (!host_has_hyp(host))
        return HV_ERR_UNSUPPORTED;
    host->hal.fail_alloc = n;
    return HV_OK;
}
