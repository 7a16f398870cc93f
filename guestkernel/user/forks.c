/* forks.c - a storm of processes: each child computes in its own copy of the
 * parent's memory, forks a grandchild, and answers by its exit status. */
#include "user/lib/user.h"

#define ROUNDS   4
#define CHILDREN 6

static uint32_t shared = 7; /* what a child writes, its parent must not see */

/* The exit status of a child process that runs body(n). */
static int answer_of(int (*body)(int n), int n)
{
    int status = -1, pid = fork(0);

    if (pid == 0)
        exit(body(n));
    if (pid < 0 || wait(&status) != pid)
        fail("fork %d failed", n);
    return status;
}

static int grandchild(int n)
{
    shared += (uint32_t)n;
    return (int)(shared * 3 % 100);
}

static int child(int n)
{
    shared = (uint32_t)n;
    int answer = answer_of(grandchild, n);
    if (shared != (uint32_t)n)
        exit(101);
    return answer;
}

int main(const char *args)
{
    int      rounds = ROUNDS * (int)words_number(args, "scale", 1);
    uint32_t sum = 0, total = 0;
    int      status;

    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < CHILDREN; i++) {
            int pid = fork(0);

            if (pid == 0)
                exit(child(10 * round + i));
            if (pid < 0)
                fail("fork failed in round %d", round);
        }
        for (int i = 0; i < CHILDREN; i++) { /* they end in any order */
            if (wait(&status) < 0 || status > 100)
                fail("a child went wrong: %d", status);
            total += (uint32_t)status;
        }
        sum = mix(sum, total);
    }
    if (shared != 7)
        fail("a child wrote into its parent's memory");
    say("%d children and as many grandchildren: %u", rounds * CHILDREN, total);
    say_checksum(sum);
    return 0;
}
