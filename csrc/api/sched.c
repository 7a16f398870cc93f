/* sched.c - who gets the harts, and who got them; and watching it happen. */
#include "api/host.h"
#include <string.h>

#define WATCH_MAX  (1u << 22) /* events */
#define WATCH_ROOM 512        /* more than one exit can tell */

_Static_assert((int)HV_NR_RUNSTATES == (int)NR_RUNSTATES, "one set of states");

/* By enum hv_policy. */
const struct policy *const sched_policies[HV_NR_POLICIES] = {
    [HV_POLICY_RR] = &policy_rr,       [HV_POLICY_CREDIT] = &policy_credit,
    [HV_POLICY_FAIR] = &policy_fair,   [HV_POLICY_EDF] = &policy_edf,
    [HV_POLICY_SLOTS] = &policy_slots, [HV_POLICY_SAMPLED] = &policy_sampled,
};

static const struct {
    const char *name, *doc;
} events[] = {
#define EVENT(name, doc) { #name, doc },
#include "hyp/events.def"
#undef EVENT
};

uint32_t hv_event_count(void)
{
    return NR_EVENTS;
}

const char *hv_event_name(uint32_t i)
{
    return i < NR_EVENTS ? events[i].name : NULL;
}

const char *hv_event_doc(uint32_t i)
{
    return i < NR_EVENTS ? events[i].doc : NULL;
}

int hv_sched_get(hv_host *host, uint32_t id, struct hv_sched *out)
{
    struct vm *vm;
    int        status = host_guest(host, id, &vm);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    *out = (struct hv_sched){
        .weight = vm->sched.weight,
        .cap = vm->sched.cap,
        .budget = vm->sched.budget,
        .period = vm->sched.period,
        .gang = vm->sched.gang,
    };
    return HV_OK;
}

struct sched_params host_sched(const struct hv_sched *sched)
{
    return (struct sched_params){
        .weight = sched->weight,
        .cap = sched->cap,
        .budget = sched->budget,
        .period = sched->period,
        .gang = sched->gang != 0,
    };
}

const char *host_sched_bad(const struct hv_sched *sched)
{
    struct sched_params params = host_sched(sched);
    const char         *bad = sched_params_bad(&params);

    return !bad && sched->gang > 1 ? "gang must be 0 or 1" : bad;
}

int hv_sched_set(hv_host *host, uint32_t id, const struct hv_sched *sched,
                 char *why, size_t n)
{
    const char *bad = sched ? host_sched_bad(sched) : "sched is missing";
    struct vm  *vm;
    int         status = host_guest(host, id, &vm);

    if (status == HV_OK && !vm)
        status = HV_ERR_UNSUPPORTED;
    if (status != HV_OK || bad) {
        host_say(why, n, "%s", status ? hv_status_text(status) : bad);
        return status ? status : HV_ERR_INVALID;
    }
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    struct sched_params params = host_sched(sched);
    if (sched_admit(vm, &params, &bad))
        return HV_OK;
    host_say(why, n, "%s", bad);
    return HV_ERR_STATE;
}

