/* timer.h - the virtual timers: one per vCPU, in one sorted list per host. */
#ifndef HV_HYP_TIMER_H
#define HV_HYP_TIMER_H

#include <stdint.h>

struct hyp;
struct vcpu;

#define TIME_NEVER UINT64_MAX

/* Timer interrupt at this machine time; takes back the pending one. */
void timer_set(struct vcpu *vcpu, uint64_t time);
/* Raise the interrupts that are due, and wake who waits for them. */
void timer_expire(struct hyp *hyp, uint64_t now);
/* When the next one is due, or TIME_NEVER. */
uint64_t timer_next(const struct hyp *hyp);

#endif
