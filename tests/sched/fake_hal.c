/* fake_hal.c - hyp/hal.h for harts that are a clock and a timer each.
 *
 * Memory is an array that no guest looks at; a TLB there is not. Costs are
 * those of abi/costs.def. */
#include "hyp/vm.h"
#include "sim_internal.h"
#include <stdlib.h>
#include <string.h>

static struct fake_hart *hart_of(struct pcpu *pcpu)
{
    return &pcpu->hal->hart[pcpu->id];
}

struct span hal_ram(struct hal *hal)
{
    (void)hal;
    return (struct span){ { RAM_BASE }, SIM_RAM };
}

static uint8_t *at(struct hal *hal, hpa_t pa, uint32_t len)
{
    uint32_t offset = pa.raw - RAM_BASE;

    if (offset >= SIM_RAM || len > SIM_RAM - offset)
        hal_halt(hal, "an access outside machine memory");
    return hal->ram + offset;
}

uint32_t hal_read32(struct hal *hal, hpa_t pa)
{
    uint32_t val;

    memcpy(&val, at(hal, pa, 4), 4);
    return val;
}

void hal_write32(struct hal *hal, hpa_t pa, uint32_t val)
{
    memcpy(at(hal, pa, 4), &val, 4);
}

void hal_read(struct hal *hal, hpa_t pa, void *to, uint32_t len)
{
    memcpy(to, at(hal, pa, len), len);
}

void hal_write(struct hal *hal, hpa_t pa, const void *from, uint32_t len)
{
    memcpy(at(hal, pa, len), from, len);
}

void hal_zero_frame(struct hal *hal, hpa_t pa)
{
    memset(at(hal, pa, PAGE_SIZE), 0, PAGE_SIZE);
}

void *hal_alloc(struct hal *hal, size_t size)
{
    void *block = malloc(size);

    (void)hal;
    if (block)
        memset(block, 0xa5, size);
    return block;
}

void hal_free(struct hal *hal, void *block)
{
    (void)hal;
    free(block);
}

void hal_enter(struct pcpu *pcpu, const struct world *world)
{
    (void)world;
    hart_of(pcpu)->waiting = false;
    hart_of(pcpu)->kicked = false;
}

uint32_t hal_leave(struct pcpu *pcpu, struct vcsr *csr)
{
    (void)csr;
    hal_halt(pcpu->hal, "no world of the sim has CSRs in the hart");
}

uint32_t hal_asids(struct hal *hal)
{
    (void)hal;
    return 512;
}

uint32_t hal_vmids(struct hal *hal)
{
    (void)hal;
    return 128;
}

void hal_wait(struct pcpu *pcpu)
{
    struct fake_hart *hart = hart_of(pcpu);

    hart->waiting = true;
    hart->kicked = hart->kicked || hart->msip;
    hart->msip = false;
}

void hal_fence(struct pcpu *pcpu, struct fence what)
{
    (void)pcpu, (void)what;
}

void hal_fence_vmids(struct pcpu *pcpu)
{
    (void)pcpu;
}

void hal_fence_i(struct pcpu *pcpu)
{
    (void)pcpu;
}

uint64_t hal_cycles(struct pcpu *pcpu)
{
    return hart_of(pcpu)->cycle;
}

uint64_t hal_time(struct pcpu *pcpu)
{
    return hart_of(pcpu)->cycle / pcpu->hal->tick;
}

uint64_t hal_instret(struct pcpu *pcpu)
{
    return hart_of(pcpu)->instret;
}

uint64_t hal_traps(struct pcpu *pcpu)
{
    (void)pcpu;
    return 0;
}

void hal_set_timer(struct pcpu *pcpu, uint64_t time)
{
    hart_of(pcpu)->timer = time;
}

uint32_t hal_tick(struct hal *hal)
{
    return hal->tick;
}

void hal_pad(struct pcpu *pcpu, uint64_t cycle)
{
    if (hart_of(pcpu)->cycle < cycle)
        hart_of(pcpu)->cycle = cycle;
}

bool hal_timer_due(struct pcpu *pcpu)
{
    return hal_time(pcpu) >= hart_of(pcpu)->timer;
}

void hal_charge(struct pcpu *pcpu, enum hal_cost kind, uint32_t n)
{
    static const uint32_t cost[] = {
#define COST(name, value, doc) value,
#include "abi/costs.def"
#undef COST
    };

    hart_of(pcpu)->cycle += (uint64_t)cost[kind] * n + hart_of(pcpu)->work;
    hart_of(pcpu)->work = 0;
}

void hal_console_put(struct hal *hal, uint32_t vm, uint8_t byte)
{
    (void)hal, (void)vm, (void)byte;
}

int hal_console_get(struct hal *hal, uint32_t vm)
{
    (void)hal, (void)vm;
    return -1;
}

void hal_event(struct pcpu *pcpu, enum hal_event kind, uint32_t vm,
               uint32_t vcpu, uint32_t arg)
{
    struct vm *of = vm ? hyp_vm(&pcpu->hal->hyp, vm) : NULL;

    sim_note(pcpu->hal,
             &(struct sim_event){ .cycle = hal_cycles(pcpu),
                                  .charged = of ? of->vcpu[vcpu].charged : 0,
                                  .kind = kind,
                                  .hart = pcpu->id,
                                  .vm = vm,
                                  .vcpu = vcpu,
                                  .arg = arg });
}

void hal_lock(struct pcpu *pcpu)
{
    if (pcpu->hal->locked)
        hal_halt(pcpu->hal, "two harts in the hypervisor");
    pcpu->hal->locked = true;
}

void hal_unlock(struct pcpu *pcpu)
{
    pcpu->hal->locked = false;
}

void hal_kick(struct pcpu *pcpu)
{
    struct fake_hart *hart = hart_of(pcpu);

    if (hart->waiting)
        hart->kicked = true;
    else
        hart->msip = true;
}

void hal_kicked(struct pcpu *pcpu)
{
    hart_of(pcpu)->kicked = false;
    hart_of(pcpu)->msip = false;
}

void hal_point(struct pcpu *pcpu, uint32_t id)
{
    (void)pcpu, (void)id;
}

_Noreturn void hal_halt(struct hal *hal, const char *why)
{
    hal->why = why;
    longjmp(hal->unwind, 1);
}
