/* hostile-lrsc.c - tries to keep a reservation across a trap.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: refused
 *
 * LR reserves a word, SC stores only if nobody was there in between. Whoever
 * runs in between, a trap handler, the hypervisor, another VM, must end the
 * reservation, or an SC succeeds on a value that is no longer there. On this
 * machine any trap does. What must happen: SC after a trap, without LR, or
 * elsewhere fails and stores nothing; a pair with nothing between works. */
#include "hostile/lib/hostile.h"

static volatile uint32_t *const word = &page[0][0];

static uint32_t load_reserved(void)
{
    uint32_t val;

    __asm__ volatile("lr.w %0, (%1)" : "=r"(val) : "r"(word) : "memory");
    return val;
}

/* 0 if it stored. */
static uint32_t store_conditional(volatile uint32_t *to, uint32_t val)
{
    uint32_t failed;

    __asm__ volatile("sc.w %0, %1, (%2)"
                     : "=&r"(failed)
                     : "r"(val), "r"(to)
                     : "memory");
    return failed;
}

static void illegal(uint32_t unused)
{
    (void)unused;
    load_reserved();
    __asm__ volatile(".word 0" ::: "memory");
}

static void faulting(uint32_t va)
{
    load_reserved();
    *word_at(va) = 1;
}

static void refused(const char *what)
{
    check(store_conditional(word, 0xbad) != 0, what);
    check(*word == 1, what);
}

void attack(void)
{
    *word = 1;
    refused("sc without lr");
    load_reserved();
    check(store_conditional(&page[1][0], 0xbad) != 0, "sc elsewhere");
    check(page[1][0] == 0, "sc elsewhere");
    refused("a second sc");
    attempt(illegal, 0);
    refused("after an illegal instruction");
    attempt(faulting, 0);
    refused("after an access fault");
    load_reserved();
    sbi_call(SBI_EXT_BASE, 0, 0, 0, 0, 0);
    refused("after a call");
    load_reserved();
    uint32_t val = user_base;
    user_can_load(val, &val);
    refused("after user mode");
    for (int i = 0; i < 100; i++) { /* the first may meet the timer */
        uint32_t old = load_reserved();

        if (store_conditional(word, 2) == 0) {
            check(old == 1 && *word == 2, "lr and sc");
            return;
        }
    }
    breach("lr and sc never succeed");
}
