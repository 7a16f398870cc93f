/* sched.h - who runs where, and for how long: what the rest of the hypervisor
 * asks of the scheduler. How one is chosen is the policy's: policy.h. */
#ifndef HV_SCHED_SCHED_H
#define HV_SCHED_SCHED_H

#include "sched/policy.h"

struct pcpu;

void sched_init(struct hyp *hyp);

/* NULL, or what is wrong with them under every policy. */
const char *sched_params_bad(const struct sched_params *params);
/* A VM comes and goes, and its parameters change: false, with *why set and
 * nothing changed, if the policy cannot keep what it has promised. */
bool sched_admit(struct vm *vm, const struct sched_params *params,
                 const char **why);
void sched_forget(struct vm *vm);
/* The harts that a vCPU may run on, at least one of those there are. */
bool sched_set_affinity(struct vcpu *vcpu, uint32_t harts, const char **why);

/* It became runnable. */
void sched_wake(struct vcpu *vcpu);
/* It is not runnable any more: off the queue, or off its hart. */
void sched_sleep(struct vcpu *vcpu);
/* All of them for good: their VM has ended. Each has been put to sleep. */
void sched_end(struct vm *vm);
/* It gives up the rest of its slice; to that one if it waits to run. */
void sched_give_way(struct vcpu *vcpu);
void sched_give_way_to(struct vcpu *vcpu, struct vcpu *to);
/* It ran, or was worked for. */
void sched_charge(struct vcpu *vcpu, uint64_t cycles);

/* The slice is over, or the timer went off. Says whose timer it was, or NULL. */
struct vcpu *sched_tick(struct pcpu *pcpu, uint64_t now);
/* Before leaving the hypervisor: switch if asked for. */
void sched_leave(struct pcpu *pcpu);
/* The last thing before the guest runs: arm the timer. A new slice begins only
 * here, so that even the shortest is the guest's, and not eaten by the switch
 * to it. */
void sched_arm(struct pcpu *pcpu);

/* Take the vCPU off the hart now, registers and all. */
void sched_deschedule(struct vcpu *vcpu);

/* Time of the hart that is in the hypervisor; from outside, of the first. */
uint64_t sched_now(const struct hyp *hyp);

/* cap.c. A VM with a cap has so many cycles in each period, which its vCPUs
 * take in advance, each for its next slice: for how many of `ticks` it may run
 * (0: for none), and what it did not use. */
uint64_t cap_take(struct vcpu *vcpu, uint64_t ticks, uint64_t now);
void cap_return(struct vcpu *vcpu);
void cap_charge(struct vcpu *vcpu, uint64_t cycles);
bool cap_spent(const struct vm *vm);
/* A new period, for all. */
void cap_refill(struct vm *vm);

#endif
