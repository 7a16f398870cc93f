/* hosted.c - hyp/hal.h on top of machine.h.
 *
 * The guest's registers are the hart's own, so an exit copies nothing. What
 * the hypervisor charges moves the hart's clock. */
#include "port/hosted.h"
#include "machine/arena.h"
#include "machine/machine.h"
#include <stdio.h>
#include <string.h>

_Static_assert((int)HAL_NR_COSTS == (int)NR_COSTS, "one cost table");

static struct hart *hart_of(struct pcpu *pcpu)
{
    return pcpu->hal->hart[pcpu->id];
}

struct span hal_ram(struct hal *hal)
{
    return (struct span){ { RAM_BASE },
                          machine_config(hal->machine)->ram_size };
}

static void must(struct hal *hal, bool ok)
{
    if (!ok)
        hal_halt(hal, "an access outside machine memory");
}

uint32_t hal_read32(struct hal *hal, hpa_t pa)
{
    const uint8_t *at = machine_ram(hal->machine, pa.raw);
    uint32_t       val;

    must(hal, at != NULL && pa.raw % 4 == 0);
    memcpy(&val, at, 4);
    return val;
}

void hal_write32(struct hal *hal, hpa_t pa, uint32_t val)
{
    must(hal, machine_ram_write(hal->machine, pa.raw, &val, 4));
}

void hal_read(struct hal *hal, hpa_t pa, void *to, uint32_t len)
{
    must(hal, machine_ram_read(hal->machine, pa.raw, to, len));
}

void hal_write(struct hal *hal, hpa_t pa, const void *from, uint32_t len)
{
    must(hal, machine_ram_write(hal->machine, pa.raw, from, len));
}

void hal_zero_frame(struct hal *hal, hpa_t pa)
{
    must(hal, machine_ram_zero(hal->machine, pa.raw, PAGE_SIZE));
}

void *hal_alloc(struct hal *hal, size_t size)
{
    bool  refused = hal->fail_alloc == 1;
    void *block = refused ? NULL : arena_alloc(hal->arena, size);

    if (hal->fail_alloc)
        hal->fail_alloc--;
    if (block)
        memset(block, hal->fill, size);
    return block;
}

void hal_free(struct hal *hal, void *block)
{
    arena_release(hal->arena, block);
}

/* In M everything of the hypervisor's own interrupts is on; below, what the
 * guest's kernel enabled, if its CSRs are here. */
#define MIE_OURS ((uint32_t)(MIP_MTIP | MIP_MSIP | MIP_MEIP))

/* marker: delegated */
/* What a system call or a breakpoint is, the guest's kernel knows without us;
 * an illegal instruction may be one that the hypervisor is to emulate. */
#define DELEGATED                                                 \
    (1u << CAUSE_ECALL_U | 1u << CAUSE_BREAKPOINT |               \
     1u << CAUSE_FETCH_MISALIGNED | 1u << CAUSE_LOAD_MISALIGNED | \
     1u << CAUSE_STORE_MISALIGNED)
/* marker: end */

static void enter_deprivileged(struct hart_csrs *csr, const struct world *world)
{
    csr->mstatus = world->mxr ? MSTATUS_MXR : 0;
    csr->mie = MIE_OURS;
    csr->mip = csr->medeleg = csr->mcounteren = 0;
    csr->mideleg = HIP_MASK; /* as always with extension H */
    csr->misa = 0;
    csr->satp = world->satp;
}

/* marker: enter-assisted */
static void enter_assisted(struct hart_csrs *csr, const struct world *world)
{
    const struct vcsr *v = world->csr;

    csr->mstatus = v->sstatus | MSTATUS_TVM | MSTATUS_TW;
    csr->medeleg = DELEGATED;
    csr->mideleg = SIP_MASK | HIP_MASK;
    csr->mie = MIE_OURS | v->sie;
    csr->mip = world->sip;
    csr->mcounteren = 0;
    csr->misa = 0; /* or S would be HS, and reach the hypervisor's CSRs */
    csr->satp = world->satp;
    csr->stvec = v->stvec;
    csr->scounteren = v->scounteren;
    csr->sscratch = v->sscratch;
    csr->sepc = v->sepc;
    csr->scause = v->scause;
    csr->stval = v->stval;
}
/* marker: end */

