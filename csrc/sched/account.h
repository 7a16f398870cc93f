/* account.h - where a hart's time goes, to the last cycle. */
#ifndef HV_SCHED_ACCOUNT_H
#define HV_SCHED_ACCOUNT_H

#include <stdint.h>

struct hyp_cpu;
struct vcpu;

/* guest + hypervisor + idle = elapsed, on every hart, always. */
enum spent { SPENT_GUEST, SPENT_HYP, SPENT_IDLE, NR_SPENT };

/* What passed on this hart since the last call was this. If it was for a vCPU
 * (else NULL), its VM is charged. */
void account(struct hyp_cpu *cpu, enum spent kind, struct vcpu *vcpu);

/* What a vCPU did with its life, in ticks of `time`. Runnable, but not running,
 * is what others took: the steal time. */
enum runstate {
    RUN_RUNNING,
    RUN_RUNNABLE,
    RUN_BLOCKED,
    RUN_OFFLINE, /* stopped, or its VM is paused or has ended */
    NR_RUNSTATES
};
struct runtimes {
    enum runstate state;
    uint64_t      since;
    uint64_t      time[NR_RUNSTATES]; /* up to `since` */
};

/* The state it is in changed, perhaps. */
void runstate_update(struct vcpu *vcpu);
/* The same sums up to now. */
void runstate_times(struct vcpu *vcpu, uint64_t time[NR_RUNSTATES]);

#endif
