/* crime.c - has children do what a program must not, and checks that each is
 * killed for it, and for the right reason. */
#include "abi/cause.h"
#include "user/lib/user.h"

#define KERNEL  ((volatile uint32_t *)0x80400000)
#define NOTHING ((volatile uint32_t *)0)
#define RET     0x00008067 /* the instruction `ret` */

static void read_kernel(void)
{
    (void)*KERNEL;
}

static void write_kernel(void)
{
    *KERNEL = 0;
}

static void read_null(void)
{
    (void)*NOTHING;
}

static void write_own_text(void)
{
    *(volatile uint32_t *)(uintptr_t)main = RET;
}

static void run_own_stack(void)
{
    volatile uint32_t code[] = { RET };

    __asm__ volatile("fence.i; jalr %0" ::"r"(code) : "ra", "memory");
}

static void read_mstatus(void)
{
    uint32_t value;

    __asm__ volatile("csrr %0, mstatus" : "=r"(value));
}

static void run_zeroes(void)
{
    __asm__ volatile(".word 0");
}

static void overflow_stack(void)
{
    char     here = 0;
    uint32_t at = (uint32_t)&here;

    for (;; at -= 64)
        *(volatile char *)at = 0;
}

static const struct {
    const char *what;
    void (*commit)(void);
    int cause;
} crimes[] = {
    { "read the kernel", read_kernel, CAUSE_LOAD_PAGE },
    { "write the kernel", write_kernel, CAUSE_STORE_PAGE },
    { "read a null pointer", read_null, CAUSE_LOAD_PAGE },
    { "write its own text", write_own_text, CAUSE_STORE_PAGE },
    { "run its own stack", run_own_stack, CAUSE_FETCH_PAGE },
    { "read mstatus", read_mstatus, CAUSE_ILLEGAL },
    { "run no instruction", run_zeroes, CAUSE_ILLEGAL },
    { "overflow its stack", overflow_stack, CAUSE_STORE_PAGE },
};
#define NR_CRIMES ((int)(sizeof(crimes) / sizeof(crimes[0])))

/* System calls with bad arguments fail, and do no harm. */
static void try_bad_calls(void)
{
    int status;

    if (write((const void *)0x80400000, 4) >= 0 ||
        write((const void *)0x3fffffff, 2) >= 0 ||
        wait((int *)0x80400000) >= 0 || sbrk(0x7fffffff) != SBRK_FAILED ||
        sbrk(-0x7fffffff) != SBRK_FAILED || exec("no such", "") >= 0 ||
        exec((const char *)0xfffffffc, "") >= 0 || kill(12345) >= 0 ||
        flip(sbrk(0), (void *)0x80400000, 1) >= 0 || flip(0, 0, ~0u) >= 0)
        fail("a bad system call did not fail");
    if (wait(&status) >= 0)
        fail("there is a child that nobody made");
}

int main(const char *args)
{
    uint32_t sum = 0;
    int      status;

    (void)args;
    for (int i = 0; i < NR_CRIMES; i++) {
        int pid = fork(0);

        if (pid == 0) {
            crimes[i].commit();
            exit(0);
        }
        if (pid < 0 || wait(&status) != pid)
            fail("cannot fork");
        if (status != STATUS_FAULT + crimes[i].cause)
            fail("status %d for who would %s", status, crimes[i].what);
        sum = mix(sum, (uint32_t)status);
    }
    try_bad_calls();
    say("%d crimes, all of them punished", NR_CRIMES);
    say_checksum(sum);
    return 0;
}
