/* hart.c - the other harts: starting them, and telling them something.
 *
 * All by SBI calls (RISC-V SBI Specification 2.0: 7 IPI, 8 RFENCE, 9 HSM).
 * They are the same for both kernels: a hypervisor that takes hypercalls
 * answers the standard calls as well.
 *
 * Other harts are made to forget translations by RFENCE, and not by an
 * interrupt of our own that they would have to acknowledge: a hart with its
 * interrupts off, which waits for a lock that we hold, would never do so. The
 * firmware interrupts it all the same. And in a VM only the hypervisor knows
 * whether the other vCPU runs at all: one that does not has nothing to forget
 * but what the hypervisor remembers for it. */
#include "kernel/hart.h"
#include "kernel/cpu.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/page.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/sbi.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/trap.h"

struct cpu cpus[MAX_HARTS];

/* entry.S */
extern char boot_stack[], hart_entry[];
_Noreturn void hart_main(void);

void hart_init(uint32_t id)
{
    struct cpu *cpu = &cpus[id < MAX_HARTS ? id : 0];

    cpu->id = id;
    cpu->stack = (uint32_t)boot_stack;
    __asm__ volatile("mv tp, %0" ::"r"(cpu) : "memory");
    if (id >= MAX_HARTS)
        panic("hart %u is one too many", id);
}

uint32_t hart_count(void)
{
    uint32_t count = 0;

    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        count += boot_info.harts >> id & 1;
    return count;
}

/* First C code of a hart that was started: translation and interrupts off,
 * and tp set. */
_Noreturn void hart_main(void)
{
    priv_init();
    priv_paging_on(kernel_space.root);
    trap_start_timer();
    sched_run_forever();
}

static void start(uint32_t id)
{
    struct cpu    *cpu = &cpus[id];
    struct sbi_ret ret;

    cpu->id = id;
    cpu->stack = page_alloc();
    if (cpu->stack == 0)
        panic("no memory for hart %u", id);
    sched_init(cpu);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ret = sbi_call(SBI_EXT_HSM, SBI_HSM_START, id, (uint32_t)hart_entry,
                   (uint32_t)cpu);
    if (ret.error == SBI_SUCCESS)
        return;
    say("hart %u does not start: %d", id, ret.error);
    page_free(cpu->stack);
}

void hart_start_others(void)
{
    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        if ((boot_info.harts >> id & 1) && id != boot_info.hart)
            start(id);
}

void hart_interrupt(uint32_t mask)
{
    if (mask != 0)
        sbi_call(SBI_EXT_IPI, SBI_IPI_SEND, mask, 0, 0);
}

/* No start and no size mean everything. */
void hart_fence(uint32_t mask)
{
    if (mask != 0 &&
        sbi_call(SBI_EXT_RFNC, SBI_RFNC_SFENCE, mask, 0, 0).error != 0)
        panic("no fence on harts %x", mask);
}