/* Every exception that a guest's own tables and instructions can raise is its
 * own. What is left for us: guest-page faults, virtual instructions (cycle and
 * instret, and wfi by VTW), and its kernel's ecalls. */
#define DELEGATED_NESTED                                        \
    (DELEGATED | 1u << CAUSE_ILLEGAL | 1u << CAUSE_FETCH_PAGE | \
     1u << CAUSE_LOAD_PAGE | 1u << CAUSE_STORE_PAGE)

/* marker: enter-nested */
static void enter_nested(struct hart_csrs *csr, const struct world *world)
{
    const struct vcsr *v = world->csr;
    uint64_t           delta = 0 - world->born;

    csr->misa = MISA_H;
    csr->mstatus = 0;
    csr->medeleg = csr->hedeleg = DELEGATED_NESTED;
    csr->mideleg = csr->hideleg = HIP_MASK;
    csr->mie = MIE_OURS | v->sie << 1;
    csr->mip = world->sip << 1;
    csr->mcounteren = COUNTEREN_MASK;
    csr->hcounteren = COUNTEREN_TM;
    csr->htimedelta = (uint32_t)delta;
    csr->htimedeltah = (uint32_t)(delta >> 32);
    csr->hstatus = HSTATUS_VTW;
    csr->hgatp = world->satp;
    csr->vsatp = v->satp;
    csr->vsstatus = v->sstatus;
    csr->vstvec = v->stvec;
    csr->scounteren = v->scounteren;
    csr->vsscratch = v->sscratch;
    csr->vsepc = v->sepc;
    csr->vscause = v->scause;
    csr->vstval = v->stval;
}
/* marker: end */

static void leave_nested(const struct hart_csrs *csr, struct vcsr *v)
{
    v->sstatus = csr->vsstatus;
    v->sie = (csr->mie & HIP_MASK) >> 1;
    v->sip = (v->sip & ~(uint32_t)MIP_SSIP) | (csr->mip & MIP_VSSIP) >> 1;
    v->satp = csr->vsatp;
    v->stvec = csr->vstvec;
    v->scounteren = csr->scounteren;
    v->sscratch = csr->vsscratch;
    v->sepc = csr->vsepc;
    v->scause = csr->vscause;
    v->stval = csr->vstval;
}

void hal_enter(struct pcpu *pcpu, const struct world *world)
{
    struct hart *hart = hart_of(pcpu);
    uint32_t     mode = world->mode;

    if (pcpu->hal->inside && pcpu->hal->inside != pcpu)
        hal_halt(pcpu->hal, "a hart enters the guest of another");
    pcpu->hal->waiting[pcpu->id] = false;
    pcpu->hal->kicked[pcpu->id] = false;
    pcpu->hal->kind[pcpu->id] = world->kind;
    switch (world->kind) {
    case WORLD_DEPRIVILEGED:
        mode = PRIV_U;
        enter_deprivileged(&hart->csr, world);
        break;
    case WORLD_ASSISTED:
        enter_assisted(&hart->csr, world);
        break;
    case WORLD_NESTED:
        enter_nested(&hart->csr, world);
        break;
    }
    hart_set_mode(hart, mode, world->kind == WORLD_NESTED);
}

static void leave_assisted(const struct hart_csrs *csr, struct vcsr *v)
{
    v->sstatus = csr->mstatus & SSTATUS_MASK;
    v->sie = csr->mie & SIP_MASK;
    v->sip = (v->sip & ~(uint32_t)MIP_SSIP) | (csr->mip & MIP_SSIP);
    v->stvec = csr->stvec;
    v->scounteren = csr->scounteren;
    v->sscratch = csr->sscratch;
    v->sepc = csr->sepc;
    v->scause = csr->scause;
    v->stval = csr->stval;
}

