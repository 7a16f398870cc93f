/* sim.h - the hypervisor on harts that only pretend.
 *
 * All of csrc/hyp and csrc/sched, with a hal.h of its own beneath
 * (fake_hal.c): a hart is a clock and a timer, and a guest a list of steps
 * such as "compute for 5000 cycles, then sleep for 100 ticks". So a second of
 * machine time costs next to nothing, and every decision can be watched. The
 * Python side reads this header. */
#ifndef TESTS_SCHED_SIM_H
#define TESTS_SCHED_SIM_H

#include <stdint.h>

struct sim;

/* What a guest does next; at the end of its list it begins anew. */
enum sim_op {
    SIM_RUN,      /* a: cycles of computing */
    SIM_SLEEP,    /* a: ticks, by timer and suspend */
    SIM_RUN_TO,   /* compute until time % a == b */
    SIM_SLEEP_TO, /* sleep until time % a == b */
    SIM_BLOCK,    /* until an interrupt */
    SIM_YIELD,
    SIM_IPI,  /* a: mask of vCPUs of its VM */
    SIM_STOP, /* the vCPU stops for good */
    SIM_WORK, /* an exit that takes the hypervisor a cycles */
};
struct sim_step { uint32_t op, a, b; };

struct sim_config {
    const char *policy;
    uint32_t    harts, slice, period, tick, quantum;
    uint32_t    check; /* 1: every invariant, after every step */
};
struct sim_params { uint32_t weight, cap, budget, period, gang; };

struct sim_vcpu {
    uint32_t runnable; /* wants to run, and its VM is live */
    uint32_t parked, queued;
    int32_t  on, home; /* -1: none */
    uint64_t charged, guest;
    uint64_t vtime, deadline, key;
    int64_t  credit, left;
};
struct sim_hart {
    uint64_t cycle, guest, hypervisor, idle;
    uint32_t waiting;
    int32_t  vm, vcpu; /* that runs; vm 0: none */
};
struct sim_event {
    uint64_t cycle, charged; /* the vCPU's, at that time */
    uint32_t kind, hart, vm, vcpu, arg;
};

struct sim *sim_new(const struct sim_config *config);
void sim_free(struct sim *sim);
/* The number of a new VM, or 0 and sim_why(). */
uint32_t sim_vm(struct sim *sim, uint32_t vcpus,
                const struct sim_params *params);
int sim_program(struct sim *sim, uint32_t vm, uint32_t vcpu,
                const struct sim_step *steps, uint32_t n);
/* The vCPU's first step is next. */
void sim_start(struct sim *sim, uint32_t vm, uint32_t vcpu);
void sim_destroy(struct sim *sim, uint32_t vm);
void sim_pause(struct sim *sim, uint32_t vm, int on);
/* 1, or 0 and sim_why(). */
int sim_set(struct sim *sim, uint32_t vm, const struct sim_params *params);
int sim_affinity(struct sim *sim, uint32_t vm, uint32_t vcpu, uint32_t harts);
int sim_slots(struct sim *sim, const uint32_t *vm_ticks, uint32_t count);
/* As if its interrupt came twice. */
void sim_wake(struct sim *sim, uint32_t vm, uint32_t vcpu);
void sim_interrupt(struct sim *sim, uint32_t vm, uint32_t vcpu);

/* Until all clocks are there. NULL, or what went wrong. */
const char *sim_run(struct sim *sim, uint64_t cycle);
const char *sim_why(struct sim *sim);

void sim_see_vcpu(struct sim *sim, uint32_t vm, uint32_t vcpu,
                  struct sim_vcpu *out);
void sim_see_hart(struct sim *sim, uint32_t hart, struct sim_hart *out);
uint64_t sim_now(struct sim *sim);        /* the earliest clock, in cycles */
uint64_t sim_period_end(struct sim *sim); /* in ticks */
uint64_t sim_charged(struct sim *sim); /* to all vCPUs that there ever were */
uint64_t sim_decisions(struct sim *sim);
/* Keep events of these kinds (a mask), from now on; and fetch them. */
void sim_watch(struct sim *sim, uint32_t mask);
uint32_t sim_take(struct sim *sim, struct sim_event *out, uint32_t max);
const char *sim_event_name(uint32_t kind);

#endif
