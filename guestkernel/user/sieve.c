/* sieve.c - the sieve of Eratosthenes: nothing but user-mode instructions. */
#include "user/lib/user.h"

#define PER_SCALE 100000

int main(const char *args)
{
    uint32_t scale = words_number(args, "scale", 1), count = 0, sum = 0;
    uint32_t limit = PER_SCALE * scale;
    uint8_t *composite = sbrk((int)limit);

    if (composite == SBRK_FAILED)
        fail("no memory for %u numbers", limit);

    for (uint32_t n = 2; n < limit; n++) {
        if (composite[n])
            continue;
        count++;
        sum = mix(sum, n);
        for (uint32_t m = n * n; n < 0x10000 && m < limit; m += n)
            composite[m] = 1;
    }
    say("primes below %u: %u", limit, count);
    say_checksum(sum);
    return 0;
}
