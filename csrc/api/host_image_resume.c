/* host_image_resume.c - a new host, whose VMs have their memory, goes on where
 * the one that was saved stood still.
 *
 * Clocks first, since all else is in their time. Then every VM becomes what
 * its records say, and takes its place: in the queue of a hart, among those
 * whose timer will go off, or nowhere. What would make a later step go wrong is
 * refused here; whether all of it goes together, the audit says. */
#include "api/host_image.h"
#include "sched/edf.h"
#include "sched/timer.h"
#include <string.h>

static bool refused(struct image_why why, const char *what)
{
    host_say(why.text, why.n, "%s", what);
    return false;
}

/* --- the machine ------------------------------------------------------------ */

static void set_hart(hv_host *host, uint32_t id, const struct image_hart *r)
{
    struct hart    *hart = host->hal.hart[id];
    struct hyp_cpu *cpu = &host->hal.hyp.cpu[id];

    hart->cycle = r->cycle;
    hart->instret = r->instret;
    hart->event = 0; /* whatever was known of what comes next */
#define COUNTER(name, doc) hart->count.name = r->name;
#include "machine/counters.def"
#undef COUNTER
    cpu->mark = r->cycle;
    memcpy(cpu->spent, r->spent, sizeof(cpu->spent));
    cpu->slice_end = r->slice_end;
    cpu->ticked = r->ticked;
    cpu->armed = r->armed;
    hal_set_timer(cpu->pcpu, r->armed);
}

/* A row as long as slots_set() would have it, of whatever VM. */
static bool table_ok(const hv_host *host, const struct slot_table *table)
{
    for (uint32_t i = 0; i < table->nr; i++)
        if (!slot_long_enough(&host->hal.hyp, table->slot[i].ticks))
            return false;
    return host_slots(host) || table->nr == 0;
}

static bool set_rounds(hv_host *host, const struct host_image *image)
{
    struct interleave *il = &host->interleave;
    struct image_in    in = image->asked;

    while (in.left) {
        struct hv_round round = { .length = get_uint32(&in) };

        for (uint32_t i = 0; i < MAX_HARTS; i++)
            round.order[i] = get_uint8(&in);
        if (!interleave_ask(il, &round))
            return false;
    }
    il->seed = image->host.seed;
    il->number = image->host.number;
    il->end = image->host.end;
    il->turn = image->host.turn;
    il->round.length = image->host.length;
    memcpy(il->round.order, image->host.order, sizeof(il->round.order));
    return il->turn >= il->harts || round_ok(&il->round, il->harts);
}

static bool set_host(hv_host *host, const struct host_image *image,
                     struct image_why why)
{
    const struct image_host *r = &image->host;
    struct hyp              *hyp = &host->hal.hyp;

    for (uint32_t i = 0; i < r->harts; i++)
        set_hart(host, i, &image->hart[i]);
    if (!set_rounds(host, image))
        return refused(why, "a round of its harts is none");
    if (!table_ok(host, &image->table[0]) || !table_ok(host, &image->table[1]))
        return refused(why, "its table of slots is none");
    if ((r->ended && !hyp_vm(hyp, r->ended)) ||
        (r->gang && !hyp_vm(hyp, r->gang)))
        return refused(why, "it names a VM that it has not");
    memcpy(hyp->generation, image->generation, sizeof(hyp->generation));
    hyp->nr_slots = image->nr_slots;
    hyp->ended = r->ended;
    hyp->reclaim = (struct reclaim){ .at = r->reclaim_at,
                                     .scarce = r->scarce,
                                     .kills = r->kills };
    hyp->sched.seq = r->seq;
    hyp->sched.period_end = r->period_end;
    hyp->sched.gang = r->gang ? hyp_vm(hyp, r->gang) : NULL;
    hyp->sched.gang_until = r->gang_until;
    memcpy(hyp->sched.table, image->table, sizeof(hyp->sched.table));
    hyp->sched.slot_at = r->slot_at;
    return true;
}

/* --- its VMs ---------------------------------------------------------------- */

static void set_turn(struct vcpu *vcpu, const struct image_turn *r)
{
    struct sched_vcpu *s = &vcpu->sched;
    struct hyp        *hyp = vcpu->vm->hyp;

    s->home = r->home && r->home <= hyp->nr_cpus ? &hyp->cpu[r->home - 1]
                                                 : NULL;
    s->parked = r->parked;
    s->yielded = r->yielded;
    s->key = r->key;
    s->seen = r->seen;
    s->vtime = r->vtime;
    s->credit = (struct sched_credit){ .credit = (int64_t)r->credit,
                                       .boost = (int64_t)r->boost,
                                       .boosted = r->boosted,
                                       .active = r->active };
    s->edf = (struct sched_edf){ .deadline = r->deadline,
                                 .left = (int64_t)r->left };
}

static void set_state(struct vcpu *vcpu, const struct image_vcpu *r,
                      uint64_t since)
{
    vcpu->state = (enum vcpu_state)r->state;
    vcpu->run.state = RUN_OFFLINE;
    if (vcpu->vm->state == VM_LIVE && vcpu->state != VCPU_STOPPED)
        vcpu->run.state = vcpu->state == VCPU_RUNNABLE ? RUN_RUNNABLE
                                                       : RUN_BLOCKED;
    vcpu->run.since = since;
}

