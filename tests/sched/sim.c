/* sim.c - guests that are lists of steps, and the loop that runs the harts. */
#include "abi/cause.h"
#include "abi/csr.h"
#include "abi/sbi.h"
#include "hyp/call.h"
#include "sched/sched.h"
#include "sched/timer.h"
#include "sim_internal.h"
#include <stdlib.h>
#include <string.h>

#define MAX_EVENTS (1u << 22)
#define CATCH(sim) setjmp((sim)->hal.unwind)

static const struct policy *const policies[] = {
    &policy_rr,  &policy_credit, &policy_fair,
    &policy_edf, &policy_slots,  &policy_sampled,
};

/* Making ------------------------------------------------------------------- */

struct sim *sim_new(const struct sim_config *config)
{
    struct sim       *sim = calloc(1, sizeof(*sim));
    struct hal       *hal = &sim->hal;
    struct hyp_config c = { .slice = config->slice, .period = config->period };

    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
        if (!strcmp(policies[i]->name, config->policy))
            c.policy = policies[i];
    hal->nr_harts = config->harts;
    hal->tick = config->tick;
    hal->quantum = config->quantum;
    hal->ram = calloc(1, SIM_RAM);
    sim->check = config->check != 0;
    if (!c.policy || !hal->ram || CATCH(sim) || !hyp_init(&hal->hyp, hal, &c)) {
        free(hal->ram);
        free(sim);
        return NULL;
    }
    for (uint32_t i = 0; i < config->harts; i++) {
        hal->pcpu[i] = (struct pcpu){ .hal = hal,
                                      .id = i,
                                      .regs = &hal->hart[i].regs };
        hyp_add_cpu(&hal->hyp, &hal->pcpu[i]);
    }
    return sim;
}

void sim_free(struct sim *sim)
{
    if (!CATCH(sim))
        hyp_fini(&sim->hal.hyp);
    for (uint32_t i = 0; i < MAX_VMS; i++)
        free(sim->guest[i]);
    free(sim->event);
    free(sim->hal.ram);
    free(sim);
}

static struct sched_params params_of(const struct sim_params *p)
{
    return (struct sched_params){ p->weight, p->cap, p->budget, p->period,
                                  p->gang != 0 };
}

uint32_t sim_vm(struct sim *sim, uint32_t vcpus, const struct sim_params *p)
{
    struct vm_config config = {
        .style = &style_pv,
        .mem_size = PAGE_SIZE,
        .nr_vcpus = vcpus,
        .shadow_frames = SHADOW_MIN_FRAMES,
        .sync = SYNC_TOLD,
        .sched = params_of(p),
    };
    sim->hal.why = NULL;
    if (CATCH(sim))
        return 0;
    struct vm *vm = vm_create(&sim->hal.hyp, &config, &sim->hal.why);
    if (!vm)
        return 0;
    struct fake_guest **guest = &sim->guest[vm->id % MAX_VMS];
    free(*guest);
    *guest = calloc(MAX_HARTS, sizeof(**guest));
    return vm->id;
}

static struct fake_guest *guest_of(struct sim *sim, uint32_t vm, uint32_t vcpu)
{
    return &sim->guest[vm % MAX_VMS][vcpu];
}

int sim_program(struct sim *sim, uint32_t vm, uint32_t vcpu,
                const struct sim_step *steps, uint32_t n)
{
    struct fake_guest *guest = guest_of(sim, vm, vcpu);

    if (n > SIM_STEPS)
        return 0;
    *guest = (struct fake_guest){ .n = n };
    memcpy(guest->step, steps, n * sizeof(*steps));
    return 1;
}

/* Acting from outside ------------------------------------------------------- */

void sim_start(struct sim *sim, uint32_t id, uint32_t n)
{
    struct vm *vm = hyp_vm(&sim->hal.hyp, id);

    if (CATCH(sim))
        return;
    vm->state = VM_LIVE;
    if (vm->vcpu[n].state == VCPU_STOPPED)
        vcpu_start(&vm->vcpu[n], RAM_BASE, 0, 0, 0);
}

static uint64_t charged_to(const struct vm *vm)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        sum += vm->vcpu[i].charged;
    return sum;
}

