/* priv_pv.c - the privileged operations of a kernel that knows it has a
 * hypervisor beneath it: hypercalls and the shared-info page (abi/pv.h).
 *
 * No instruction in this build is privileged, so none needs to be trapped and
 * emulated; and what happens most often, masking interrupts and looking at a
 * trap, is a load or a store. */
#include "abi/csr.h"
#include "abi/pte.h"
#include "abi/pv.h"
#include "kernel/cpu.h"
#include "kernel/kernel.h"
#include "kernel/priv.h"
#include "kernel/pv.h"
#include "lib/string.h"

const char priv_name[] = "pv";

static uint32_t features; /* PV_FEATURE_x */

/* This vCPU's part of the shared page, by its word offsets. */
static volatile uint32_t *shared(uint32_t offset)
{
    return (volatile uint32_t *)(cpu_self()->shared + offset);
}

static uint32_t trap_entry(void)
{
    return (uint32_t)pv_trap_entries + cpu_self()->id * PV_TRAP_ENTRY_SIZE;
}

uint32_t pv_must(const char *call, struct hcall_ret ret)
{
    if (ret.error != 0)
        panic("hypercall %s failed: %d", call, ret.error);
    return ret.value;
}

void priv_init(void)
{
    uint32_t version = pv_must("features", hcall_features(0));

    if (version < PV_VERSION)
        panic("hypervisor speaks version %u, we need %u", version, PV_VERSION);
    features = pv_must("features", hcall_features(1));
    pv_direct = features & PV_FEATURE_DIRECT;
    pv_must("set_shared", hcall_set_shared((uint32_t)pv_shared_page));
    pv_must("set_entry", hcall_set_entry(trap_entry(), 0));
    cpu_self()->shared = (uint32_t)pv_shared_page +
                         cpu_self()->id * SI_VCPU_SIZE;
}

void priv_paging_on(uint32_t root)
{
    uint32_t kernel, user;

    if (pv_direct) {
        direct_roots(root, &kernel, &user);
        pv_must("set_roots", hcall_set_roots(kernel, user));
        return;
    }
    pv_must("set_root", hcall_set_root(SATP_MODE | root >> PAGE_SHIFT));
    pv_must("fence", hcall_fence(0, 0));
}

/* Traps: the entry is in priv_pv.S ----------------------------------------- */

bool priv_from_user(const struct trapframe *tf)
{
    return !(tf->status & PV_PREV_KERNEL);
}

void priv_frame_enter_user(struct trapframe *tf)
{
    tf->status = PV_PREV_IRQ;
}

/* marker: lab-pv-irq */
bool priv_irq_off(void)
{
    bool before = *shared(SI_IRQ_ENABLED) != 0;

    *shared(SI_IRQ_ENABLED) = 0;
    __asm__ volatile("" ::: "memory"); /* nothing moves up past this */
    return before;
}

/* What arrived while interrupts were off does not come by itself. What
 * arrives between the store and the load does: then there is nothing left to
 * deliver, and we do not ask. */
void priv_irq_restore(bool on)
{
    if (!on)
        return;
    __asm__ volatile("" ::: "memory");
    *shared(SI_IRQ_ENABLED) = 1;
    if (*shared(SI_IRQ_PENDING) != 0)
        hcall_deliver();
}

void priv_idle(void)
{
    pv_must("block", hcall_block());
    priv_irq_off();
}
/* marker: end */

void priv_external_irq(void)
{
    /* There is no interrupt controller to ask: the console is all we have. */
}

void priv_ipi_clear(void)
{
    /* It was taken back when it was delivered. */
}

/* At the last trap, which is exact where time matters: in the timer's
 * handler. */
uint64_t priv_time(void)
{
    return (uint64_t)*shared(SI_TIME_HI) << 32 | *shared(SI_TIME_LO);
}

void priv_timer_set(uint64_t when)
{
    pv_must("set_timer",
            hcall_set_timer((uint32_t)when, (uint32_t)(when >> 32)));
}

/* Address spaces ----------------------------------------------------------- */

_Static_assert(sizeof(struct multicall) == PV_MULTICALL_SIZE, "multicall");

/* marker: lab-pv-multicall */
void pv_multicall(const char *what, struct multicall *calls, uint32_t count)
{
    pv_must("multicall", hcall_multicall((uint32_t)calls, count));
    for (uint32_t i = 0; i < count; i++)
        if (calls[i].error != 0)
            panic("%s, call %u failed: %d", what, i, calls[i].error);
}
/* marker: end */

