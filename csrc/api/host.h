/* host.h - what the files of csrc/api share: the host behind the handle. */
#ifndef HV_API_HOST_H
#define HV_API_HOST_H

#include "api/interleave.h"
#include "include/hv.h"
#include "machine/machine.h"
#include "port/firmware.h"
#include "port/firmware_native.h"
#include "port/hosted.h"
#include "sched/sched.h"

#define MAX_BREAKS 64

struct breakpoint { uint32_t vm, pc; };

struct hv_host {
    struct hv_config  config;
    struct machine   *machine;
    struct hal        hal;     /* HV_M_HYPERVISOR */
    struct firmware   fw;      /* HV_M_FIRMWARE */
    bool              booted;  /* the bare machine was started */
    struct channel    uart_in; /* bare: input its UART has no room for yet */
    struct breakpoint breaks[MAX_BREAKS];
    uint32_t          nr_breaks;
    bool              at_break; /* stopped there last: run over it */
    struct interleave interleave;
};

static inline bool host_has_hyp(const struct hv_host *host)
{
    return host->config.m_mode == HV_M_HYPERVISOR;
}

/* Its policy keeps VMs apart: csrc/sched/slots.c. */
static inline bool host_slots(const struct hv_host *host)
{
    return host->config.policy == HV_POLICY_SLOTS;
}

/* NULL if all is well, else what is wrong and what would be right. */
const char *host_config_bad(const struct hv_config *config);

/* The guest of this number: HV_OK and *vm, with *vm NULL for the bare machine
 * (number 0 on a host without hypervisor). */
int host_guest(hv_host *host, uint32_t id, struct vm **vm);
/* The same, and its vCPU or hart must exist. */
int host_vcpu(hv_host *host, uint32_t id, uint32_t n, struct vm **vm);

/* sched.c: by enum hv_policy. */
extern const struct policy *const sched_policies[HV_NR_POLICIES];
/* NULL, or what is wrong with them; and what the hypervisor makes of them. */
const char *host_sched_bad(const struct hv_sched *sched);
struct sched_params host_sched(const struct hv_sched *sched);
/* There may be no room for the events of one more exit. */
bool host_watch_full(const hv_host *host);

/* Instructions retired by a vCPU, up to now. */
uint64_t host_vcpu_insns(hv_host *host, struct vcpu *vcpu);
/* Where hv_step() steps it: on its hart, where it waits, or on the first. */
struct pcpu *host_step_pcpu(hv_host *host, const struct vcpu *vcpu);

/* Hand queued input to the bare machine's UART, as far as that has room. */
void host_feed(hv_host *host);

/* hv_audit() of a host with a hypervisor that is not broken, where a failed
 * assertion has somewhere to go already. */
int host_audit(hv_host *host, char *why, size_t n);
/* True, or the host is broken, if it is to be audited at every exit. */
bool host_audit_ok(hv_host *host);

/* Text for the caller of an API function that failed. */
void host_say(char *why, size_t n, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

#endif
