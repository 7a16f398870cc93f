/* timer.h - the virtual timers: one per vCPU, in one sorted list per host. Each
 * goes off by the clock of the hart where its vCPU runs or waits. */
#ifndef HV_SCHED_TIMER_H
#define HV_SCHED_TIMER_H

#include <stdint.h>

struct hyp_cpu;
struct vcpu;

#define TIME_NEVER UINT64_MAX

/* Timer interrupt at this machine time; takes back the pending one. */
void timer_set(struct vcpu *vcpu, uint64_t time);
/* The running guest asks for one, by its own time; "never" stays never. It may
 * be due already. */
void timer_ask(struct vcpu *vcpu, uint64_t deadline);
/* Of the vCPUs at home on this hart that the policy hears, whose clock says
 * `now`: raise the interrupts that are due, and wake who waits for them. One
 * whose was due, but not the one that runs here, or NULL. */
struct vcpu *timer_expire(struct hyp_cpu *cpu, uint64_t now);
/* When the next of them is due, or TIME_NEVER. */
uint64_t timer_next(const struct hyp_cpu *cpu);

#endif
