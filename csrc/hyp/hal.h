/* hal.h - everything the hypervisor may ask of the machine beneath it.
 *
 * Ports implement this header: port/hosted.c (the machine of csrc/machine, in
 * this process) and, later, a bare one on real CSRs. Nothing in csrc/hyp may
 * know which one it is linked with. Control runs upward: no function here runs
 * a guest. The port calls hyp_trap() on every trap to M; when that returns,
 * the guest that hal_enter() described last resumes. */
#ifndef HV_HYP_HAL_H
#define HV_HYP_HAL_H

#include "abi/regs.h"
#include "hyp/types.h"

struct hal; /* the port's own */

/* One per hart. The port makes it; the hypervisor hangs its own block on it. */
struct pcpu {
    struct hal  *hal;
    uint32_t     id;
    struct regs *regs; /* of the guest that trapped, until hyp_trap returns */
    struct hyp_cpu *hyp;
    uint32_t        traced; /* mask of enum hal_event: somebody wants these */
};

/* Elementary steps that cost cycles: abi/costs.def. */
enum hal_cost {
#define COST(name, value, doc) HAL_COST_##name,
#include "abi/costs.def"
#undef COST
    HAL_NR_COSTS
};

/* What can be told of: hyp/events.def. */
enum hal_event {
#define EVENT(name, doc) EVENT_##name,
#include "hyp/events.def"
#undef EVENT
    NR_EVENTS
};

/* The supervisor CSRs that a guest kernel believes to be its hart's. */
struct vcsr {
    uint32_t sstatus; /* within SSTATUS_MASK */
    uint32_t sie;     /* within SIP_MASK */
    uint32_t sip;     /* SSIP and STIP; SEIP is the PLIC's line */
    uint32_t stvec, scounteren, sscratch, sepc, scause, stval, satp;
};

/* What a guest runs in: the real privilege and the real translation. */
enum world_kind {
    WORLD_DEPRIVILEGED, /* real U, whatever the guest believes */
    WORLD_ASSISTED,     /* real S and U, what would leave the VM traps */
    WORLD_NESTED,       /* VS and VU over a second stage (extension H) */
};
struct world {
    enum world_kind kind;
    uint32_t        satp; /* the real satp: a shadow root, never a guest's;
                             nested: hgatp, which is made alike */
    bool            mxr;  /* deprivileged: the real mstatus.MXR */
    uint64_t        born; /* nested: when the guest's time was 0 */
    /* assisted, nested: */
    uint32_t           mode; /* PRIV_U or PRIV_S */
    uint32_t           sip;  /* interrupts that are pending */
    const struct vcsr *csr;  /* to be put into the hart; nested: with the
                                    guest's own satp */
};

struct trap {
    uint32_t cause; /* as mcause */
    uint32_t tval;  /* as mtval */
    gfn_t    gfn;   /* of a guest-page fault: the frame, which has 22 bits */
};

/* What to forget: one page's translations, or (size 0) all of them. */
struct fence {
    gva_t    va;
    uint32_t size;
};

/* Machine memory. Leaving RAM is a hypervisor bug and halts the host. Every
 * write goes through here, so that the machine can drop decoded code and
 * reservations. */
struct span {
    hpa_t    base;
    uint32_t size;
};
struct span hal_ram(struct hal *hal);
uint32_t hal_read32(struct hal *hal, hpa_t pa);
void hal_write32(struct hal *hal, hpa_t pa, uint32_t val);
void hal_read(struct hal *hal, hpa_t pa, void *to, uint32_t len);
void hal_write(struct hal *hal, hpa_t pa, const void *from, uint32_t len);
void hal_zero_frame(struct hal *hal, hpa_t pa);

/* Memory for the hypervisor's own structures: no guest can reach it. NULL when
 * there is none left. The contents are undefined, on purpose. */
void *hal_alloc(struct hal *hal, size_t size);
void hal_free(struct hal *hal, void *block);

/* What the guest of this pCPU will run with once hyp_trap() returns. */
void hal_enter(struct pcpu *pcpu, const struct world *world);
/* Out of an assisted or nested world: what the guest made of its CSRs, and the
 * mode it was in. The bits of sip but SSIP stay as they are, and satp where the
 * guest cannot write it. */
uint32_t hal_leave(struct pcpu *pcpu, struct vcsr *csr);
/* How many address spaces the TLB can tell apart; 1 if satp has no ASID. */
uint32_t hal_asids(struct hal *hal);
/* The same of guests with a second stage; 0 without extension H. */
uint32_t hal_vmids(struct hal *hal);
/* Nothing to run: hyp_trap() is called again at the next interrupt, or
 * hyp_schedule() after a kick. */
void hal_wait(struct pcpu *pcpu);
/* Of this hart or another: when it returns, its TLB has forgotten. */
void hal_fence(struct pcpu *pcpu, struct fence what);
/* Forget all translations of all guests with a second stage. */
void hal_fence_vmids(struct pcpu *pcpu);
/* Instructions written by others become visible to this hart's fetches. */
void hal_fence_i(struct pcpu *pcpu);

/* Time: this hart's clock in cycles and in ticks of `time`, instructions
 * retired in guests, and the machine's timer (all ones: never). */
uint64_t hal_cycles(struct pcpu *pcpu);
uint64_t hal_time(struct pcpu *pcpu);
uint64_t hal_instret(struct pcpu *pcpu);
/* Traps that guests took in the hart itself, without an exit. */
uint64_t hal_traps(struct pcpu *pcpu);
void hal_set_timer(struct pcpu *pcpu, uint64_t time);
/* Cycles in a tick of `time`. */
uint32_t hal_tick(struct hal *hal);
/* Do nothing until the clock is there, if it is not yet. */
void hal_pad(struct pcpu *pcpu, uint64_t cycle);
bool hal_timer_due(struct pcpu *pcpu);
/* Work costs time: n elementary steps of this kind were done. */
void hal_charge(struct pcpu *pcpu, enum hal_cost kind, uint32_t n);

/* A VM's console: output is kept while there is memory to keep it in; input is
 * -1 when there is none. */
void hal_console_put(struct hal *hal, uint32_t vm, uint8_t byte);
int hal_console_get(struct hal *hal, uint32_t vm);

/* An event for the trace of this hart. A pcpu whose mask does not ask for it is
 * not to be bothered: trace.h. */
void hal_event(struct pcpu *pcpu, enum hal_event kind, uint32_t vm,
               uint32_t vcpu, uint32_t arg);

/* The one lock of the hypervisor. A hart that waits for it is out of its
 * guest, and counts as stopped. */
void hal_lock(struct pcpu *pcpu);
void hal_unlock(struct pcpu *pcpu);

/* Another hart: hyp_trap() is called there, with IRQ_MSI, before its guest
 * executes another instruction; when this returns, it executes none. One that
 * waits goes on as after hal_wait(). */
void hal_kick(struct pcpu *pcpu);
/* The kick has arrived: the interrupt is not pending any more. */
void hal_kicked(struct pcpu *pcpu);

/* A place, outside every locked region, where the port may run another pCPU's
 * handler first, to explore races. */
void hal_point(struct pcpu *pcpu, uint32_t id);

_Noreturn void hal_halt(struct hal *hal, const char *why);

/* To be provided by the hypervisor: the port calls it on every trap to M, and
 * resumes the guest of this pCPU when it returns. */
void hyp_trap(struct pcpu *pcpu, struct trap trap);

#endif
