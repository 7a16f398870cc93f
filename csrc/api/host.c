/* host.c - making and freeing a host; names of costs and counters. */
#include "api/host.h"
#include "machine/arena.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_RAM      (256u << 20)
#define MAX_RAM          (1u << 30)
#define DEFAULT_TIME_DIV 10
#define DEFAULT_SLICE    10000 /* ticks: 1 ms at TIMEBASE_HZ */
#define DEFAULT_PERIOD   100000
/* Cycles: 10 us at the default time_div. Longer turns, and a hart that waits for
 * another waits too long; shorter ones, and the host has the work. */
#define DEFAULT_QUANTUM 1000

_Static_assert((int)HV_ENGINE_REF == (int)ENGINE_REF &&
                   (int)HV_ENGINE_FAST == (int)ENGINE_FAST,
               "hv_config.engine is machine_config.engine");
_Static_assert(NR_COSTS <= sizeof(((struct hv_config *)0)->cost) / 4,
               "hv_config.cost has room for every cost");

struct name { const char *name, *doc; };

static const struct name costs[] = {
#define COST(name, value, doc) { #name, doc },
#include "abi/costs.def"
#undef COST
};

static const uint32_t cost_defaults[] = {
#define COST(name, value, doc) value,
#include "abi/costs.def"
#undef COST
};

#define COUNTER(name, doc) { #name, doc },
static const struct name hart_counters[] = {
#include "machine/counters.def"
    { "cycles", "the hart's clock" },
    { "instret", "instructions retired" },
};
static const struct name vm_counters[] = {
#include "hyp/counters.def"
};
#undef COUNTER

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

const char *hv_version(void)
{
    return "0.1.0";
}

const char *hv_status_text(int status)
{
    static const char *const text[] = {
        [HV_OK] = "no error",
        [HV_ERR_INVALID] = "an argument is outside its documented range",
        [HV_ERR_NO_MEMORY] = "the host has no memory for it",
        [HV_ERR_NO_VM] = "no such VM, or it was destroyed",
        [HV_ERR_ADDRESS] = "not in that guest's memory",
        [HV_ERR_STATE] = "not possible in this state",
        [HV_ERR_UNSUPPORTED] = "this machine or style has no such thing",
        [HV_ERR_AUDIT] = "the audit found something that does not add up",
        [HV_ERR_BROKEN] = "an assertion failed in hv: the host is unusable",
        [HV_ERR_IMAGE] = "these bytes are no saved VM or host",
    };

    if (status < 0 || status >= (int)COUNT(text))
        return "unknown status";
    return text[status];
}

uint32_t hv_cost_count(void)
{
    return COUNT(costs);
}

const char *hv_cost_name(uint32_t i)
{
    return i < COUNT(costs) ? costs[i].name : NULL;
}

const char *hv_cost_doc(uint32_t i)
{
    return i < COUNT(costs) ? costs[i].doc : NULL;
}

static const struct name *counter(int group, uint32_t i)
{
    if (group == HV_COUNTERS_HART)
        return i < COUNT(hart_counters) ? &hart_counters[i] : NULL;
    if (group == HV_COUNTERS_VM)
        return i < COUNT(vm_counters) ? &vm_counters[i] : NULL;
    return NULL;
}

uint32_t hv_counter_count(int group)
{
    if (group == HV_COUNTERS_HART)
        return COUNT(hart_counters);
    return group == HV_COUNTERS_VM ? COUNT(vm_counters) : 0;
}

const char *hv_counter_name(int group, uint32_t i)
{
    return counter(group, i) ? counter(group, i)->name : NULL;
}

const char *hv_counter_doc(int group, uint32_t i)
{
    return counter(group, i) ? counter(group, i)->doc : NULL;
}

void host_say(char *why, size_t n, const char *format, ...)
{
    va_list args;

    if (!why || n == 0)
        return;
    va_start(args, format);
    vsnprintf(why, n, format, args);
    va_end(args);
}

void hv_config_default(struct hv_config *config)
{
    *config = (struct hv_config){
        .engine = HV_ENGINE_FAST,
        .harts = 1,
        .ram_size = DEFAULT_RAM,
        .asid_bits = HV_ASIDS_DEFAULT,
        .time_div = DEFAULT_TIME_DIV,
        .slice = DEFAULT_SLICE,
        .period = DEFAULT_PERIOD,
        .quantum = DEFAULT_QUANTUM,
    };
    memcpy(config->cost, cost_defaults, sizeof(cost_defaults));
}

