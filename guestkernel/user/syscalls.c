/* syscalls.c - system calls that do nothing.
 *
 * The cost it shows is the way into the kernel and out again. Where the guest's
 * kernel has the privilege that it believes to have, no hypervisor notices.
 * Where it has not, each call is reflected into it, and each privileged
 * instruction on the way (or the hypercall instead of them) is an exit too. */
#include "user/lib/user.h"

#define CALLS 4000

int main(const char *args)
{
    uint32_t calls = CALLS * words_number(args, "scale", 1), sum = 0;
    int      pid = getpid();

    for (uint32_t i = 0; i < calls; i++) {
        if (getpid() != pid)
            fail("call %u gave another pid", i);
        sum = mix(sum, i);
    }
    say("%u system calls", calls);
    say_checksum(sum);
    return 0;
}