/* All but its place in lists: timers are set, and taken out again. */
static void set_vm(hv_host *host, const struct image_guest *guest)
{
    struct vm *vm = hyp_vm(&host->hal.hyp, guest->place.id);

    vm_thaw_still(vm, &guest->vm, host_latest(host));
    vm->state = (enum vm_state)guest->vm.vm.state;
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        uint32_t sip = vm->vcpu[i].csr.sip;

        timer_set(&vm->vcpu[i], TIME_NEVER);
        vm->vcpu[i].csr.sip = sip;
        set_turn(&vm->vcpu[i], &guest->turn[i]);
        set_state(&vm->vcpu[i], &guest->vm.vcpu[i], guest->turn[i].since);
    }
    if (guest->vm.out.left > CONSOLE_LIMIT)
        host->hal.console_full = vm->id;
}

/* --- who waits where -------------------------------------------------------- */

static struct vcpu *named(struct hyp *hyp, uint32_t id, uint32_t n)
{
    struct vm *vm = hyp_vm(hyp, id);

    return vm && n < vm->config.nr_vcpus ? &vm->vcpu[n] : NULL;
}

static bool permits(const struct vcpu *vcpu, const struct hyp_cpu *cpu)
{
    return vcpu->sched.affinity >> cpu->pcpu->id & 1;
}

static bool fill_queue(struct hyp_cpu *cpu, struct image_in in)
{
    while (in.left) {
        uint32_t     id = get_uint32(&in);
        struct vcpu *vcpu = named(cpu->hyp, id, get_uint32(&in));

        if (!vcpu || vcpu->sched.queued || !permits(vcpu, cpu) ||
            vcpu->sched.home != cpu)
            return false;
        queue_insert(&cpu->queue, vcpu);
    }
    return true;
}

/* In the order in which they will go off. */
static bool fill_timers(struct hyp *hyp, struct image_in in)
{
    struct vcpu **end = &hyp->timers;
    uint64_t      last = 0;

    while (in.left) {
        uint32_t     id = get_uint32(&in);
        struct vcpu *vcpu = named(hyp, id, get_uint32(&in));
        uint64_t     time = get_uint64(&in);

        if (!vcpu || vcpu->timer != TIME_NEVER || time == TIME_NEVER ||
            time < last)
            return false;
        vcpu->timer = last = time;
        vcpu->timer_next = NULL;
        *end = vcpu;
        end = &vcpu->timer_next;
    }
    return true;
}

/* Policies that partition look no further than a vCPU's home. */
static bool at_home(const struct hyp *hyp, const struct vcpu *vcpu, bool slots)
{
    const struct hyp_cpu *home = vcpu->sched.home;

    if (!hyp->config.policy->partitioned)
        return true;
    if (slots && home != &hyp->cpu[vcpu->id])
        return false;
    return home ? permits(vcpu, home) : !vcpu->vm->sched.budget;
}

static bool all_at_home(hv_host *host, const struct host_image *image)
{
    struct hyp *hyp = &host->hal.hyp;

    for (uint32_t i = 0; i < image->host.vms; i++) {
        const struct vm *vm = hyp_vm(hyp, image->guest[i].place.id);

        for (uint32_t n = 0; n < vm->config.nr_vcpus; n++)
            if (!at_home(hyp, &vm->vcpu[n], host_slots(host)))
                return false;
    }
    return true;
}

static bool set_next(struct hyp_cpu *cpu, const struct image_hart *r)
{
    struct vcpu *next = r->next_vm ? named(cpu->hyp, r->next_vm, r->next_vcpu)
                                   : NULL;

    cpu->favoured = next;
    if (!r->next_vm)
        return true;
    return next && next->sched.queued && permits(next, cpu) &&
           (!cpu->hyp->config.policy->partitioned || next->sched.home == cpu);
}

static bool set_lists(hv_host *host, const struct host_image *image,
                      struct image_why why)
{
    struct hyp *hyp = &host->hal.hyp;

    if (!all_at_home(host, image))
        return refused(why, "this policy gives a vCPU another hart");
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (!fill_queue(&hyp->cpu[i], image->queue[i]))
            return refused(why, "a queue of its harts is none");
    if (!fill_timers(hyp, image->timers))
        return refused(why, "its list of timers is none");
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        if (!set_next(&hyp->cpu[i], &image->hart[i]))
            return refused(why, "who is to run next does not wait to run");
    edf_relist(hyp);
    return edf_keeps(hyp) ||
           refused(why, "a hart has promised what it has not");
}

/* --- all of it -------------------------------------------------------------- */

int host_image_resume(hv_host *host, const struct host_image *image,
                      struct image_why why)
{
    struct hyp *hyp = &host->hal.hyp;

    host_flush_owed(host);
    if (!set_host(host, image, why))
        return HV_ERR_IMAGE;
    for (uint32_t i = 0; i < image->host.vms; i++)
        set_vm(host, &image->guest[i]);
    if (!set_lists(host, image, why))
        return HV_ERR_IMAGE;
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        sched_again(&hyp->cpu[i]);
    int status = host_audit(host, why.text, why.n);
    return status == HV_ERR_AUDIT ? HV_ERR_IMAGE : status;
}
