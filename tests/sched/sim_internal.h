/* sim_internal.h - what fake_hal.c and sim.c share. */
#ifndef TESTS_SCHED_SIM_INTERNAL_H
#define TESTS_SCHED_SIM_INTERNAL_H

#include "hyp/hyp.h"
#include "sim.h"
#include <setjmp.h>

#define SIM_RAM   (8u << 20)
#define SIM_STEPS 32

struct fake_hart {
    uint64_t    cycle, timer, instret;
    bool        waiting, kicked, msip;
    uint32_t    work; /* cycles that this exit is to take longer */
    struct regs regs;
};

struct fake_guest {
    struct sim_step step[SIM_STEPS];
    uint32_t        n, at;
    uint64_t        left;  /* cycles of the step that it is at */
    bool            begun; /* ... and `left` is set */
    bool            armed; /* a sleep: the timer is set */
};

struct hal {
    struct hyp       hyp;
    struct pcpu      pcpu[MAX_HARTS];
    struct fake_hart hart[MAX_HARTS];
    uint32_t         nr_harts, tick, quantum;
    uint8_t         *ram;
    bool             locked;
    const char      *why;
    jmp_buf          unwind;
};

struct sim {
    struct hal         hal;
    bool               check;
    struct fake_guest *guest[MAX_VMS]; /* by slot: MAX_HARTS of each */
    uint64_t           gone;           /* charged to VMs that are no more */
    uint64_t           decisions;
    struct sim_event  *event;
    uint32_t           nr_events, max_events, first_event;
};

void sim_note(struct hal *hal, const struct sim_event *event);
const char *sim_check(struct sim *sim);

#endif
