/* hvexplore.h - every interleaving of a small guest, up to a bound. */
#ifndef HV_EXPLORE_H
#define HV_EXPLORE_H

#include "include/hv.h"

/* cdef: begin */

#define HV_EXPLORE_BOUND 8   /* preemptions at most */
#define HV_EXPLORE_TURNS 512 /* pieces of a schedule */

/* A hart, or a vCPU, makes so many steps on its own. */
struct hv_turn { uint32_t hart, steps; };

enum hv_explore_end {
    HV_EXPLORE_DONE,   /* every schedule within the bound ended well */
    HV_EXPLORE_FAILED, /* the guest switched itself off with a failure */
    HV_EXPLORE_KILLED, /* the hypervisor killed it */
    HV_EXPLORE_STUCK,  /* everybody waits, and nothing will ever end that */
    HV_EXPLORE_LONG,   /* a schedule has more than max_steps, or turns */
    HV_EXPLORE_AUDIT,  /* a property of the hypervisor does not hold */
    HV_EXPLORE_LIMIT,  /* more than max_schedules: not all were tried */
    HV_NR_EXPLORE_ENDS
};

struct hv_explore {
    /* in */
    uint32_t bound;         /* preemptions of a schedule */
    uint32_t max_steps;     /* of a schedule */
    uint64_t max_schedules; /* to be tried; 0: all */
    uint32_t audit;         /* 1: hv_audit() wherever another could go on */
    /* out */
    uint32_t       end;       /* enum hv_explore_end */
    uint64_t       schedules; /* that were run to their ends */
    uint64_t       points; /* places where somebody could have been preempted */
    uint64_t       steps;  /* made in all */
    uint32_t       shared; /* words that several harts use, and some write */
    uint32_t       code;   /* of HV_EXPLORE_FAILED */
    uint32_t       count;  /* the schedule that did not end well: */
    struct hv_turn turn[HV_EXPLORE_TURNS];
};

/* Try all schedules of a booted guest (0: the bare machine) with so many
 * preemptions, from its present state; the first that does not end well ends
 * this. The host is then as it was before. explore.c says what a preemption is,
 * and where there can be one. STATE if it is not booted, or has ended. */
int hv_explore(hv_host *host, uint32_t vm, struct hv_explore *explore);

/* cdef: end */

#endif
