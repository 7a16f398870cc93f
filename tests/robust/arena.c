/* arena.c - in place of the machine's arena: every block is a request of its
 * own, so that each can fail, and has junk behind it. There are no copies. */
#include "machine/arena.h"
#include <stdlib.h>
#include <string.h>

struct held {
    _Alignas(16) struct held *next;
    struct held **link;
    size_t        size;
};

struct arena { struct held *first; };

struct arena *arena_new(void)
{
    return calloc(1, sizeof(struct arena));
}

void arena_release(struct arena *arena, void *block)
{
    (void)arena;
    if (!block)
        return;
    struct held *held = (struct held *)block - 1;
    *held->link = held->next;
    if (held->next)
        held->next->link = held->link;
    free(held);
}

void arena_free(struct arena *arena)
{
    while (arena && arena->first)
        arena_release(arena, arena->first + 1);
    free(arena);
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct held *held = malloc(sizeof(*held) + size);

    if (!held)
        return NULL;
    *held = (struct held){
        .next = arena->first,
        .link = &arena->first,
        .size = size,
    };
    if (held->next)
        held->next->link = &held->next;
    arena->first = held;
    return held + 1;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *block = arena_alloc(arena, size);

    return block ? memset(block, 0, size) : NULL;
}

void *arena_resize(struct arena *arena, void *block, size_t size)
{
    void *more = arena_alloc(arena, size);

    if (more && block) {
        size_t had = ((struct held *)block - 1)->size;

        memcpy(more, block, had < size ? had : size);
        arena_release(arena, block);
    }
    return more;
}

size_t arena_in_use(const struct arena *arena)
{
    size_t sum = 0;

    for (const struct held *held = arena->first; held; held = held->next)
        sum += held->size;
    return sum;
}

void arena_matters(struct arena *arena, const void *block, size_t size)
{
    (void)arena;
    (void)block;
    (void)size;
}

struct arena_copy *arena_save(struct arena            *arena,
                              const struct arena_copy *last)
{
    (void)arena;
    (void)last;
    return NULL;
}

void arena_restore(struct arena *arena, const struct arena_copy *copy)
{
    (void)arena;
    (void)copy;
}

void arena_drop(struct arena *arena, struct arena_copy *copy)
{
    (void)arena;
    (void)copy;
}
