/* locks.c - processes that all want the same thing of their kernel.
 *
 * Each makes one system call after another, and all the work of that call is
 * done under one lock. More harts do not make it faster. In a VM it shows what
 * becomes of the others when the vCPU that has the lock, or whose turn it is to
 * have it, is not run: boot with `lockstat` to see how long they looked at the
 * lock in vain. */
#include "user/lib/user.h"

#define WORKERS 8
#define CALLS   100
#define WORDS   64 /* the call adds to that many */

static int work(uint32_t n, uint32_t calls)
{
    for (uint32_t i = 0; i < calls; i++)
        tally(n);
    return 0;
}

int main(const char *args)
{
    uint32_t calls = CALLS * words_number(args, "scale", 1);
    uint32_t before = (uint32_t)tally(0), each = 0, expected;
    int      status;

    for (uint32_t n = 1; n <= WORKERS; n++) {
        int pid = fork(0);

        if (pid == 0)
            exit(work(n, calls));
        if (pid < 0)
            fail("cannot fork worker %u", n);
        each += n * calls;
    }
    for (uint32_t n = 1; n <= WORKERS; n++)
        if (wait(&status) < 0 || status != 0)
            fail("a worker went wrong: %d", status);
    expected = (before + WORDS * each) & INT32_MAX;
    if ((uint32_t)tally(0) != expected)
        fail("some of it is lost: %d and not %u", tally(0), expected);
    say("%d workers, %u calls each", WORKERS, calls);
    say_checksum(mix(calls, expected));
    return 0;
}
