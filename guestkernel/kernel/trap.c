/* trap.c - what happens when the processor leaves a program.
 *
 * Three reasons: an interrupt, a system call, a mistake. The first may also
 * find the kernel at work; then it notes what happened and the kernel goes
 * on. A trap of any other kind out of the kernel is a bug in here. */
#include "kernel/trap.h"
#include "abi/cause.h"
#include "abi/csr.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/kernel.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/sched.h"

#define TICKS_PER_SECOND 1000

static uint32_t ticks; /* the first hart counts them, and wakes who sleeps */

static const char *const fault_names[NR_CAUSES] = {
    [CAUSE_FETCH_MISALIGNED] = "misaligned jump",
    [CAUSE_FETCH_ACCESS] = "fetch access fault",
    [CAUSE_ILLEGAL] = "illegal instruction",
    [CAUSE_BREAKPOINT] = "breakpoint",
    [CAUSE_LOAD_MISALIGNED] = "misaligned load",
    [CAUSE_LOAD_ACCESS] = "load access fault",
    [CAUSE_STORE_MISALIGNED] = "misaligned store",
    [CAUSE_STORE_ACCESS] = "store access fault",
    [CAUSE_FETCH_PAGE] = "fetch page fault",
    [CAUSE_LOAD_PAGE] = "load page fault",
    [CAUSE_STORE_PAGE] = "store page fault",
};

static const char *fault_name(uint32_t cause)
{
    if (cause >= NR_CAUSES || fault_names[cause] == NULL)
        return "unexpected trap";
    return fault_names[cause];
}

static uint32_t tick_length(void) /* in units of time */
{
    return boot_info.timebase / TICKS_PER_SECOND;
}

void trap_start_timer(void)
{
    struct cpu *cpu = cpu_self();

    cpu->next_tick = priv_time() + tick_length();
    priv_timer_set(cpu->next_tick);
}

uint32_t trap_ticks(void)
{
    return __atomic_load_n(&ticks, __ATOMIC_RELAXED);
}

/* A machine that is itself a guest may have slept through many ticks. */
static void handle_timer(void)
{
    struct cpu *cpu = cpu_self();
    uint64_t    now = priv_time();
    uint32_t    passed = 0;

    while (cpu->next_tick <= now) {
        cpu->next_tick += tick_length();
        passed++;
    }
    priv_timer_set(cpu->next_tick);
    cpu->slice_over = true;
    if (cpu->id != boot_info.hart)
        return;
    __atomic_store_n(&ticks, ticks + passed, __ATOMIC_RELAXED);
    proc_tick(ticks);
    console_tick();
}

static void handle_interrupt(uint32_t irq)
{
    switch (irq) {
    case IRQ_STI:
        handle_timer();
        break;
    case IRQ_SSI: /* what for, is looked up on the way back */
        priv_ipi_clear();
        break;
    case IRQ_SEI:
        priv_external_irq();
        console_poll();
        break;
    default:
        panic("interrupt %u was not asked for", irq);
    }
}

/* A mistake ends the process, and says where it was made. */
static _Noreturn void handle_fault(const struct trapframe *tf)
{
    say("%u %s killed: %s at %08x, address %08x", proc_current->pid,
        proc_current->name, fault_name(tf->cause), tf->epc, tf->tval);
    proc_exit(STATUS_FAULT + tf->cause);
}

/* On the way back to a program: is there something more urgent? */
static void before_user_mode(void)
{
    struct cpu *cpu = cpu_self();

    priv_background();
    if (cpu->slice_over) {
        cpu->slice_over = false;
        sched_yield();
    }
    if (proc_current->killed)
        proc_exit(STATUS_KILLED);
}

void trap_handle(struct trapframe *tf)
{
    bool from_user = priv_from_user(tf);

    if (tf->cause & CAUSE_INTERRUPT) {
        handle_interrupt(tf->cause & ~CAUSE_INTERRUPT);
    } else if (!from_user) {
        panic("%s in the kernel at %08x, address %08x", fault_name(tf->cause),
              tf->epc, tf->tval);
    } else if (tf->cause == CAUSE_ECALL_U) {
        tf->epc += 4; /* step over the ecall, or it would come back */
        priv_irq_restore(true);
        syscall_handle(tf);
        priv_irq_off();
    } else {
        handle_fault(tf);
    }
    if (from_user)
        before_user_mode();
}
