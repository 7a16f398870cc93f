/* hostile-plic.c - interrupt sources and contexts that do not exist.
 *
 * styles: bare, emulate, assist, nested, pv
 * expect: refused
 *
 * Register numbers become array indices in a device model: a priority of
 * source 1023, the enable bits of context 15871, the claim of a hart that this
 * VM does not have (the class of XSA-317 and CVE-2013-1798: an index that
 * nobody checked). What must happen: what does not exist reads as zero and
 * keeps nothing, other widths are access faults, wild claims and completions
 * change nothing. */
#include "hostile/lib/hostile.h"

#define PRIORITY(n)  (PLIC_BASE + 4 * (n))
#define PENDING      (PLIC_BASE + 0x1000)
#define ENABLE(n)    (PLIC_BASE + 0x2000 + 0x80 * (n))
#define THRESHOLD(n) (PLIC_BASE + 0x200000 + 0x1000 * (n))
#define CLAIM(n)     (THRESHOLD(n) + 4)
#define NR_SOURCES   31
#define NR_CONTEXTS  2 /* one hart, two modes */

static void keeps(uint32_t at, uint32_t kept, const char *what)
{
    uint32_t val = 0;

    check(can_store(at, 4, 0xffffffff), what);
    check(can_load(at, 4, &val) && val == kept, what);
    check(can_store(at, 4, 0), what);
}

void attack(void)
{
    uint32_t val;

    for (uint32_t n = 1; n <= NR_SOURCES; n++)
        keeps(PRIORITY(n), 7, "a priority");
    keeps(PRIORITY(0), 0, "source 0");
    for (uint32_t n = NR_SOURCES + 1; n < 1024; n += 31)
        keeps(PRIORITY(n), 0, "a source that does not exist");
    keeps(ENABLE(1), 0xfffffffe, "enable bits");
    for (uint32_t n = NR_CONTEXTS; n < 512; n += 7) {
        keeps(ENABLE(n), 0, "the enable bits of nobody");
        keeps(THRESHOLD(n), 0, "the threshold of nobody");
        keeps(CLAIM(n), 0, "the claim of nobody");
    }
    keeps(THRESHOLD(1), 7, "a threshold");
    keeps(PENDING, 0, "pending bits, which are read-only");
    for (uint32_t n = 0; n < 40; n++)
        check(can_store(CLAIM(1), 4, n) && can_store(CLAIM(1), 4, ~n) &&
                  can_load(CLAIM(1), 4, &val) && val == 0,
              "a completion of nothing");
    for (uint32_t i = 0; i < 1500; i++) {
        uint32_t what = draw(), size = 1u << what % 3;
        uint32_t at = PLIC_BASE + (what >> 4) % PLIC_SIZE;

        at &= ~(size - 1);
        if (what & 0x80000000 ? !can_store(at, size, draw())
                              : !can_load(at, size, &val))
            check(size != 4 && fault.tval == at, "a narrow access");
    }
}
