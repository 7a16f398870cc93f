/* arena.c - blocks: where they are cut from, and who gets a freed one. */
#include "machine/arena.h"
#include "machine/arena_internal.h"
#include <stdlib.h>
#include <string.h>

#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define POISON(at, n)   __asan_poison_memory_region(at, n)
#define UNPOISON(at, n) __asan_unpoison_memory_region(at, n)
#define REDZONE         32
#else
#define POISON(at, n)   ((void)(at), (void)(n))
#define UNPOISON(at, n) ((void)(at), (void)(n))
#define REDZONE         0
#endif

static void *payload(struct block *block)
{
    return block + 1;
}

static struct block *block_of(void *at)
{
    return (struct block *)at - 1;
}

/* Steps of 16 bytes up to 128; then four steps to each power of two. */
static uint32_t class_of(size_t size, uint32_t *rounded)
{
    uint32_t step = 16, class = 0;

    while (size > 8 * step) {
        step *= 2;
        class += 4;
    }
    uint32_t steps = size ? (uint32_t)((size + step - 1) / step) : 1;
    *rounded = steps * step;
    return class + steps - 1;
}

struct arena *arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    arena_reveal(arena);
    for (uint32_t i = 0; i < arena->now.nr_segments; i++)
        free(arena->segment[i].bytes);
    free(arena->segment);
    free(arena);
}

/* --- segments ------------------------------------------------------------- */

/* The number of a new one, or nr_segments as it is: no memory. */
static uint32_t segment_add(struct arena *arena, size_t size, bool large)
{
    uint32_t n = arena->now.nr_segments;

    if (n == arena->cap) {
        uint32_t        cap = n ? 2 * n : 16;
        struct segment *grown = realloc(arena->segment, cap * sizeof(*grown));

        if (!grown)
            return n;
        arena->segment = grown;
        arena->cap = cap;
    }
    uint8_t *bytes = malloc(size);
    if (!bytes)
        return n;
    POISON(bytes, size);
    arena->segment[n] = (struct segment){
        .bytes = bytes,
        .size = size,
        .large = large,
        .live = true,
    };
    arena->now.nr_segments++;
    return n;
}

void arena_sweep(struct arena *arena)
{
    struct arena_state *now = &arena->now;

    for (uint32_t i = now->nr_segments; i-- > arena->pinned;) {
        struct segment *segment = &arena->segment[i];

        if (segment->live)
            continue;
        UNPOISON(segment->bytes, segment->size);
        free(segment->bytes);
        *segment = arena->segment[--now->nr_segments];
        if (now->current == now->nr_segments)
            now->current = i;
    }
}

static struct segment *segment_of(struct arena *arena, const void *block)
{
    for (uint32_t i = 0; i < arena->now.nr_segments; i++)
        if (arena->segment[i].bytes == block)
            return &arena->segment[i];
    return NULL;
}

/* --- blocks --------------------------------------------------------------- */

/* A dead segment that a copy knows, but that nobody uses now. */
static struct segment *segment_again(struct arena *arena, size_t size)
{
    for (uint32_t i = 0; i < arena->now.nr_segments; i++) {
        struct segment *segment = &arena->segment[i];

        if (!segment->live && segment->size >= size &&
            segment->size / 2 <= size)
            return segment;
    }
    return NULL;
}

static struct block *large_new(struct arena *arena, size_t size)
{
    struct segment *segment;

    if (size > SIZE_MAX / 2)
        return NULL;
    size += sizeof(struct block) + REDZONE;
    segment = segment_again(arena, size);
    if (!segment) {
        uint32_t n = segment_add(arena, size, true);

        if (n == arena->now.nr_segments)
            return NULL;
        segment = &arena->segment[n];
    }
    segment->live = true;
    segment->used = segment->matters = size;
    UNPOISON(segment->bytes, sizeof(struct block));
    struct block *block = (void *)segment->bytes;
    block->size = 0;
    return block;
}