uint32_t hal_leave(struct pcpu *pcpu, struct vcsr *v)
{
    const struct hart      *hart = hart_of(pcpu);
    const struct hart_csrs *csr = &hart->csr;

    if (pcpu->hal->kind[pcpu->id] == WORLD_NESTED)
        leave_nested(csr, v);
    else
        leave_assisted(csr, v);
    return hart->priv == PRIV_M
               ? (csr->mstatus & MSTATUS_MPP) >> MSTATUS_MPP_SHIFT
               : hart->priv;
}

uint32_t hal_asids(struct hal *hal)
{
    return 1u << machine_config(hal->machine)->asid_bits;
}

uint32_t hal_vmids(struct hal *hal)
{
    return machine_config(hal->machine)->h_ext ? HGATP_VMID_MASK + 1 : 0;
}

/* A kick that came while its guest ran is not lost with it. */
void hal_wait(struct pcpu *pcpu)
{
    struct hal *hal = pcpu->hal;

    hal->waiting[pcpu->id] = true;
    if (machine_msip(hal->machine, pcpu->id))
        hal->kicked[pcpu->id] = true;
    machine_set_msip(hal->machine, pcpu->id, false);
}

void hal_kick(struct pcpu *pcpu)
{
    struct hal *hal = pcpu->hal;

    if (hal->waiting[pcpu->id])
        hal->kicked[pcpu->id] = true;
    else
        machine_set_msip(hal->machine, pcpu->id, true);
}

void hal_kicked(struct pcpu *pcpu)
{
    pcpu->hal->kicked[pcpu->id] = false;
    machine_set_msip(pcpu->hal->machine, pcpu->id, false);
}

/* One handler runs at a time, to its end: the lock is always free. */
void hal_lock(struct pcpu *pcpu)
{
    if (pcpu->hal->inside)
        hal_halt(pcpu->hal, "a hart comes into the hypervisor while one is in");
    pcpu->hal->inside = pcpu;
}

void hal_unlock(struct pcpu *pcpu)
{
    pcpu->hal->inside = NULL;
}

void hal_event(struct pcpu *pcpu, enum hal_event kind, uint32_t vm,
               uint32_t vcpu, uint32_t arg)
{
    struct hal *hal = pcpu->hal;

    if (hal->nr_events == hal->max_events) {
        hal->lost_events++;
        return;
    }
    hal->event[hal->nr_events++] = (struct event){
        .cycle = hal_cycles(pcpu),
        .kind = kind,
        .hart = pcpu->id,
        .vm = vm,
        .vcpu = vcpu,
        .arg = arg,
    };
}

bool hosted_watch(struct hal *hal, uint32_t mask, uint32_t capacity)
{
    struct event *event = NULL;

    if (mask) {
        event = arena_alloc(hal->arena, (size_t)capacity * sizeof(*event));
        if (!event)
            return false;
    }
    arena_release(hal->arena, hal->event);
    hal->event = event;
    hal->nr_events = 0;
    hal->lost_events = 0;
    hal->max_events = mask ? capacity : 0;
    for (uint32_t i = 0; i < machine_config(hal->machine)->nr_harts; i++)
        hal->pcpu[i].traced = mask;
    return true;
}

void hal_fence(struct pcpu *pcpu, struct fence what)
{
    hart_fence(hart_of(pcpu), what.size != 0, what.va.raw, false, 0);
}

void hal_fence_vmids(struct pcpu *pcpu)
{
    hart_hfence_gvma(hart_of(pcpu), false, 0);
}

void hal_fence_i(struct pcpu *pcpu)
{
    (void)pcpu; /* decoded code follows every write on this machine */
}

uint64_t hal_cycles(struct pcpu *pcpu)
{
    return hart_of(pcpu)->cycle;
}

uint64_t hal_time(struct pcpu *pcpu)
{
    return hart_time(hart_of(pcpu));
}

uint64_t hal_instret(struct pcpu *pcpu)
{
    return hart_of(pcpu)->instret;
}

