/* style.h - how a VM is virtualized, as a small record of operations.
 *
 * `emulate`: the kernel does not know; its privileged instructions trap and
 * are emulated. `pv`: the kernel was modified; it asks by hypercall, and its
 * traps arrive through a shared page. Both run the guest kernel in real U-mode
 * on shadow page tables. */
#ifndef HV_HYP_STYLE_H
#define HV_HYP_STYLE_H

#include "hyp/hal.h"

struct vcpu;

enum trap_action {
    TRAP_RESUME,  /* dealt with: go on */
    TRAP_REFLECT, /* the guest's own affair: vcpu->fault says what */
    TRAP_KILL,    /* it cannot go on: vm_kill() has said why */
};

struct style {
    const char *name;
    /* An illegal instruction: emulate it, or reflect. */
    enum trap_action (*illegal)(struct vcpu *vcpu, uint32_t insn);
    /* Deliver vcpu->fault (an exception or interrupt) to the guest kernel. */
    enum trap_action (*inject)(struct vcpu *vcpu, struct trap fault);
    /* May an interrupt be delivered now? If so, its number, else -1. */
    int (*pending)(struct vcpu *vcpu);
    /* Would an interrupt end a wait? */
    bool (*wakes)(struct vcpu *vcpu);
    bool hypercalls; /* hv's own calls are answered */
};

/* Read cycle, time or instret, as user programs may in every style. False: it
 * is another instruction, or not permitted; vcpu->fault then says so. */
bool emulate_counter(struct vcpu *vcpu, uint32_t insn);

extern const struct style style_emulate, style_pv;

#endif
