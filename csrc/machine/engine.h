/* engine.h - what executes instructions, as the rest of the machine sees it.
 *
 * hart.c calls an engine to execute; an engine calls mmu_translate(),
 * machine_load/store(), csr_execute() and trap_x() of internal.h for all that
 * is not plain arithmetic, and hart_boundary() between instructions. Whatever
 * an engine keeps beside the architectural state is its own business, if it is
 * dropped when ram_written() says so. */
#ifndef HV_MACHINE_ENGINE_H
#define HV_MACHINE_ENGINE_H

#include "machine/machine.h"

struct engine {
    const char *name;
    /* Make and free what the engine keeps for a machine: m->fast. False: no
     * memory, nothing left behind. NULL if it keeps nothing. */
    bool (*init)(struct machine *m);
    void (*fini)(struct machine *m);
    /* hart_run(), once the hart is known to be able to run. */
    enum hart_exit (*run)(struct hart *hart, uint64_t until);
    /* Execute the one instruction at pc, or take the trap it raises. */
    void (*step)(struct hart *hart);
    /* RAM at [pa, pa+len) has changed: forget what was decoded from there.
     * NULL if the engine keeps nothing. */
    void (*ram_written)(struct machine *m, uint32_t pa, uint32_t len);
};

extern const struct engine engine_ref;
extern const struct engine engine_fast;

/*
 * What happens between two instructions, if anything: the end of the run, a
 * wait in wfi, an interrupt. True: execute on, and boundaries at cycles below
 * hart->event may be passed without asking again. False: hart_run() ends, and
 * *why says why. Whoever changes something that this function looks at sets
 * hart->event to 0.
 */
bool hart_boundary(struct hart *hart, uint64_t until, enum hart_exit *why);

#endif