const char *host_config_bad(const struct hv_config *c)
{
    if (c->m_mode > HV_M_CODE)
        return "m_mode must be one of enum hv_m_mode";
    if (c->engine >= NR_ENGINES)
        return "engine must be one of enum hv_engine";
    if (c->profile > HV_PROFILE_LEAKY)
        return "profile must be one of enum hv_profile";
    if (c->harts < 1 || c->harts > MAX_HARTS)
        return "harts must be in 1..8";
    if (c->quantum == 0)
        return "quantum must be at least 1 cycle";
    if (c->ram_size == 0 || c->ram_size % PAGE_SIZE || c->ram_size > MAX_RAM)
        return "ram_size must be a multiple of 4096 up to 1 GiB";
    if (c->asid_bits != 0 && c->asid_bits != 9 &&
        c->asid_bits != HV_ASIDS_DEFAULT)
        return "asid_bits must be 0 or 9";
    if (c->policy >= HV_NR_POLICIES)
        return "policy must be one of enum hv_policy";
    if (!sched_policies[c->policy])
        return "policy is not here yet";
    if (c->period == 0)
        return "period must be at least 1 tick";
    if (c->admission >= HV_NR_ADMISSIONS)
        return "admission must be one of enum hv_admission";
    if (c->policy == HV_POLICY_SLOTS && c->admission == HV_ADMISSION_OVERCOMMIT)
        return "policy slots keeps VMs apart: admission must be strict";
    if (c->policy == HV_POLICY_SLOTS && c->harts > 1 && c->asid_bits == 0)
        return "policy slots on several harts needs asid_bits 9";
    if (c->ad_fault > 1 || c->h_ext > 1 || c->audit > 1 || c->fill > 255)
        return "ad_fault, h_ext and audit must be 0 or 1, fill a byte";
    if (c->time_div == 0 || c->time_div > 1000000)
        return "time_div must be in 1..1000000";
    if (c->slice == 0)
        return "slice must be at least 1 tick";
    if (c->cost[COST_insn] == 0)
        return "cost insn must be at least 1: time has to pass";
    for (uint32_t i = 0; i < NR_COSTS; i++)
        if (c->cost[i] > 1000000)
            return "a cost must be at most 1000000 cycles";
    return NULL;
}

static struct machine *make_machine(const struct hv_config *c)
{
    struct machine_config config = {
        .engine = c->engine,
        .ram_size = c->ram_size,
        .nr_harts = c->harts,
        .asid_bits = c->asid_bits,
        .time_div = c->time_div,
        .leaky = c->profile == HV_PROFILE_LEAKY,
        .native_m = c->m_mode != HV_M_CODE,
        .ad_fault = c->ad_fault != 0,
        .h_ext = c->h_ext || c->m_mode == HV_M_HYPERVISOR,
    };

    if (c->asid_bits == HV_ASIDS_DEFAULT)
        config.asid_bits = c->m_mode == HV_M_HYPERVISOR ? 9 : 0;
    memcpy(config.cost, c->cost, sizeof(config.cost));
    return machine_new(&config);
}

int hv_host_new(const struct hv_config *config, hv_host **out, char *why,
                size_t n)
{
    if (!out)
        return HV_ERR_INVALID;
    *out = NULL;
    const char *bad = config ? host_config_bad(config) : "config is missing";
    if (bad) {
        host_say(why, n, "%s", bad);
        return HV_ERR_INVALID;
    }
    struct hyp_config hyp = {
        .slice = config->slice,
        .ad_fault = config->ad_fault != 0,
        .overcommit = config->admission == HV_ADMISSION_OVERCOMMIT,
        .policy = sched_policies[config->policy],
        .period = config->period,
    };
    struct machine *machine = make_machine(config);
    hv_host        *host = NULL;
    if (machine)
        host = arena_zalloc(machine_arena(machine), sizeof(*host));
    if (host) {
        host->config = *config;
        host->machine = machine;
    }
    if (!host ||
        (host_has_hyp(host) && !hosted_init(&host->hal, host->machine, &hyp,
                                            (uint8_t)config->fill))) {
        host_say(why, n, "no memory for a machine of %u bytes",
                 (unsigned)config->ram_size);
        machine_free(machine);
        return HV_ERR_NO_MEMORY;
    }
    interleave_init(&host->interleave, machine_arena(machine), config->harts,
                    config->quantum);
    *out = host;
    return HV_OK;
}

void hv_host_free(hv_host *host)
{
    if (!host)
        return;
    if (host_has_hyp(host) && !setjmp(host->hal.unwind))
        hosted_fini(&host->hal);
    machine_free(host->machine); /* and its arena, where the host is */
}

const char *hv_host_reason(hv_host *host)
{
    return host && host->hal.broken ? host->hal.why : "";
}

int hv_host_info(hv_host *host, struct hv_host_info *out)
{
    if (!host || !out)
        return HV_ERR_INVALID;
    *out = (struct hv_host_info){
        .frames = host->config.ram_size / PAGE_SIZE,
        .cycles = machine_hart(host->machine, 0)->cycle,
    };
    for (uint32_t i = 0; i < host->config.harts; i++)
        out->insns += machine_hart(host->machine, i)->instret;
    if (!host_has_hyp(host))
        return HV_OK;
    const struct hyp *hyp = &host->hal.hyp;
    out->frames_free = hyp->frames.free;
    out->frames_hyp = hyp->frames.hyp;
    out->frames_reserved = hyp->frames.reserved;
    out->frames_shared = hyp->frames.shared;
    out->killed = hyp->reclaim.kills;
    out->vms = hyp->nr_vms;
    return HV_OK;
}

int host_guest(hv_host *host, uint32_t id, struct vm **vm)
{
    *vm = NULL;
    if (!host)
        return HV_ERR_INVALID;
    if (!host_has_hyp(host))
        return id == 0 ? HV_OK : HV_ERR_NO_VM;
    if (host->hal.broken)
        return HV_ERR_BROKEN;
    *vm = hyp_vm(&host->hal.hyp, id);
    return *vm ? HV_OK : HV_ERR_NO_VM;
}

int host_vcpu(hv_host *host, uint32_t id, uint32_t n, struct vm **vm)
{
    int status = host_guest(host, id, vm);

    if (status != HV_OK)
        return status;
    uint32_t count = *vm ? (*vm)->config.nr_vcpus : host->config.harts;
    return n < count ? HV_OK : HV_ERR_INVALID;
}
