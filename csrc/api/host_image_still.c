/* host_image_still.c - from a host that stands still to an image of it.
 *
 * All VMs are settled (image_vm.c), so no hart is in a guest and no TLB knows
 * one. What is left of the schedule is in queues, clocks and accounts, and goes
 * into the image as it is, in the machine's own time. A few lists whose order
 * means nothing are put in order here, so that the host that goes on and the
 * one that is made of the image have them alike. */
#include "api/host_image.h"
#include "sched/edf.h"
#include "sched/timer.h"
#include <stdlib.h>
#include <string.h>

#define EACH_VM(hyp, vm)                                       \
    for (uint32_t slot_ = 1; slot_ < (hyp)->nr_slots; slot_++) \
        for (struct vm *vm = (hyp)->slot[slot_]; vm; vm = NULL)

/* --- to stand still ----------------------------------------------------------- */

/* Its run states are counted up to now. */
static void count_states(struct vm *vm)
{
    uint64_t now = sched_now(vm->hyp);

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++) {
        struct runtimes *run = &vm->vcpu[i].run;

        runstate_times(&vm->vcpu[i], run->time);
        run->since = run->since > now ? run->since : now;
    }
}

/* A scan for equal pages begins anew: what it remembers are frames of this
 * machine. */
static void forget_scan(struct hyp *hyp)
{
    share_fini(hyp);
    hyp->share = (struct share){ .bucket = NULL };
}

/* It chooses anew; who was on it is the first, if it still can be. */
static void let_choose(struct hyp_cpu *cpu, struct vcpu *was)
{
    if (was)
        cpu->favoured = was;
    if (cpu->favoured && !(cpu->favoured->sched.queued &&
                           cpu->favoured->sched.affinity >> cpu->pcpu->id & 1))
        cpu->favoured = NULL;
    hyp_work_begin(cpu->pcpu);
    hyp_work_end(cpu->pcpu);
    sched_again(cpu);
}

/* marker: host-freeze */
void host_freeze(hv_host *host)
{
    struct hyp  *hyp = &host->hal.hyp;
    struct vcpu *was[MAX_HARTS] = { NULL };

    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        was[i] = hyp->cpu[i].current;
    EACH_VM(hyp, vm)
    vm_settle(vm);
    if (hyp->tags[TAG_ASID].used || hyp->tags[TAG_VMID].used)
        tags_renew(hyp);
    host_flush_owed(host);
    forget_scan(hyp);
    EACH_VM(hyp, vm)
    {
        vm->harts = 0; /* every TLB is empty */
        count_states(vm);
    }
    edf_relist(hyp);
    for (uint32_t i = 0; i < hyp->nr_cpus; i++)
        let_choose(&hyp->cpu[i], was[i]);
}
/* marker: end */

/* --- what is to be said of it --------------------------------------------------- */

static void describe_host(const hv_host *host, struct image_host *r)
{
    const struct hv_config  *c = &host->config;
    const struct hyp        *hyp = &host->hal.hyp;
    const struct interleave *il = &host->interleave;

    *r = (struct image_host){
        .profile = c->profile,
        .harts = c->harts,
        .ram_size = c->ram_size,
        .asid_bits = c->asid_bits,
        .ad_fault = c->ad_fault,
        .time_div = c->time_div,
        .slice = c->slice,
        .policy = c->policy,
        .period = c->period,
        .quantum = c->quantum,
        .audit = c->audit,
        .fill = c->fill,
        .admission = c->admission,
        .vms = hyp->nr_vms,
        .ended = hyp->ended,
        .gang = hyp->sched.gang ? hyp->sched.gang->id : 0,
        .gang_until = hyp->sched.gang_until,
        .seq = hyp->sched.seq,
        .period_end = hyp->sched.period_end,
        .slot_at = hyp->sched.slot_at,
        .reclaim_at = hyp->reclaim.at,
        .scarce = hyp->reclaim.scarce,
        .kills = hyp->reclaim.kills,
        .seed = il->seed,
        .number = il->number,
        .end = il->end,
        .turn = il->turn,
        .length = il->round.length,
    };
    memcpy(r->order, il->round.order, sizeof(r->order));
}

static void describe_hart(const hv_host *host, uint32_t id,
                          struct image_hart *r)
{
    const struct hart    *hart = host->hal.hart[id];
    const struct hyp_cpu *cpu = &host->hal.hyp.cpu[id];