int hv_affinity_set(hv_host *host, uint32_t id, uint32_t vcpu, uint32_t harts,
                    char *why, size_t n)
{
    const char *bad;
    struct vm  *vm;
    int         status = host_vcpu(host, id, vcpu, &vm);

    if (status == HV_OK && !vm)
        status = HV_ERR_UNSUPPORTED;
    if (status != HV_OK) {
        host_say(why, n, "%s", hv_status_text(status));
        return status;
    }
    if (setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    if (sched_set_affinity(&vm->vcpu[vcpu], harts, &bad))
        return HV_OK;
    host_say(why, n, "%s", bad);
    return HV_ERR_INVALID;
}

int hv_vcpu_info(hv_host *host, uint32_t id, uint32_t n,
                 struct hv_vcpu_info *out)
{
    struct vm *vm;
    int        status = host_vcpu(host, id, n, &vm);

    if (status != HV_OK || !out)
        return status != HV_OK ? status : HV_ERR_INVALID;
    if (!vm)
        return HV_ERR_UNSUPPORTED;
    struct vcpu             *vcpu = &vm->vcpu[n];
    const struct sched_vcpu *s = &vcpu->sched;
    bool                     edf = vm->sched.budget != 0;

    *out = (struct hv_vcpu_info){
        .state = vcpu->run.state,
        .hart = s->home ? s->home->pcpu->id : HV_NONE,
        .affinity = s->affinity,
        .parked = s->parked,
        .charged = vcpu->charged,
        .credit = edf ? s->edf.left : s->credit.credit,
        .insns = host_vcpu_insns(host, vcpu),
    };
    runstate_times(vcpu, out->time);
    return HV_OK;
}

int hv_hart_info(hv_host *host, uint32_t n, struct hv_hart_info *out)
{
    if (!host || !out || n >= host->config.harts)
        return HV_ERR_INVALID;
    if (!host_has_hyp(host))
        return HV_ERR_UNSUPPORTED;
    const struct hyp_cpu *cpu = &host->hal.hyp.cpu[n];
    const struct vcpu    *vcpu = cpu->current;
    uint64_t              now = machine_hart(host->machine, n)->cycle;

    *out = (struct hv_hart_info){
        .cycles = now,
        .guest = cpu->spent[SPENT_GUEST],
        .hypervisor = cpu->spent[SPENT_HYP],
        .idle = cpu->spent[SPENT_IDLE],
        .waiting = cpu->queue.len,
        .vm = vcpu ? vcpu->vm->id : 0,
        .vcpu = vcpu ? vcpu->id : 0,
    };
    /* What it does now is not in the books yet. */
    if (vcpu)
        out->guest += now - cpu->mark;
    else
        out->idle += now - cpu->mark;
    return HV_OK;
}

/* Watching ------------------------------------------------------------------ */

bool host_watch_full(const hv_host *host)
{
    const struct hal *hal = &host->hal;

    return hal->max_events && hal->nr_events + WATCH_ROOM > hal->max_events;
}

int hv_watch(hv_host *host, uint32_t mask, uint32_t capacity)
{
    if (!host || (mask && (capacity < 2 * WATCH_ROOM || capacity > WATCH_MAX)))
        return HV_ERR_INVALID;
    if (!host_has_hyp(host))
        return HV_ERR_UNSUPPORTED;
    return hosted_watch(&host->hal, mask, capacity) ? HV_OK : HV_ERR_NO_MEMORY;
}

uint32_t hv_watch_take(hv_host *host, struct hv_event *out, uint32_t max)
{
    if (!host || !out)
        return 0;
    struct hal *hal = &host->hal;
    uint32_t    n = hal->nr_events < max ? hal->nr_events : max;

    for (uint32_t i = 0; i < n; i++) {
        const struct event *event = &hal->event[i];

        out[i] = (struct hv_event){ event->cycle, event->kind, event->hart,
                                    event->vm,    event->vcpu, event->arg };
    }
    hal->nr_events -= n;
    if (n)
        memmove(hal->event, hal->event + n,
                hal->nr_events * sizeof(*hal->event));
    return n;
}

_Static_assert(sizeof(struct hv_slot) == sizeof(struct slot) &&
                   offsetof(struct hv_slot, ticks) ==
                       offsetof(struct slot, ticks),
               "a row is a row");

int hv_slots_set(hv_host *host, const struct hv_slot *slots, uint32_t count,
                 char *why, size_t n)
{
    struct slot row[MAX_SLOTS];
    const char *bad = "slots: a table has 1 to 64 rows";

    if (!host || !slots || count > MAX_SLOTS) {
        host_say(why, n, "%s", bad);
        return HV_ERR_INVALID;
    }
    if (!host_has_hyp(host) || !host_slots(host)) {
        host_say(why, n, "the policy of this host has no slots");
        return HV_ERR_UNSUPPORTED;
    }
    if (host->hal.broken || setjmp(host->hal.unwind) != 0)
        return HV_ERR_BROKEN;
    memcpy(row, slots, count * sizeof(*row));
    if (slots_set(&host->hal.hyp, row, count, &bad))
        return HV_OK;
    host_say(why, n, "%s", bad);
    return HV_ERR_INVALID;
}