void sim_destroy(struct sim *sim, uint32_t id)
{
    struct vm *vm = hyp_vm(&sim->hal.hyp, id);

    if (CATCH(sim))
        return;
    /* What runs has not been charged yet, and never will be. */
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        if (vm->vcpu[i].on)
            vcpu_account(&vm->vcpu[i]);
    sim->gone += charged_to(vm);
    vm_destroy(vm);
}

void sim_pause(struct sim *sim, uint32_t id, int on)
{
    struct vm *vm = hyp_vm(&sim->hal.hyp, id);

    if (CATCH(sim))
        return;
    if (on && vm->state == VM_LIVE)
        vm_pause(vm);
    else if (!on && vm->state == VM_PAUSED)
        vm_resume(vm);
}

int sim_set(struct sim *sim, uint32_t id, const struct sim_params *p)
{
    struct sched_params params = params_of(p);

    if (CATCH(sim))
        return 0;
    return sched_admit(hyp_vm(&sim->hal.hyp, id), &params, &sim->hal.why);
}

int sim_affinity(struct sim *sim, uint32_t id, uint32_t n, uint32_t harts)
{
    if (CATCH(sim))
        return 0;
    return sched_set_affinity(&hyp_vm(&sim->hal.hyp, id)->vcpu[n], harts,
                              &sim->hal.why);
}

int sim_slots(struct sim *sim, const uint32_t *vm_ticks, uint32_t count)
{
    struct slot slot[MAX_SLOTS];

    for (uint32_t i = 0; i < count && i < MAX_SLOTS; i++)
        slot[i] = (struct slot){ vm_ticks[2 * i], vm_ticks[2 * i + 1] };
    if (CATCH(sim))
        return 0;
    return slots_set(&sim->hal.hyp, slot, count, &sim->hal.why);
}

void sim_interrupt(struct sim *sim, uint32_t id, uint32_t n)
{
    if (!CATCH(sim))
        vcpu_raise(&hyp_vm(&sim->hal.hyp, id)->vcpu[n], MIP_SSIP);
}

void sim_wake(struct sim *sim, uint32_t id, uint32_t n)
{
    if (!CATCH(sim))
        sched_wake(&hyp_vm(&sim->hal.hyp, id)->vcpu[n]);
}

/* Guests ------------------------------------------------------------------- */

static void trap(struct sim *sim, uint32_t id, uint32_t cause)
{
    sim->decisions++;
    hyp_trap(&sim->hal.pcpu[id], (struct trap){ .cause = cause });
}

static void call(struct sim *sim, uint32_t id, uint32_t ext, uint32_t fn,
                 uint32_t a0, uint32_t a1)
{
    struct fake_hart *hart = &sim->hal.hart[id];

    hart->cycle++;
    hart->regs.x[REG_A7] = ext;
    hart->regs.x[REG_A6] = fn;
    hart->regs.x[REG_A0] = a0;
    hart->regs.x[REG_A1] = a1;
    trap(sim, id, CAUSE_ECALL_U);
}

/* The next moment whose time % a is b. */
static uint64_t next_of(uint64_t now, uint32_t a, uint32_t b)
{
    uint64_t then = now / a * a + b % a;

    return then > now ? then : then + a;
}

static void next_step(struct fake_guest *guest)
{
    guest->at = (guest->at + 1) % guest->n;
    guest->begun = guest->armed = false;
}

/* An IPI that was there, or came first, is served with that. */
static void suspend(struct sim *sim, uint32_t id, struct fake_guest *guest,
                    struct vcpu *vcpu)
{
    next_step(guest);
    call(sim, id, SBI_EXT_HSM, SBI_HSM_SUSPEND, 0, 0);
    vcpu->csr.sip &= ~(uint32_t)MIP_SSIP;
}

/* Two exits: the timer, then the wait, and after that the step is done. */
static void sleep_until(struct sim *sim, uint32_t id, struct fake_guest *guest,
                        struct vcpu *vcpu, uint64_t time)
{
    uint64_t when = time - vcpu->vm->born_time;

    if (!guest->armed) {
        guest->armed = true;
        call(sim, id, SBI_EXT_TIME, SBI_TIME_SET, (uint32_t)when,
             (uint32_t)(when >> 32));
        return;
    }
    suspend(sim, id, guest, vcpu);
}

