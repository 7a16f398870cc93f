/* compute.c - nothing but arithmetic, in registers and in one page.
 *
 * The cost it shows is none: unprivileged instructions run at full speed in
 * every style, which is what sets a hypervisor apart from an emulator. What
 * remains is starting, ending and the timer. */
#include "user/lib/user.h"

#define STEPS 160000
#define WORDS 64

int main(const char *args)
{
    uint32_t steps = STEPS * words_number(args, "scale", 1);
    uint32_t state = 1, sum = 0, words[WORDS] = { 0 };

    for (uint32_t i = 0; i < steps; i++) {
        state = state * 1664525 + 1013904223;
        words[state >> 26] += state / (i % 1000 + 1);
    }
    for (uint32_t i = 0; i < WORDS; i++)
        sum = mix(sum, words[i]);
    say("%u steps", steps);
    say_checksum(sum);
    return 0;
}