/* marker: lab-pv-switch */
void priv_switch(uint32_t root, uint32_t stack)
{
    struct multicall calls[] = {
        { HCALL_set_root, 0, { SATP_MODE | root >> PAGE_SHIFT } },
        { HCALL_set_entry, 0, { trap_entry(), stack } },
    };

    if (pv_direct) {
        calls[0].nr = HCALL_set_roots;
        direct_roots(root, &calls[0].arg[0], &calls[0].arg[1]);
    }
    pv_multicall("switch", calls, 2);
}
/* marker: end */

/* Entries are collected and told to the hypervisor together: it stores them,
 * and forgets what it had derived from those before. */
_Static_assert(sizeof(struct pt_update) == PV_PT_UPDATE_SIZE, "pt_update");

/* marker: lab-pv-update */
static struct pt_update updates[MAX_HARTS][PV_PT_UPDATE_MAX];

void pv_update(uint32_t slot, uint32_t pte)
{
    struct cpu *cpu = cpu_self();

    updates[cpu->id][cpu->pte_pending++] = (struct pt_update){ slot, pte };
    if (cpu->pte_pending == PV_PT_UPDATE_MAX)
        pv_update_flush();
}

void pv_update_flush(void)
{
    struct cpu *cpu = cpu_self();

    if (cpu->pte_pending == 0)
        return;
    pv_must("pt_update",
            hcall_pt_update((uint32_t)updates[cpu->id], cpu->pte_pending));
    cpu->pte_pending = 0;
    __asm__ volatile("" ::: "memory"); /* tables have changed */
}
/* marker: end */

void priv_pte_set(uint32_t *slot, uint32_t pte)
{
    if (pv_direct)
        direct_pte_set(slot, pte);
    else
        pv_update((uint32_t)slot, pte);
}

void priv_pte_flush(void)
{
    pv_update_flush();
}

/* What else is to be said about tables, only `direct` asks. */
void priv_memory_init(void)
{
    if (pv_direct)
        direct_memory_init();
}

uint32_t priv_pte_make(uint32_t pa, uint32_t bits)
{
    return pv_direct ? direct_pte_make(pa, bits)
                     : pa >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
}

uint32_t priv_pte_address(uint32_t pte)
{
    return pv_direct ? direct_pte_address(pte)
                     : pte >> PTE_PPN_SHIFT << PAGE_SHIFT;
}

bool priv_megapages(void)
{
    return !pv_direct;
}

bool priv_table_make(uint32_t page, uint32_t level)
{
    return !pv_direct || direct_table_make(page, level);
}

void priv_table_free(uint32_t page)
{
    if (pv_direct)
        direct_table_free(page);
}

/* The page is part of RAM, which we have mapped for ourselves: no need to
 * open user memory to the kernel, as the native one does with SUM. */
void priv_copy_in(void *to, uint32_t va, uint32_t pa, size_t len)
{
    (void)va;
    memcpy(to, (const void *)pa, len);
}

void priv_copy_out(uint32_t va, uint32_t pa, const void *from, size_t len)
{
    (void)va;
    memcpy((void *)pa, from, len);
}

/* Locks -------------------------------------------------------------------- */

bool priv_lock_can_wait(void)
{
    return features & PV_FEATURE_SCHED;
}

/* The hypervisor does not know that we wait for a lock, only that we do not want
 * to run before somebody kicks us. It does not let us sleep while an interrupt
 * is pending, which we may not be able to take here; then the holder should run
 * in our place, or, if the lock is free, the one whose turn it is. */
void priv_lock_wait(uint32_t holder)
{
    pv_must("poll", hcall_poll());
    if (*shared(SI_IRQ_PENDING) == 0)
        return;
    if (holder != cpu_self()->id)
        pv_must("yield_to", hcall_yield_to(holder));
    else
        pv_must("yield", hcall_yield());
}

void priv_lock_kick(uint32_t hart)
{
    pv_must("kick", hcall_kick(hart));
}

/* Console and power -------------------------------------------------------- */

/* Nothing says when input comes: it is looked for at every tick. */
bool priv_console_start(void)
{
    return false;
}

/* The hypervisor may take less than it is offered, but not nothing for ever:
 * then we have nobody left to tell. */
void priv_console_write(const char *text, size_t len)
{
    while (len > 0) {
        struct hcall_ret ret = hcall_console_write((uint32_t)text, len);

        if (ret.error != 0)
            return;
        text += ret.value;
        len -= ret.value;
    }
}

int priv_console_read(void)
{
    uint8_t byte = 0;

    return pv_must("console_read", hcall_console_read((uint32_t)&byte, 1)) == 1
               ? byte
               : -1;
}

_Noreturn void priv_power_off(uint32_t code)
{
    hcall_shutdown(PV_SHUTDOWN_POWEROFF, code);
    for (;;)
        ;
}
