/* ping.c - does little but hand over the processor: yields and sleeps. */
#include "user/lib/user.h"

#define YIELDS 100
#define SLEEPS 5

int main(const char *args)
{
    uint32_t scale = words_number(args, "scale", 1), sum = 0;

    for (uint32_t i = 0; i < YIELDS * scale; i++) {
        yield();
        sum = mix(sum, i);
    }
    for (uint32_t i = 0; i < SLEEPS * scale; i++) {
        uint32_t before = uptime();

        sleep(2);
        if (uptime() - before < 2)
            fail("woke up too early");
        sum = mix(sum, i);
    }
    say("%u yields and %u sleeps", YIELDS * scale, SLEEPS * scale);
    say_checksum(sum);
    return 0;
}
