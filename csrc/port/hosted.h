/* hosted.h - the hypervisor on the machine of csrc/machine, in this process.
 *
 * Implements hyp/hal.h. The floor above (csrc/api) makes one, runs harts, and
 * hands every trap to M to hosted_serve(). A failed HV_ASSERT unwinds to the
 * setjmp() that the API call did, and the host is broken from then on. */
#ifndef HV_PORT_HOSTED_H
#define HV_PORT_HOSTED_H

#include "hyp/hyp.h"
#include <setjmp.h>
#include <stddef.h>

struct hart;
struct machine;

/* With more unfetched output than this, hv_run() asks to be drained. */
#define CONSOLE_LIMIT 65536

/* What a guest wrote and nobody fetched yet; what it will be able to read. */
struct channel {
    uint8_t *bytes;
    size_t   head, len, cap;
};

struct hal {
    struct machine *machine;
    struct hyp      hyp;
    struct pcpu     pcpu[MAX_HARTS];
    struct hart    *hart[MAX_HARTS];
    bool            waiting[MAX_HARTS];        /* nothing to run on this hart */
    enum world_kind kind[MAX_HARTS];           /* what its guest runs in */
    struct channel  out[MAX_VMS], in[MAX_VMS]; /* by VM slot */
    uint32_t        console_full; /* a VM with much unfetched output, or 0 */
    uint8_t         fill; /* fresh memory of the hypervisor is full of this */
    bool            broken;
    char            why[160];
    jmp_buf         unwind;
};

/* False: no memory, nothing left behind. The caller has set hal->unwind. */
bool hosted_init(struct hal *hal, struct machine *machine,
                 const struct hyp_config *config, uint8_t fill);
void hosted_fini(struct hal *hal);

/* The hart took a trap to M. */
void hosted_serve(struct hal *hal, uint32_t hart);

/* Nothing runs on this hart: serve another's interrupt, or let time pass to its
 * timer, but no further than cycle `until`, and serve that. False: it still
 * waits. */
bool hosted_idle(struct hal *hal, uint32_t hart, uint64_t until);

void channel_put(struct channel *channel, uint8_t byte, bool *failed);
size_t channel_take(struct channel *channel, uint8_t *to, size_t max);
void channel_free(struct channel *channel);

#endif
