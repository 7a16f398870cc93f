/* covert.c - two guests that talk by when they run: one sends, one listens.
 *
 * styles: bare, emulate, assist, nested, pv, direct
 * expect: contained
 *
 * Whoever makes the VM writes a plan to PLAN. Time is cut into windows. In each
 * the sender does one of two things over and over, as the next bit of its
 * message says; the listener counts how often it gets round a loop. They share no
 * page and no device: what the listener counts depends on the sender by the
 * schedule, or not at all. Without a plan it sends nothing, for ever. */
#include "hostile/lib/hostile.h"

#define PLAN             0x80100000u
#define NR_PAGES_TOUCHED 512 /* behind it; the image lies further up */
#define NR_PIECES        4
#define NR_WINDOWS       256

enum role { SENDER, LISTENER };
enum kind { NOTHING, COMPUTE, SLEEP, CALL, TOUCH, FENCE };

struct piece { uint32_t kind, count; };

/* As hv/covert.py writes and reads it. */
struct plan {
    uint32_t     role;
    uint32_t     window; /* ticks of `time` */
    uint32_t     windows;
    struct piece piece[2][NR_PIECES];
    uint32_t     message[NR_WINDOWS / 32];
    uint32_t     heard[NR_WINDOWS];
};

static volatile struct plan *const plan = (volatile struct plan *)PLAN;

static uint32_t ticks(void)
{
    return csr_read("time"); /* enough for seven minutes */
}

/* Masked, or the timer may go off before the call that waits for it. */
static void sleep_for(uint32_t count)
{
    interrupts(false);
    timer_at(now() + count);
    if (paravirtual)
        hv_call(HCALL_block, 0, 0);
    else
        __asm__ volatile("wfi");
}

static void touch(uint32_t pages)
{
    for (uint32_t i = 0; i < pages; i++)
        *word_at(PLAN + (i % NR_PAGES_TOUCHED + 1) * PAGE_SIZE) = i;
}

static void play(uint32_t kind, uint32_t count)
{
    switch (kind) {
    case COMPUTE:
        for (volatile uint32_t i = 0; i < count; i++)
            ;
        break;
    case SLEEP:
        sleep_for(count);
        break;
    case CALL:
        for (uint32_t i = 0; i < count; i++)
            sbi_call(SBI_EXT_BASE, 0, 0, 0, 0, 0);
        break;
    case TOUCH:
        touch(count);
        break;
    case FENCE:
        for (uint32_t i = 0; i < count; i++)
            fence_all();
        break;
    default:
        break;
    }
}

/* All times are below 2^31 ticks. */
static bool before(uint32_t when)
{
    return (int32_t)(ticks() - when) < 0;
}

static void send(uint32_t window)
{
    uint32_t bit = plan->message[window / 32] >> window % 32 & 1;

    for (uint32_t i = 0; i < NR_PIECES; i++)
        play(plan->piece[bit][i].kind, plan->piece[bit][i].count);
}

static void listen(uint32_t window)
{
    plan->heard[window]++;
}

void attack(void)
{
    interrupts(true);
    interrupts(false); /* native: an interrupt ends a wait, and no more */
    while (plan->window == 0)
        sleep_for(1u << 20);
    while (before(plan->window)) /* the first one is for getting ready */
        ;
    for (uint32_t i = 0; i < plan->windows && i < NR_WINDOWS; i++)
        while (before((i + 2) * plan->window)) {
            if (plan->role == LISTENER)
                listen(i);
            else
                send(i);
        }
}