static struct block *small_cut(struct arena *arena, uint32_t rounded)
{
    size_t              size = sizeof(struct block) + rounded;
    struct arena_state *now = &arena->now;

    if (!now->nr_segments || arena->segment[now->current].large ||
        arena->segment[now->current].used + size > SEGMENT_SIZE) {
        uint32_t n = segment_add(arena, SEGMENT_SIZE, false);

        if (n == now->nr_segments)
            return NULL;
        now->current = n;
    }
    struct segment *segment = &arena->segment[now->current];
    struct block   *block = (void *)(segment->bytes + segment->used);
    segment->used += size;
    segment->matters = segment->used;
    UNPOISON(block, sizeof(*block));
    block->size = rounded;
    return block;
}

static struct block *small_new(struct arena *arena, size_t size)
{
    uint32_t rounded;
    uint32_t class = class_of(size + REDZONE, &rounded);
    struct block **list = &arena->now.free[class];
    struct block  *block = *list;

    if (!block)
        return small_cut(arena, rounded);
    *list = block->next;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct block *block = size + REDZONE > SMALL_MAX || size > SMALL_MAX
                              ? large_new(arena, size)
                              : small_new(arena, size);

    if (!block)
        return NULL;
    block->free = 0;
    block->asked = size;
    arena->now.in_use += size;
    UNPOISON(payload(block), size);
    return payload(block);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *block = arena_alloc(arena, size);

    if (block)
        memset(block, 0, size);
    return block;
}

void arena_release(struct arena *arena, void *at)
{
    uint32_t rounded;

    if (!at)
        return;
    struct block *block = block_of(at);
    arena->now.in_use -= block->asked;
    POISON(at, block->asked);
    if (block->size == 0) {
        struct segment *segment = segment_of(arena, block);

        segment->live = false;
        segment->matters = 0;
        arena_sweep(arena);
        return;
    }
    struct block **list = &arena->now.free[class_of(block->size, &rounded)];
    block->free = 1;
    block->next = *list;
    *list = block;
}

void *arena_resize(struct arena *arena, void *at, size_t size)
{
    void *grown = arena_alloc(arena, size);

    if (!grown || !at)
        return grown;
    size_t old = block_of(at)->asked;
    memcpy(grown, at, old < size ? old : size);
    arena_release(arena, at);
    return grown;
}

size_t arena_in_use(const struct arena *arena)
{
    return arena->now.in_use;
}

/* A small block is copied with its neighbours, whatever is in it. */
void arena_matters(struct arena *arena, const void *at, size_t size)
{
    if (!at || ((const struct block *)at - 1)->size != 0)
        return;
    struct segment *segment = segment_of(arena, (const struct block *)at - 1);

    segment->matters = sizeof(struct block) + size;
}

/* --- AddressSanitizer ------------------------------------------------------- */

void arena_reveal(struct arena *arena)
{
#ifdef ARENA_POISON
    for (uint32_t i = 0; i < arena->now.nr_segments; i++)
        UNPOISON(arena->segment[i].bytes, arena->segment[i].size);
#else
    (void)arena;
#endif
}

#ifdef ARENA_POISON
static void segment_hide(const struct segment *segment)
{
    size_t at = 0;

    while (at < segment->used && segment->live) {
        struct block *block = (void *)(segment->bytes + at);
        size_t        asked = block->free ? 0 : block->asked;
        size_t        size = segment->large ? segment->size - sizeof(*block)
                                            : block->size;

        POISON((uint8_t *)payload(block) + asked, size - asked);
        at += sizeof(*block) + size;
    }
    POISON(segment->bytes + at, segment->size - at);
}
#endif

void arena_hide(struct arena *arena)
{
#ifdef ARENA_POISON
    for (uint32_t i = 0; i < arena->now.nr_segments; i++)
        segment_hide(&arena->segment[i]);
#else
    (void)arena;
#endif
}
