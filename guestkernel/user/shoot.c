/* shoot.c - threads whose memory is mapped elsewhere, or nowhere, under them.
 *
 * The cost it shows is that of a change to page tables which another hart uses
 * too: that one has to be interrupted, and has to forget (a "TLB shootdown").
 *
 * One thread flips two pages and then says so; the others must see, where the
 * first page was, what was written to the second before. One that was not told
 * sees the old page and ends with STALE. At the end, a page is taken away from
 * under a thread that does nothing but read it: it must fault. */
#include "user/lib/user.h"

#define PAGE    4096
#define READERS 3
#define ROUNDS  40
#define STALE   1
#define GONE    (STATUS_FAULT + 13) /* a load page fault */
#define CONTENT 7

static uint32_t published;     /* the round that everybody must see */
static uint32_t seen[READERS]; /* the last one that each has seen */
static uint32_t rounds, started;

static volatile uint32_t *page_a, *page_b;

static char stacks[READERS + 1][1024] __attribute__((aligned(16)));

static uint32_t load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void store(uint32_t *word, uint32_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELEASE);
}

/* The page may be one round ahead of what was published, and never behind. */
static void reader(void *arg)
{
    uint32_t *last = arg;

    while (*last < rounds) {
        uint32_t round = load(&published), found = *page_a;

        if (found - round > 1) {
            store(last, rounds);
            exit(STALE);
        }
        if (round == *last)
            yield();
        store(last, round);
    }
    exit(0);
}

/* What comes into the page after it was given back, is something else. */
static void victim(void *arg)
{
    const volatile uint32_t *word = arg;

    store(&started, *word);
    while (*word == CONTENT)
        ;
    exit(STALE);
}

static void start(void (*entry)(void *arg), void *arg, uint32_t n)
{
    if (thread(entry, arg, stacks[n] + sizeof(stacks[n])) < 0)
        fail("cannot start thread %u", n);
}

static void wait_for(const uint32_t *word, uint32_t value)
{
    while (load(word) < value)
        yield();
}

/* How many of the threads ended with that status. */
static uint32_t count_ended(uint32_t threads, int expected)
{
    uint32_t count = 0;
    int      status;

    while (threads-- > 0)
        if (wait(&status) > 0 && status == expected)
            count++;
    return count;
}

static void flip_pages(uint32_t round)
{
    *page_b = round;
    if (flip((void *)(uintptr_t)page_a, (void *)(uintptr_t)page_b, 1) < 0)
        fail("cannot flip in round %u", round);
    store(&published, round);
}

int main(const char *args)
{
    char    *heap = sbrk(3 * PAGE);
    uint32_t good;

    if (heap == SBRK_FAILED)
        fail("no memory for 3 pages");
    rounds = ROUNDS * words_number(args, "scale", 1);
    page_a = (volatile uint32_t *)(void *)heap;
    page_b = (volatile uint32_t *)(void *)(heap + PAGE);
    volatile uint32_t *page_c = (volatile uint32_t *)(void *)(heap + 2 * PAGE);
    *page_c = CONTENT;
    for (uint32_t n = 0; n < READERS; n++)
        start(reader, &seen[n], n);
    for (uint32_t round = 1; round <= rounds; round++) {
        flip_pages(round);
        for (uint32_t n = 0; n < READERS; n++)
            wait_for(&seen[n], round);
    }
    good = count_ended(READERS, 0);
    say("%u of %d threads saw each of %u pages", good, READERS, rounds);
    start(victim, (void *)(uintptr_t)page_c, READERS);
    wait_for(&started, CONTENT);
    sbrk(-PAGE);
    good += count_ended(1, GONE);
    if (good != READERS + 1)
        fail("a thread saw what was there before");
    say_checksum(mix(rounds, good));
    return 0;
}
