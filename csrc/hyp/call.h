/* call.h - calls from a guest kernel: the standard SBI, and hv's own. */
#ifndef HV_HYP_CALL_H
#define HV_HYP_CALL_H

#include "abi/sbi.h"
#include "hyp/style.h"

struct vcpu;

struct sbi_ret {
    int32_t  error; /* SBI_SUCCESS or SBI_ERR_x */
    uint32_t value;
};

/*
 * Two errors that no guest sees; no error of SBI is positive, and no character
 * of the legacy console is as large. The ecall is executed again: when there is
 * machine memory for what the call is to write; or at once, since the exit has
 * worked enough (hyp.h, EXIT_ENOUGH). What the call has done by then nobody can
 * tell, or it stands in a0 and a1, which are checked again like a guest's own.
 */
#define CALL_STARVED 0x1000
#define CALL_AGAIN   0x1001

/* Serve the ecall this vCPU's kernel just executed. */
enum trap_action call_dispatch(struct vcpu *vcpu);

/* The standard extensions. What comes back in a0 and a1 is in *ret; the legacy
 * extensions return in a0 alone (*legacy). */
void sbi_call(struct vcpu *vcpu, uint32_t ext, uint32_t fn, const uint32_t *arg,
              struct sbi_ret *ret, bool *legacy);

/* Their numbers. */
enum {
#define HYPERCALL(nr, name, nargs, version, signature, doc) HCALL_##name = (nr),
#include "abi/hypercalls.def"
#undef HYPERCALL
};

/* One of hv's own calls, by number. Some (iret, deliver, block, shutdown)
 * replace the caller's state; *done is then set, and nothing is returned. */
struct sbi_ret hypercall(struct vcpu *vcpu, uint32_t nr, const uint32_t *arg,
                         bool *done);

/* pv.c: the calls about traps and interrupts. */
/* Forget what it registered: it starts anew, or not again. */
void pv_reset(struct vcpu *vcpu);
struct sbi_ret pv_set_shared(struct vcpu *vcpu, gpa_t page);
struct sbi_ret pv_set_entry(struct vcpu *vcpu, uint32_t entry, uint32_t stack);
bool pv_iret(struct vcpu *vcpu);
struct sbi_ret pv_block(struct vcpu *vcpu);

/* sched/steal.c: tell a vCPU what others took of its time (SBI, chapter 16): where,
 * and, whenever it goes on a hart or off it, how much. */
struct sbi_ret steal_set(struct vcpu *vcpu, const uint32_t *arg);
void steal_forget(struct vcpu *vcpu);
void steal_tell(struct vcpu *vcpu, bool runs);
/* What it did with all its time. */
struct sbi_ret steal_runstate(struct vcpu *vcpu, uint32_t id, gpa_t to);

/* Bytes between a guest's memory and its console; at most PV_CONSOLE_MAX, and
 * *value is how many. */
struct sbi_ret console_write(struct vcpu *vcpu, gpa_t from, uint32_t len);
struct sbi_ret console_read(struct vcpu *vcpu, gpa_t to, uint32_t len);

#endif