static void compute(struct sim *sim, uint32_t id, struct fake_guest *guest,
                    uint64_t cycles, uint64_t until)
{
    struct fake_hart *hart = &sim->hal.hart[id];
    uint64_t          timer = hart->timer, n = until - hart->cycle;

    if (!guest->begun)
        guest->left = cycles;
    guest->begun = true;
    if (timer < (until + sim->hal.tick) / sim->hal.tick &&
        timer * sim->hal.tick - hart->cycle < n)
        n = timer * sim->hal.tick - hart->cycle;
    if (guest->left < n)
        n = guest->left;
    guest->left -= n;
    hart->cycle += n;
    hart->instret += n;
    if (guest->left == 0)
        next_step(guest);
}

static void guest_runs(struct sim *sim, uint32_t id, uint64_t until)
{
    struct fake_hart      *hart = &sim->hal.hart[id];
    struct vcpu           *vcpu = sim->hal.hyp.cpu[id].current;
    struct fake_guest     *guest = guest_of(sim, vcpu->vm->id, vcpu->id);
    const struct sim_step *step = &guest->step[guest->at];
    uint32_t               tick = sim->hal.tick;
    uint64_t               now = hart->cycle / tick;

    switch (guest->n ? step->op : SIM_STOP) {
    case SIM_RUN:
        compute(sim, id, guest, step->a, until);
        return;
    case SIM_RUN_TO:
        compute(sim, id, guest,
                next_of(now, step->a, step->b) * tick - hart->cycle, until);
        return;
    case SIM_SLEEP:
        sleep_until(sim, id, guest, vcpu, now + step->a);
        return;
    case SIM_SLEEP_TO:
        sleep_until(sim, id, guest, vcpu, next_of(now, step->a, step->b));
        return;
    case SIM_BLOCK:
        if (!guest->armed) {
            guest->armed = true;
            call(sim, id, SBI_EXT_TIME, SBI_TIME_SET, 0xffffffff, 0xffffffff);
            return;
        }
        suspend(sim, id, guest, vcpu);
        return;
    case SIM_YIELD:
        next_step(guest);
        call(sim, id, SBI_EXT_HV, HCALL_yield, 0, 0);
        return;
    case SIM_IPI:
        next_step(guest);
        call(sim, id, SBI_EXT_IPI, SBI_IPI_SEND, step->a, 0);
        return;
    case SIM_STOP:
        call(sim, id, SBI_EXT_HSM, SBI_HSM_STOP, 0, 0);
        return;
    case SIM_WORK:
        hart->work = step->a;
        next_step(guest);
        call(sim, id, SBI_EXT_BASE, 0, 0, 0);
        return;
    }
}

/* Harts -------------------------------------------------------------------- */

static bool timer_due(const struct sim *sim, uint32_t id)
{
    const struct fake_hart *hart = &sim->hal.hart[id];

    return hart->cycle / sim->hal.tick >= hart->timer;
}

static void wait(struct sim *sim, uint32_t id, uint64_t until)
{
    struct fake_hart *hart = &sim->hal.hart[id];

    if (hart->kicked) {
        sim->decisions++;
        hyp_schedule(&sim->hal.pcpu[id]);
    } else if (timer_due(sim, id)) {
        trap(sim, id, CAUSE_INTERRUPT | IRQ_MTI);
    } else {
        if (hart->timer < until / sim->hal.tick)
            until = hart->timer * sim->hal.tick;
        hart->cycle = until;
    }
}

static void move(struct sim *sim, uint32_t id, uint64_t until)
{
    struct fake_hart *hart = &sim->hal.hart[id];

    if (hart->waiting) {
        wait(sim, id, until);
    } else if (sim->hal.hyp.cpu[id].resched && !hart->msip) {
        sim->decisions++;
        hyp_schedule(&sim->hal.pcpu[id]);
    } else if (hart->msip) {
        trap(sim, id, CAUSE_INTERRUPT | IRQ_MSI);
    } else if (timer_due(sim, id)) {
        trap(sim, id, CAUSE_INTERRUPT | IRQ_MTI);
    } else {
        guest_runs(sim, id, until);
    }
}

const char *sim_run(struct sim *sim, uint64_t cycle)
{
    if (CATCH(sim))
        return sim->hal.why;
    for (;;) {
        uint32_t id = 0;

        for (uint32_t i = 1; i < sim->hal.nr_harts; i++)
            if (sim->hal.hart[i].cycle < sim->hal.hart[id].cycle)
                id = i;
        uint64_t now = sim->hal.hart[id].cycle;
        uint64_t cut = (now / sim->hal.quantum + 1) * sim->hal.quantum;

        if (now >= cycle)
            return NULL;
        move(sim, id, cut < cycle ? cut : cycle);
        const char *why = sim->check ? sim_check(sim) : NULL;
        if (why)
            return why;
    }
}

