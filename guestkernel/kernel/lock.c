/* lock.c - ticket spinlocks.
 *
 * Who comes draws a ticket and waits for its turn, as at a counter. That is
 * fair, and no hart starves. In a VM it has a price: the turn may be that of a
 * vCPU which the hypervisor does not run, and then nobody else gets the lock
 * either, though it is free. With a holder that was preempted this is what
 * T. Friebel and S. Biemueller measured ("How to deal with lock holder
 * preemption", Xen Summit North America, 2008).
 *
 * Their remedy, as later in Linux: who has looked at the lock SPIN_LIMIT times
 * in vain tells which turn it waits for and gives the processor up
 * (priv_lock_wait); who ends a turn wakes the hart whose turn is next
 * (priv_lock_kick). The two look at each other's word after writing their own,
 * with a full fence in between, so one of them sees the other. */
#include "kernel/lock.h"
#include "kernel/console.h"
#include "kernel/cpu.h"
#include "kernel/hart.h"
#include "kernel/kernel.h"
#include "kernel/priv.h"
#include "lib/string.h"

#define SPIN_LIMIT 256

static struct statistics {
    uint32_t taken, waited, spins, sleeps;
} statistics[MAX_HARTS][NR_LOCK_RANKS]; /* each hart counts for itself */

static bool gives_up; /* waiting harts sleep after a while */

void lock_init(void)
{
    gives_up = hart_count() > 1 && priv_lock_can_wait() &&
               words_number(boot_info.args, "pvlocks", 1) != 0;
}

static uint32_t serving(const struct lock *lock)
{
    return __atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE);
}

/* Interrupts are off, since a handler may wait for another lock. */
static void sleep_for(const struct lock *lock, uint32_t ticket)
{
    struct cpu *cpu = cpu_self();
    bool        on = priv_irq_off();
    uint32_t    holder = __atomic_load_n(&lock->holder, __ATOMIC_RELAXED);

    __atomic_store_n(&cpu->wait_ticket, ticket, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->wait_lock, lock, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (serving(lock) != ticket)
        priv_lock_wait(holder != 0 ? holder - 1 : cpu->id);
    __atomic_store_n(&cpu->wait_lock, NULL, __ATOMIC_RELEASE);
    priv_irq_restore(on);
}

static void wait_for(const struct lock *lock, uint32_t ticket,
                     struct statistics *count)
{
    count->waited++;
    for (uint32_t spins = 1; serving(lock) != ticket; spins++) {
        count->spins++;
        if (gives_up && spins % SPIN_LIMIT == 0) {
            count->sleeps++;
            sleep_for(lock, ticket);
        }
    }
}

void lock_take(struct lock *lock)
{
    struct cpu        *cpu = cpu_self();
    struct statistics *count = &statistics[cpu->id][lock->rank];
    uint32_t           ticket;

    if (cpu->held >> lock->rank != 0)
        panic("hart %u wants lock %u and has %x", cpu->id, lock->rank,
              cpu->held);
    ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);
    if (serving(lock) != ticket)
        wait_for(lock, ticket, count);
    cpu->held |= (uint8_t)(1u << lock->rank);
    __atomic_store_n(&lock->holder, cpu->id + 1, __ATOMIC_RELAXED);
    count->taken++;
}

/* A kick too many is harmless: who is woken looks, and sleeps again. */
static void wake_next(const struct lock *lock, uint32_t ticket)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (uint32_t id = 0; id < boot_info.hart_end; id++)
        if (__atomic_load_n(&cpus[id].wait_lock, __ATOMIC_ACQUIRE) == lock &&
            __atomic_load_n(&cpus[id].wait_ticket, __ATOMIC_RELAXED) == ticket)
            priv_lock_kick(id);
}

void lock_drop(struct lock *lock)
{
    uint32_t ticket = lock->serving + 1;

    lock_must_be_mine(lock);
    cpu_self()->held &= (uint8_t)~(1u << lock->rank);
    __atomic_store_n(&lock->holder, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&lock->serving, ticket, __ATOMIC_RELEASE);
    if (gives_up)
        wake_next(lock, ticket);
}

void lock_must_be_mine(const struct lock *lock)
{
    if (lock->holder != cpu_self()->id + 1)
        panic("hart %u has not lock %u", cpu_self()->id, lock->rank);
}

bool lock_take_irq(struct lock *lock)
{
    bool on = priv_irq_off();

    lock_take(lock);
    return on;
}

void lock_drop_irq(struct lock *lock, bool on)
{
    lock_drop(lock);
    priv_irq_restore(on);
}

void lock_print_statistics(void)
{
    static const char *const names[NR_LOCK_RANKS] = {
        "console", "space", "spaces", "page",
        "tally",   "input", "table",  "queue",
    };

    if (words_find(boot_info.args, "lockstat") == NULL)
        return;
    for (uint32_t rank = 0; rank < NR_LOCK_RANKS; rank++) {
        struct statistics sum = { 0 };

        for (uint32_t id = 0; id < boot_info.hart_end; id++) {
            sum.taken += statistics[id][rank].taken;
            sum.waited += statistics[id][rank].waited;
            sum.spins += statistics[id][rank].spins;
            sum.sleeps += statistics[id][rank].sleeps;
        }
        console_print("lock %s: taken %u, waited %u, spins %u, sleeps %u",
                      names[rank], sum.taken, sum.waited, sum.spins,
                      sum.sleeps);
    }
}
