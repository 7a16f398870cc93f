/* hosted.h - the hypervisor on the machine of csrc/machine, in this process.
 *
 * Implements hyp/hal.h. The floor above (csrc/api) makes one, runs harts, and
 * hands every trap to M to hosted_serve(). A failed HV_ASSERT unwinds to the
 * setjmp() that the API call did, and the host is broken from then on. */
#ifndef HV_PORT_HOSTED_H
#define HV_PORT_HOSTED_H

#include "hyp/hyp.h"
#include "port/channel.h"
#include <setjmp.h>
#include <stddef.h>

struct arena;
struct hart;
struct machine;

/* With more unfetched output than this, hv_run() asks to be drained. */
#define CONSOLE_LIMIT 65536

struct hal {
    struct machine  *machine;
    struct arena    *arena; /* of the machine; all memory comes from there */
    struct hyp       hyp;
    struct pcpu      pcpu[MAX_HARTS];
    struct hart     *hart[MAX_HARTS];
    bool             waiting[MAX_HARTS]; /* nothing to run on this hart */
    bool             kicked[MAX_HARTS];  /* ... but another one called */
    enum world_kind  kind[MAX_HARTS];    /* what its guest runs in */
    uint32_t         console_full; /* a VM with much unfetched output, or 0 */
    struct channels *channels[MAX_VMS / CHANNELS_BLOCK];
    struct event    *event; /* what was noted and not fetched yet */
    uint32_t         nr_events, max_events;
    uint64_t         lost_events; /* for which there was no room */
    struct pcpu     *inside;      /* who has the lock */
    uint8_t          fill; /* fresh memory of the hypervisor is full of this */
    uint32_t         fail_alloc; /* tests: so many from now, one fails; or 0 */
    bool             broken;
    char             why[160];
    jmp_buf          unwind;
};

/* False: no memory, nothing left behind. The caller has set hal->unwind. */
bool hosted_init(struct hal *hal, struct machine *machine,
                 const struct hyp_config *config, uint8_t fill);
void hosted_fini(struct hal *hal);

/* The hart took a trap to M. */
void hosted_serve(struct hal *hal, uint32_t hart);

/* Nothing runs on this hart: serve a kick, or let time pass to its timer and
 * serve that, but no further than to cycle `until`. False: it has not come to
 * that, and the hart still waits. */
bool hosted_idle(struct hal *hal, uint32_t hart, uint64_t until);
/* When something of its own will wake a waiting hart: 0 now, CYCLE_NEVER. */
uint64_t hosted_wakes(const struct hal *hal, uint32_t hart);

/* Watching: an event for whoever made this host. */
struct event {
    uint64_t cycle;
    uint32_t kind, hart, vm, vcpu, arg;
};
/* Note events of these kinds (a mask), up to so many; mask 0: none. */
bool hosted_watch(struct hal *hal, uint32_t mask, uint32_t capacity);

#endif
