/* syscall.c - the system calls: checked arguments in, one word out.
 *
 * Numbers and meanings are in lib/syscalls.def. Each function here takes its
 * arguments from the program's registers and trusts none of them. */
#include "abi/regs.h"
#include "kernel/console.h"
#include "kernel/exec.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/lock.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/sched.h"
#include "kernel/space.h"
#include "kernel/trap.h"
#include "kernel/user.h"
#include <stddef.h>

#define PIECE       256 /* what is copied at a time; fits on a kernel stack */
#define TALLY_WORDS 64

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int32_t sys_exit(const uint32_t *arg)
{
    proc_exit(arg[0] & 0x7f); /* larger ones are the kernel's: STATUS_x */
}

static int32_t sys_fork(const uint32_t *arg)
{
    return proc_fork(arg[0] != 0);
}

static int32_t sys_exec(const uint32_t *arg)
{
    char name[NAME_SIZE], args[ARGS_SIZE];

    if (!user_read_string(name, arg[0], sizeof(name)) ||
        !user_read_string(args, arg[1], sizeof(args)))
        return -1;
    return exec_program(name, args);
}

static int32_t sys_wait(const uint32_t *arg)
{
    uint32_t status = 0;
    int32_t  pid;

    if (!user_write(arg[0], &status, sizeof(status)))
        return -1; /* checked before: a child is reaped only once */
    pid = proc_wait(&status);
    if (pid >= 0)
        user_write(arg[0], &status, sizeof(status));
    return pid;
}

static int32_t sys_kill(const uint32_t *arg)
{
    return proc_kill(arg[0]);
}

static int32_t sys_getpid(const uint32_t *arg)
{
    (void)arg;
    return (int32_t)proc_current->pid;
}

static int32_t sys_write(const uint32_t *arg)
{
    size_t len = smaller(arg[1], INT32_MAX);

    return console_write_user(arg[0], len) ? (int32_t)len : -1;
}

static int32_t sys_read(const uint32_t *arg)
{
    char   piece[PIECE];
    size_t len = console_read(piece, smaller(arg[1], sizeof(piece)));

    return user_write(arg[0], piece, len) ? (int32_t)len : -1;
}

static uint32_t page_above(uint32_t address)
{
    return (address + PAGE_MASK) & ~(uint32_t)PAGE_MASK;
}

static int32_t move_brk(struct space *space, uint32_t delta)
{
    uint32_t old = space->brk, new = old + delta;
    bool     grow = (int32_t)delta >= 0;

    if (new < space->heap || new > USER_STACK - PAGE_SIZE ||
        (grow ? new < old : new > old))
        return -1;
    if (!grow) {
        space_unmap(space, page_above(new), page_above(old));
    } else if (!space_map(space, page_above(old), page_above(new),
                          PTE_R | PTE_W)) {
        space_unmap(space, page_above(old), page_above(new));
        return -1;
    }
    space_commit(space);
    space->brk = new;
    return (int32_t)old;
}

static int32_t sys_sbrk(const uint32_t *arg)
{
    struct space *space = proc_current->space;
    int32_t       result;

    lock_take(&space->lock);
    result = move_brk(space, arg[0]);
    lock_drop(&space->lock);
    return result;
}

static bool in_heap(const struct space *space, uint32_t start, uint32_t pages)
{
    uint32_t end = page_above(space->brk);

    return start % PAGE_SIZE == 0 && start >= space->heap && start <= end &&
           pages <= (end - start) / PAGE_SIZE;
}

static int32_t flip(struct space *space, uint32_t a, uint32_t b, uint32_t pages)
{
    uint32_t apart = a < b ? b - a : a - b;

    if (!in_heap(space, a, pages) || !in_heap(space, b, pages) ||
        pages > apart / PAGE_SIZE)
        return -1;
    space_flip(space, a, b, pages);
    space_commit(space);
    return 0;
}

static int32_t sys_flip(const uint32_t *arg)
{
    struct space *space = proc_current->space;
    int32_t       result;

    lock_take(&space->lock);
    result = flip(space, arg[0], arg[1], arg[2]);
    lock_drop(&space->lock);
    return result;
}

static int32_t sys_yield(const uint32_t *arg)
{
    (void)arg;
    sched_yield();
    return 0;
}

static int32_t sys_sleep(const uint32_t *arg)
{
    uint32_t until = trap_ticks() + arg[0];
    bool     on = priv_irq_off();

    while ((int32_t)(until - trap_ticks()) > 0 && proc_sleep_until(until))
        ;
    priv_irq_restore(on);
    return 0;
}

static int32_t sys_uptime(const uint32_t *arg)
{
    (void)arg;
    return (int32_t)trap_ticks();
}

static int32_t sys_initrd(const uint32_t *arg)
{
    const struct range *initrd = &boot_info.initrd;
    uint32_t            size = initrd->end - initrd->start;

    if (arg[1] >= size)
        return 0;
    size_t      len = smaller(arg[2], size - arg[1]);
    const char *from = (const char *)initrd->start + arg[1];
    return user_write(arg[0], from, len) ? (int32_t)len : -1;
}

static int32_t sys_thread(const uint32_t *arg)
{
    return proc_thread(arg[0], arg[1], arg[2]);
}

/* Something that all processes share, and that takes a while: as long as a
 * directory is searched, or a buffer of a pipe is filled. */
static int32_t sys_tally(const uint32_t *arg)
{
    static struct lock tally_lock = { .rank = LOCK_TALLY };
    static uint32_t    tally[TALLY_WORDS];
    uint32_t           sum = 0;

    lock_take(&tally_lock);
    for (uint32_t i = 0; i < TALLY_WORDS; i++) {
        tally[i] += arg[0];
        sum += tally[i];
    }
    lock_drop(&tally_lock);
    return (int32_t)(sum & INT32_MAX);
}

static int32_t sys_poweroff(const uint32_t *arg)
{
    proc_power_off(arg[0] & 0xff);
    proc_exit(0);
}

static int32_t (*const calls[])(const uint32_t *arg) = {
#define SYSCALL(nr, name, meaning) [nr] = sys_##name,
#include "lib/syscalls.def"
#undef SYSCALL
};

void syscall_handle(struct trapframe *tf)
{
    uint32_t nr = tf->x[REG_A7];
    int32_t  result = -1;

    if (nr < sizeof(calls) / sizeof(calls[0]) && calls[nr] != NULL)
        result = calls[nr](&tf->x[REG_A0]);
    tf->x[REG_A0] = (uint32_t)result;
}