const char *sim_why(struct sim *sim)
{
    return sim->hal.why ? sim->hal.why : "";
}

/* Looking ------------------------------------------------------------------ */

void sim_see_vcpu(struct sim *sim, uint32_t id, uint32_t n,
                  struct sim_vcpu *out)
{
    struct vm               *vm = hyp_vm(&sim->hal.hyp, id);
    const struct vcpu       *vcpu = &vm->vcpu[n];
    const struct sched_vcpu *s = &vcpu->sched;

    *out = (struct sim_vcpu){
        .runnable = vcpu->state == VCPU_RUNNABLE && vm->state == VM_LIVE,
        .parked = s->parked,
        .queued = s->queued,
        .on = vcpu->on ? (int32_t)vcpu->on->id : -1,
        .home = s->home ? (int32_t)s->home->pcpu->id : -1,
        .charged = vcpu->charged,
        .guest = vcpu->insns,
        .vtime = s->vtime,
        .deadline = s->edf.deadline,
        .key = s->key,
        .credit = s->credit.credit,
        .left = s->edf.left,
    };
}

void sim_see_hart(struct sim *sim, uint32_t id, struct sim_hart *out)
{
    const struct hyp_cpu *cpu = &sim->hal.hyp.cpu[id];

    *out = (struct sim_hart){
        .cycle = sim->hal.hart[id].cycle,
        .guest = cpu->spent[SPENT_GUEST],
        .hypervisor = cpu->spent[SPENT_HYP],
        .idle = cpu->spent[SPENT_IDLE],
        .waiting = cpu->queue.len,
        .vm = cpu->current ? (int32_t)cpu->current->vm->id : 0,
        .vcpu = cpu->current ? (int32_t)cpu->current->id : 0,
    };
}

uint64_t sim_now(struct sim *sim)
{
    uint64_t now = UINT64_MAX;

    for (uint32_t i = 0; i < sim->hal.nr_harts; i++)
        if (sim->hal.hart[i].cycle < now)
            now = sim->hal.hart[i].cycle;
    return now;
}

uint64_t sim_period_end(struct sim *sim)
{
    return sim->hal.hyp.sched.period_end;
}

uint64_t sim_charged(struct sim *sim)
{
    uint64_t sum = sim->gone;

    for (uint32_t slot = 1; slot < MAX_VMS; slot++)
        if (sim->hal.hyp.slot[slot])
            sum += charged_to(sim->hal.hyp.slot[slot]);
    return sum;
}

uint64_t sim_decisions(struct sim *sim)
{
    return sim->decisions;
}

/* Events ------------------------------------------------------------------- */

void sim_watch(struct sim *sim, uint32_t mask)
{
    for (uint32_t i = 0; i < sim->hal.nr_harts; i++)
        sim->hal.pcpu[i].traced = mask;
}

void sim_note(struct hal *hal, const struct sim_event *event)
{
    struct sim *sim = (struct sim *)(void *)hal; /* its first member */

    if (sim->nr_events == sim->max_events) {
        uint32_t          max = sim->max_events ? 2 * sim->max_events : 1024;
        struct sim_event *more = NULL;

        if (max <= MAX_EVENTS)
            more = realloc(sim->event, max * sizeof(*more));
        if (!more)
            hal_halt(hal, "too many events: take them sooner");
        sim->event = more;
        sim->max_events = max;
    }
    sim->event[sim->nr_events++] = *event;
}

uint32_t sim_take(struct sim *sim, struct sim_event *out, uint32_t max)
{
    uint32_t n = sim->nr_events - sim->first_event;

    n = n < max ? n : max;
    if (n)
        memcpy(out, sim->event + sim->first_event, n * sizeof(*out));
    sim->first_event += n;
    if (sim->first_event == sim->nr_events)
        sim->first_event = sim->nr_events = 0;
    return n;
}

const char *sim_event_name(uint32_t kind)
{
    static const char *const name[] = {
#define EVENT(name, doc) #name,
#include "hyp/events.def"
#undef EVENT
    };

    return kind < NR_EVENTS ? name[kind] : NULL;
}
