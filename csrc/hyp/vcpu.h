/* vcpu.h - a virtual hart: what the guest believes its hart to be.
 *
 * While a vCPU runs, its registers are in the real hart and pcpu->regs points
 * at them; otherwise they are in `saved`. Its supervisor CSRs and its mode are
 * here whenever the hypervisor looks. A deprivileged kernel never touches the
 * real ones; the others' are in the hart between vcpu_enter_world() and
 * vcpu_leave_world(). */
#ifndef HV_HYP_VCPU_H
#define HV_HYP_VCPU_H

#include "abi/csr.h"
#include "abi/regs.h"
#include "hyp/direct.h"
#include "hyp/hal.h"
#include "hyp/style.h"
#include "hyp/tag.h"
#include "sched/account.h"
#include "sched/policy.h"

struct vm;
struct shadow;

enum vcpu_state {
    VCPU_STOPPED,  /* not started yet, or stopped by HSM */
    VCPU_RUNNABLE, /* running, or on the run queue */
    VCPU_BLOCKED,  /* waits for an interrupt */
    VCPU_STARVED,  /* waits for machine memory: reclaim.c */
};

/* What a paravirtual kernel registered. */
struct pv_state {
    bool     shared_set;
    gpa_t    shared; /* its part of the shared-info page */
    bool     entry_set;
    uint32_t entry, stack;
    bool     kicked;  /* since the last poll */
    bool     polls;   /* it is in one */
    bool     sta_set; /* it wants to know its steal time ... */
    gpa_t    sta;     /* ... here */
};

struct vcpu {
    struct vm      *vm;
    uint32_t        id;
    enum vcpu_state state;
    struct pcpu    *on;      /* the hart it runs on, or NULL */
    bool            entered; /* ... which has its world now */
    struct regs     saved;
    uint32_t        mode; /* PRIV_U or PRIV_S: vU or vS */
    struct vcsr     csr;
    uint32_t        raised; /* bits for csr.sip, once its hart lets go of it */
    struct pv_state pv;
    struct shadow  *root;    /* the shadow it runs on; holds a reference */
    struct roots    roots;   /* direct: what it runs on instead; holds them */
    struct tag      vmid;    /* nested: what the TLB knows it by ... */
    uint32_t        vmid_on; /* ... on this hart */
    struct trap     fault;   /* what TRAP_REFLECT delivers */

    uint64_t     timer; /* machine time of its timer interrupt; ~0: never */
    struct vcpu *timer_next;

    struct sched_vcpu sched;
    struct runtimes   run;
    uint64_t          charged; /* cycles it ran, and was worked for */

    uint64_t insns;      /* retired, emulated ones included */
    uint64_t insns_base; /* hal_instret() when it was last entered */
    uint64_t traps_base; /* hal_traps() then */
    uint64_t steps;      /* emulated instructions and delivered traps */
    uint32_t fruitless;  /* exceptions in a row without progress ... */
    uint64_t progress;   /* ... since this sum of insns and steps */
    uint32_t stuck;      /* traps delivered since an instruction retired */
    uint64_t stuck_insns;
};

void vcpu_init(struct vcpu *vcpu, struct vm *vm, uint32_t id);
/* Start in kernel mode, untranslated. */
void vcpu_start(struct vcpu *vcpu, uint32_t pc, uint32_t a0, uint32_t a1,
                uint32_t a2);
void vcpu_stop(struct vcpu *vcpu);

struct regs *vcpu_regs(struct vcpu *vcpu);
/* Step over an instruction that was emulated: it retires, and takes its time.
 * An ecall that was served is stepped over too, but does not retire (the
 * Privileged Specification, 3.3.1). */
void vcpu_retire(struct vcpu *vcpu);
void vcpu_step_over(struct vcpu *vcpu);
/* Back before the ecall that was stepped over: it is not served yet. */
enum trap_action vcpu_again(struct vcpu *vcpu);

/* The guest's own time ends here: count what it ran since it was entered. */
void vcpu_account(struct vcpu *vcpu);
/* It goes on, or begins: count from here. */
void vcpu_resume(struct vcpu *vcpu);

/* Note an exception for the guest; returns TRAP_REFLECT. */
enum trap_action vcpu_fault(struct vcpu *vcpu, uint32_t cause, uint32_t tval);

/* Guest time: machine time since the VM was made. */
uint64_t vcpu_time(struct vcpu *vcpu);
uint64_t vcpu_cycles(struct vcpu *vcpu);

/* sip as the guest would read it, PLIC line included. */
uint32_t vcpu_sip(struct vcpu *vcpu);
/* Interrupts for it (bits of sip), from whatever hart. */
void vcpu_raise(struct vcpu *vcpu, uint32_t bits);
/* An interrupt line may have changed: wake it if it waits for that. */
void vcpu_kick(struct vcpu *vcpu);
/* The firmware of a bare machine would have been interrupted (its timer, an
 * IPI), which ends a wfi whatever the kernel's own sie says. */
void vcpu_wake(struct vcpu *vcpu);
/* Wait for an interrupt, unless one is there. */
void vcpu_block(struct vcpu *vcpu);

/* Its kernel asked to forget translations: of one page, or all. False: not all
 * of them yet; ask again. */
bool vcpu_fence(struct vcpu *vcpu, bool one_page, gva_t va);

/* Hold the root that it is to run on. False: it had to be made. */
bool vcpu_ready(struct vcpu *vcpu);
/* Make the hart run with what this vCPU's state asks for. */
void vcpu_enter_world(struct vcpu *vcpu);
/* The guest has stopped: from now on csr and mode are here, and can change. */
void vcpu_leave_world(struct vcpu *vcpu);
/* Only to look at: make csr and mode true while the guest goes on. */
void vcpu_pull(struct vcpu *vcpu);

#endif
