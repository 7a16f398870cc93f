/* style.h - how a VM is virtualized, as a small record of operations.
 *
 * `emulate`: the kernel does not know; it runs in real U-mode, its privileged
 * instructions trap and are emulated. `assist`: it does not know either, but
 * runs in real S-mode; only what concerns address translation and waiting
 * traps. `pv`: the kernel was modified; it runs in real U-mode, asks by
 * hypercall, and its traps arrive through a shared page. `nested`: a kernel
 * that does not know runs in VS-mode, on tables of its own over a second stage.
 * hypercall, and its traps arrive through a shared page. `direct`: as `pv`, but
 * the machine walks the guest's own tables.
 *
 * A style has a CPU side, and a memory side (struct paging), which several
 * styles can share. */
#ifndef HV_HYP_STYLE_H
#define HV_HYP_STYLE_H

#include "abi/access.h"
#include "hyp/hal.h"

struct vcpu;
struct vm;

enum trap_action {
    TRAP_RESUME,  /* dealt with: go on */
    TRAP_REFLECT, /* the guest's own affair: vcpu->fault says what */
    TRAP_KILL,    /* it cannot go on: vm_kill() has said why */
};

/* Who translates a guest's addresses. */
struct paging {
    const char *name;
    /* Get what every VM with it needs, before its first guest runs; to be
     * called again is harmless. False, with *why set and nothing changed. */
    bool (*prepare)(struct vm *vm, const char **why);
    /* The machine refused an access. */
    enum trap_action (*fault)(struct vcpu *vcpu, enum access access,
                              struct trap trap);
    /* What the real satp (nested: hgatp) must be for this vCPU; holds the root
     * from now on. */
    uint32_t (*root)(struct vcpu *vcpu);
    /* It leaves its hart, or this style: let go of the root. */
    void (*release)(struct vcpu *vcpu);
    /* The guest asked to forget translations: of one page, or all. False: the
     * exit has worked enough, and some are left; to be asked again. */
    bool (*fence)(struct vm *vm, struct pcpu *pcpu, bool one_page, gva_t va);
    /* The frame behind this guest frame is about to change: no translation of
     * this VM's may name it any more. `lost`: its contents are lost, too, and
     * with them what was derived from it as a table. NULL: frames stay where
     * they are under this style. */
    void (*zap)(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, bool lost);
    /* The guest's next store there must be seen. */
    void (*protect)(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);
};

struct style {
    const char          *name;
    const struct paging *paging;
    bool                 hypercalls; /* hv's own calls are answered */
    /* Its tables hold machine frame numbers: all memory is there at once, and
     * the style is for life. */
    bool direct;
    /* An illegal instruction: emulate it, or reflect. */
    enum trap_action (*illegal)(struct vcpu *vcpu, uint32_t insn);
    /* Deliver vcpu->fault (an exception or interrupt) to the guest kernel. */
    enum trap_action (*inject)(struct vcpu *vcpu, struct trap fault);
    /* May an interrupt be delivered now? If so, its number, else -1. */
    int (*pending)(struct vcpu *vcpu);
    /* Would an interrupt end a wait? */
    bool (*wakes)(struct vcpu *vcpu);
    /* What the hart is to run with, but satp. */
    void (*enter)(struct vcpu *vcpu, struct world *world);
    /* While it runs, its CSRs and mode are in the hart: see hal_leave(). */
    bool in_hart;
};

/* emulate.c, for the styles whose kernel does not know. */
enum trap_action emulate_illegal(struct vcpu *vcpu, uint32_t insn);
enum trap_action emulate_inject(struct vcpu *vcpu, struct trap fault);
int emulate_pending(struct vcpu *vcpu);
bool emulate_wakes(struct vcpu *vcpu);
/* Real U-mode, with the guest's MXR: for styles that deprivilege. */
void deprivileged_enter(struct vcpu *vcpu, struct world *world);

/* pv.c, for the styles whose kernel does. */
enum trap_action pv_illegal(struct vcpu *vcpu, uint32_t insn);
enum trap_action pv_inject(struct vcpu *vcpu, struct trap fault);
int pv_pending(struct vcpu *vcpu);
bool pv_wakes(struct vcpu *vcpu);

/* Read cycle, time or instret, as user programs may in every style. False: it
 * is another instruction, or not permitted; vcpu->fault then says so. */
bool emulate_counter(struct vcpu *vcpu, uint32_t insn);

extern const struct style style_emulate, style_assist, style_pv, style_nested,
    style_direct;
extern const struct paging paging_shadow, paging_stage2;

/* zap and protect of all that is not `direct`. */
void paging_zap(struct vm *vm, struct pcpu *pcpu, gfn_t gfn, bool lost);
void paging_protect(struct vm *vm, struct pcpu *pcpu, gfn_t gfn);

#endif
