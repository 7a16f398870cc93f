/* storm.c - many processes that live briefly: fork, exec, exit, wait.
 *
 * The cost it shows is that of address spaces that come and go: each has new
 * page tables, which a second stage need not see, which a shadow must be built
 * for and thrown away, and which a paravirtual kernel tells its hypervisor. */
#include "user/lib/user.h"

#define ROUNDS   5
#define CHILDREN 4

/* What the program that a child becomes answers to its number. */
static int answer(uint32_t number)
{
    return (int)(mix(1, number) >> 25) % 100;
}

/* A child becomes this very program, told its number: "leaf=17". */
static void become_leaf(uint32_t number)
{
    char   args[] = "leaf=00000000";
    size_t at = sizeof(args) - 1;

    for (; number > 0; number /= 10)
        args[--at] = (char)('0' + number % 10);
    exec("storm", args);
    exit(101);
}

static uint32_t run_children(uint32_t first)
{
    uint32_t total = 0;
    int      status;

    for (uint32_t i = 0; i < CHILDREN; i++) {
        int pid = fork(0);

        if (pid == 0)
            become_leaf(first + i);
        if (pid < 0)
            fail("fork %u failed", first + i);
    }
    for (uint32_t i = 0; i < CHILDREN; i++) { /* they end in any order */
        if (wait(&status) < 0 || status > 100)
            fail("a child went wrong: %d", status);
        total += (uint32_t)status;
    }
    return total;
}

int main(const char *args)
{
    uint32_t rounds = ROUNDS * words_number(args, "scale", 1), sum = 0;

    if (words_find(args, "leaf") != NULL)
        return answer(words_number(args, "leaf", 0));
    for (uint32_t round = 0; round < rounds; round++)
        sum = mix(sum, run_children(CHILDREN * round));
    say("%u processes came and went", rounds * CHILDREN);
    say_checksum(sum);
    return 0;
}
