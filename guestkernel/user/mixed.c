/* mixed.c - some of everything, as ordinary programs are.
 *
 * The cost it shows is that of no extreme: processes that compute in memory of
 * their own, take more of it and give it back, and now and then ask their
 * kernel for something or yield to each other. */
#include "user/lib/user.h"

#define PAGE     4096
#define ROUNDS   3
#define CHILDREN 3
#define PAGES    12
#define BLOCKS   8

static uint32_t fill(uint32_t *words, uint32_t count, uint32_t seed)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        seed = seed * 1664525 + 1013904223;
        words[i] = seed;
    }
    for (uint32_t i = 0; i < count; i++)
        sum += words[i] ^ words[(i + seed % 97) % count];
    return sum;
}

static int child(uint32_t number)
{
    uint32_t *heap = sbrk(PAGES * PAGE), sum = 0;

    if (heap == SBRK_FAILED)
        return 101;
    for (uint32_t block = 0; block < BLOCKS; block++) {
        uint32_t *words = heap + block * PAGES / BLOCKS * (PAGE / 4);

        sum = mix(sum, fill(words, PAGE / 4, number + block));
        if (getpid() <= 0 || yield() != 0)
            return 102;
    }
    if (sbrk(-PAGES * PAGE) == SBRK_FAILED)
        return 103;
    return (int)(sum % 100);
}

int main(const char *args)
{
    uint32_t rounds = ROUNDS * words_number(args, "scale", 1);
    uint32_t sum = 0, total = 0;
    int      status;

    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < CHILDREN; i++) {
            int pid = fork(0);

            if (pid == 0)
                exit(child(CHILDREN * round + i));
            if (pid < 0)
                fail("fork failed in round %u", round);
        }
        for (uint32_t i = 0; i < CHILDREN; i++) { /* they end in any order */
            if (wait(&status) < 0 || status > 100)
                fail("a child went wrong: %d", status);
            total += (uint32_t)status;
        }
        sum = mix(sum, total);
    }
    say("%u processes did their work: %u", rounds * CHILDREN, total);
    say_checksum(sum);
    return 0;
}
