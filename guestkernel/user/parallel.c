/* parallel.c - processes that have nothing to do with each other.
 *
 * Each computes, makes system calls, and takes and gives back memory. With as
 * many harts it takes that much less time; what is missing of that is the cost
 * of the locks that their kernel takes for them, and of harts that the
 * hypervisor does not run. The sum does not depend on the number of harts. */
#include "user/lib/user.h"

#define PAGE    4096
#define WORKERS 8
#define ROUNDS  20
#define STEPS   1500 /* of arithmetic, in a round */
#define CALLS   10   /* that do nothing, in a round */

/* A fresh page, used and given back. */
static uint32_t use_page(uint32_t sum)
{
    volatile uint32_t *page = sbrk(PAGE);

    if (page == SBRK_FAILED)
        fail("no memory for a page");
    for (uint32_t i = 0; i < PAGE / 4; i += 64)
        page[i] += sum + i;
    for (uint32_t i = 0; i < PAGE / 4; i += 64)
        sum = mix(sum, page[i]);
    sbrk(-PAGE);
    return sum;
}

static int work(uint32_t n, uint32_t rounds)
{
    uint32_t sum = n;
    int      pid = getpid();

    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < STEPS; i++)
            sum = mix(sum, i);
        for (uint32_t i = 0; i < CALLS; i++)
            if (getpid() != pid)
                fail("call %u gave another pid", i);
        sum = use_page(sum);
    }
    return (int)(sum % 100);
}

int main(const char *args)
{
    uint32_t rounds = ROUNDS * words_number(args, "scale", 1), total = 0;
    int      status;

    for (uint32_t n = 0; n < WORKERS; n++) {
        int pid = fork(0);

        if (pid == 0)
            exit(work(n, rounds));
        if (pid < 0)
            fail("cannot fork worker %u", n);
    }
    for (uint32_t n = 0; n < WORKERS; n++) { /* they end in any order */
        if (wait(&status) < 0 || status >= 100)
            fail("a worker went wrong: %d", status);
        total += (uint32_t)status;
    }
    say("%d workers, %u rounds each", WORKERS, rounds);
    say_checksum(mix(rounds, total));
    return 0;
}