    *r = (struct image_hart){
        .cycle = hart->cycle,
        .instret = hart->instret,
        .armed = cpu->armed,
        .slice_end = cpu->slice_end,
        .ticked = cpu->ticked,
        .next_vm = cpu->favoured ? cpu->favoured->vm->id : 0,
        .next_vcpu = cpu->favoured ? cpu->favoured->id : 0,
#define COUNTER(name, doc) .name = hart->count.name,
#include "machine/counters.def"
#undef COUNTER
    };
    memcpy(r->spent, cpu->spent, sizeof(r->spent));
}

static struct image_turn describe_turn(const struct vcpu *vcpu)
{
    const struct sched_vcpu *s = &vcpu->sched;

    return (struct image_turn){
        .home = s->home ? s->home->pcpu->id + 1 : 0,
        .parked = s->parked,
        .yielded = s->yielded,
        .key = s->key,
        .seen = s->seen,
        .since = vcpu->run.since,
        .vtime = s->vtime,
        .credit = (uint64_t)s->credit.credit,
        .boost = (uint64_t)s->credit.boost,
        .boosted = s->credit.boosted,
        .active = s->credit.active,
        .deadline = s->edf.deadline,
        .left = (uint64_t)s->edf.left,
    };
}

/* --- to bytes --------------------------------------------------------------- */

/* Rounds that were asked for, and have not been yet. */
static void put_asked(struct hv_image *to, const struct interleave *il)
{
    for (uint32_t i = il->next; i < il->asked.len; i++) {
        put_uint32(to, il->asked.list[i].length);
        put_bytes(to, il->asked.list[i].order, MAX_HARTS);
    }
}

static void put_vm(struct hv_image *to, hv_host *host, struct vm *vm,
                   struct contents *contents)
{
    struct image_guest guest = {
        .place.id = vm->id,
        .place.let_go = vm->p2m.minimum == 0 && vm->config.minimum != 0 &&
                        vm->state == VM_KILLED,
        .place.cap_left = (uint64_t)vm->cap_left,
    };

    vm_describe(host, vm, &guest.vm);
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        guest.turn[i] = describe_turn(&vm->vcpu[i]);
    guest_put(to, &guest);
    map_put(to, host, vm, contents);
}

static void put_lists(struct hv_image *to, const struct hyp *hyp)
{
    for (uint32_t i = 0; i < hyp->nr_cpus; i++) {
        size_t section = image_begin(to, "QUEU");

        for (const struct vcpu *v = hyp->cpu[i].queue.head; v;
             v = v->sched.next) {
            put_uint32(to, v->vm->id);
            put_uint32(to, v->id);
        }
        image_end(to, section);
    }
    size_t section = image_begin(to, "TIME");
    for (const struct vcpu *v = hyp->timers; v; v = v->timer_next) {
        put_uint32(to, v->vm->id);
        put_uint32(to, v->id);
        put_uint64(to, v->timer);
    }
    image_end(to, section);
}

static void put_all(struct hv_image *to, hv_host *host,
                    struct host_image *image, struct contents *contents)
{
    struct hyp *hyp = &host->hal.hyp;

    host_image_put(to, image);
    EACH_VM(hyp, vm)
    put_vm(to, host, vm, contents);
    put_lists(to, hyp);
    data_put(to, contents);
}

void host_put(struct hv_image *to, hv_host *host, struct image_in note)
{
    struct hyp        *hyp = &host->hal.hyp;
    struct hv_image    asked = { .len = 0 };
    struct host_image *image = calloc(1, sizeof(*image));
    struct contents   *contents = contents_new(hyp->frames.count, true);

    put_asked(&asked, &host->interleave);
    if (image && contents && !asked.failed) {
        *image = (struct host_image){
            .nr_slots = hyp->nr_slots,
            .table = { hyp->sched.table[0], hyp->sched.table[1] },
            .asked = { .at = asked.bytes, .left = asked.len },
            .note = note,
        };
        memcpy(image->cost, host->config.cost, sizeof(image->cost));
        memcpy(image->generation, hyp->generation, sizeof(image->generation));
        describe_host(host, &image->host);
        for (uint32_t i = 0; i < hyp->nr_cpus; i++)
            describe_hart(host, i, &image->hart[i]);
        put_all(to, host, image, contents);
    } else {
        to->failed = true;
    }
    free(image);
    contents_free(contents);
    free(asked.bytes);
}
