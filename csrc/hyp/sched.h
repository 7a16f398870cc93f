/* sched.h - who runs next: round robin over the runnable vCPUs. */
#ifndef HV_HYP_SCHED_H
#define HV_HYP_SCHED_H

#include <stdint.h>

struct pcpu;
struct vcpu;

/* It became runnable: to the end of the queue. */
void sched_wake(struct vcpu *vcpu);
/* It is not runnable any more: off the queue, or off its hart. */
void sched_sleep(struct vcpu *vcpu);
/* It gives up the rest of its slice. */
void sched_give_way(struct vcpu *vcpu);
/* The slice is over, or the timer went off. */
void sched_tick(struct pcpu *pcpu, uint64_t now);

/* Before leaving the hypervisor: switch if asked for. */
void sched_leave(struct pcpu *pcpu);
/* The last thing before the guest runs: arm the timer. A new slice begins only
 * here, so that even the shortest is the guest's, and not eaten by the switch
 * to it. */
void sched_arm(struct pcpu *pcpu);

/* Take the vCPU off the hart now, registers and all. */
void sched_deschedule(struct vcpu *vcpu);

#endif
