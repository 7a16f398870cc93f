/* leaf_check.h - what the harnesses share: one comparison, and the values at
 * which arithmetic goes wrong. */
#ifndef HV_TESTS_LEAF_CHECK_H
#define HV_TESTS_LEAF_CHECK_H

#include "leaf.h"

/* In a function of a `struct leaf *out` that returns bool. */
#define SAME(what_, want_, got_, a, b, c, d)                           \
    do {                                                               \
        uint64_t want__ = (uint64_t)(want_), got__ = (uint64_t)(got_); \
        out->cases++;                                                  \
        if (want__ != got__) {                                         \
            *out = (struct leaf){                                      \
                .cases = out->cases,                                   \
                .what = what_,                                         \
                .want = want__,                                        \
                .got = got__,                                          \
                .in = { (uint64_t)(a), (uint64_t)(b), (uint64_t)(c),   \
                        (uint64_t)(d) },                               \
            };                                                         \
            return false;                                              \
        }                                                              \
    } while (0)

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Both ends of the number circle, of a page, of RAM and of a register. */
static const uint32_t edges[] = {
    0,          1,          2,          3,          4,          7,
    0xfff,      0x1000,     0x1001,     0x1fff,     0x2000,     0x3ff000,
    0x3fffff,   0x400000,   0x3fffffff, 0x40000000, 0x40000001, 0x7ffff000,
    0x7ffffffc, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001, 0x80000002,
    0x80000fff, 0x80001000, 0x80001001, 0x80001fff, 0x80002000, 0x80002001,
    0xbffff000, 0xbfffffff, 0xc0000000, 0xc0000001, 0xffffe000, 0xffffefff,
    0xfffff000, 0xfffff001, 0xfffffffc, 0xfffffffd, 0xfffffffe, 0xffffffff,
};

#endif
