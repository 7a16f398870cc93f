/* arena_internal.h - what arena.c (blocks) and arena_copy.c share. */
#ifndef HV_MACHINE_ARENA_INTERNAL_H
#define HV_MACHINE_ARENA_INTERNAL_H

#include "machine/arena.h"
#include <stdbool.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif

/* In front of every block. */
struct block {
    _Alignas(16) uint32_t size; /* of its class; 0: a segment of its own */
    uint32_t      free;         /* 1: in its class's list of free ones */
    size_t        asked;        /* bytes that its owner has */
    struct block *next;         /* free: the next one of its class */
};

/* Sizes go up in steps of an eighth to a quarter: 40 classes to 32 KiB. */
#define NR_CLASSES   40
#define SMALL_MAX    (32u << 10)
#define SEGMENT_SIZE (64u << 10)

struct segment {
    uint8_t *bytes;
    size_t   size;
    size_t   used;    /* small blocks: cut so far; large: all of it */
    size_t   matters; /* at most `used` */
    bool     large, live;
};

/* What an arena is, apart from the bytes. */
struct arena_state {
    struct block *free[NR_CLASSES];
    uint32_t      nr_segments, current; /* blocks are cut from this one */
    size_t        in_use;
};

struct arena {
    struct arena_state now;
    struct segment    *segment;
    uint32_t           cap;
    /* Copies know the segments before this number: those stay. */
    uint32_t pinned, nr_copies;
};

/* Give back the segments of dead large blocks that no copy knows. */
void arena_sweep(struct arena *arena);

/* Under AddressSanitizer what is not a live block is poisoned, so that it finds
 * the owner who goes outside. Reveal all, to copy it; and hide it again. */
void arena_reveal(struct arena *arena);
void arena_hide(struct arena *arena);

#endif