uint64_t hal_traps(struct pcpu *pcpu)
{
    const struct hart_counters *count = &hart_of(pcpu)->count;

    return count->traps_s + count->irqs_s + count->traps_vs + count->irqs_vs;
}

void hal_set_timer(struct pcpu *pcpu, uint64_t time)
{
    machine_set_mtimecmp(pcpu->hal->machine, pcpu->id, time);
}

uint32_t hal_tick(struct hal *hal)
{
    return machine_config(hal->machine)->time_div;
}

void hal_pad(struct pcpu *pcpu, uint64_t cycle)
{
    hart_skip(hart_of(pcpu), cycle);
}

bool hal_timer_due(struct pcpu *pcpu)
{
    return hart_timer_due(hart_of(pcpu));
}

void hal_charge(struct pcpu *pcpu, enum hal_cost kind, uint32_t n)
{
    hart_charge(hart_of(pcpu), (enum cost)kind, n);
}

void hal_console_put(struct hal *hal, uint32_t vm, uint8_t byte)
{
    struct channels *of = channels_make(hal, vm);
    bool             failed = of == NULL;

    if (of)
        channel_put(&of->out, hal->arena, byte, &failed);
    if (failed) /* an exhausted computer loses it, as on the bare machine */
        return;
    if (of->out.len - of->out.head > CONSOLE_LIMIT)
        hal->console_full = vm;
}

int hal_console_get(struct hal *hal, uint32_t vm)
{
    struct channels *of = channels_of(hal, vm);
    uint8_t          byte;

    return of && channel_take(&of->in, &byte, 1) ? byte : -1;
}

void hal_point(struct pcpu *pcpu, uint32_t id)
{
    (void)pcpu; /* one hart: nobody else could run here */
    (void)id;
}

_Noreturn void hal_halt(struct hal *hal, const char *why)
{
    hal->broken = true;
    snprintf(hal->why, sizeof(hal->why), "%s", why);
    longjmp(hal->unwind, 1);
}

bool hosted_init(struct hal *hal, struct machine *machine,
                 const struct hyp_config *config, uint8_t fill)
{
    hal->machine = machine;
    hal->arena = machine_arena(machine);
    hal->fill = fill;
    if (!hyp_init(&hal->hyp, hal, config))
        return false;
    for (uint32_t i = 0; i < machine_config(machine)->nr_harts; i++) {
        struct hart *hart = machine_hart(machine, i);

        hal->pcpu[i] = (struct pcpu){ .hal = hal, .id = i };
        hal->hart[i] = hart;
        hal->pcpu[i].regs = &hart->regs;
        hart->csr.mie = MIE_OURS;
        hyp_add_cpu(&hal->hyp, &hal->pcpu[i]);
    }
    return true;
}

void hosted_fini(struct hal *hal)
{
    if (!hal->broken)
        hyp_fini(&hal->hyp);
}

void hosted_serve(struct hal *hal, uint32_t id)
{
    const struct hart *hart = hal->hart[id];

    hyp_trap(&hal->pcpu[id], (struct trap){
                                 .cause = hart->csr.mcause,
                                 .tval = hart->csr.mtval,
                                 .gfn = { hart->csr.mtval2 >> 10 },
                             });
}

uint64_t hosted_wakes(const struct hal *hal, uint32_t id)
{
    if (hal->kicked[id])
        return 0;
    return machine_time_to_cycle(hal->machine,
                                 machine_mtimecmp(hal->machine, id));
}

bool hosted_idle(struct hal *hal, uint32_t id, uint64_t until)
{
    struct hart *hart = hal->hart[id];
    uint64_t     wakes = hosted_wakes(hal, id);

    if (hal->kicked[id]) {
        hyp_schedule(&hal->pcpu[id]);
        return true;
    }
    if (wakes == CYCLE_NEVER && until == CYCLE_NEVER)
        return false;
    hart_skip(hart, wakes < until ? wakes : until);
    if (hart->cycle < wakes)
        return false;
    hyp_trap(&hal->pcpu[id],
             (struct trap){ .cause = CAUSE_INTERRUPT | IRQ_MTI });
    return true;
}
