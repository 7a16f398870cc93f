/* arena_copy.c - all bytes of an arena, copied and put back.
 *
 * A copy is cut into chunks, and a chunk that is as it was in the copy before
 * belongs to both. So many copies of an arena that changes little are small. */
#include "machine/arena.h"
#include "machine/arena_internal.h"
#include <stdlib.h>
#include <string.h>

#define CHUNK 4096

struct chunk {
    uint32_t refs, len;
    uint8_t  bytes[CHUNK];
};

struct segment_copy {
    struct segment segment; /* as it was; its bytes are in the chunks */
    struct chunk **chunk;
    size_t         nr_chunks;
};

struct arena_copy {
    struct arena_state  state;
    struct segment_copy segment[];
};

static void chunk_put(struct chunk *chunk)
{
    if (chunk && --chunk->refs == 0)
        free(chunk);
}

/* These bytes: the same chunk as before, if they are as before. NULL: no
 * memory. */
static struct chunk *chunk_of(const uint8_t *bytes, uint32_t len,
                              struct chunk *last)
{
    if (last && last->len == len && memcmp(last->bytes, bytes, len) == 0) {
        last->refs++;
        return last;
    }
    struct chunk *chunk = malloc(sizeof(*chunk));
    if (chunk) {
        chunk->refs = 1;
        chunk->len = len;
        memcpy(chunk->bytes, bytes, len);
    }
    return chunk;
}

/* False: no memory, and what is there so far is in the copy. */
static bool segment_save(struct segment_copy       *copy,
                         const struct segment      *segment,
                         const struct segment_copy *last)
{
    size_t left = segment->matters;
    size_t n = (left + CHUNK - 1) / CHUNK;

    copy->segment = *segment;
    if (n == 0)
        return true;
    copy->chunk = (struct chunk **)malloc(n * sizeof(*copy->chunk));
    if (!copy->chunk)
        return false;
    for (size_t i = 0; i < n; i++, left -= CHUNK) {
        uint32_t      len = left < CHUNK ? (uint32_t)left : CHUNK;
        struct chunk *old = last && i < last->nr_chunks ? last->chunk[i] : NULL;

        copy->chunk[i] = chunk_of(segment->bytes + i * CHUNK, len, old);
        if (!copy->chunk[i])
            return false;
        copy->nr_chunks++;
    }
    return true;
}

static void copy_free(struct arena_copy *copy)
{
    for (uint32_t i = 0; i < copy->state.nr_segments; i++) {
        for (size_t j = 0; j < copy->segment[i].nr_chunks; j++)
            chunk_put(copy->segment[i].chunk[j]);
        free((void *)copy->segment[i].chunk);
    }
    free(copy);
}

struct arena_copy *arena_save(struct arena            *arena,
                              const struct arena_copy *last)
{
    uint32_t           n = arena->now.nr_segments;
    struct arena_copy *copy = calloc(1, sizeof(*copy) +
                                            n * sizeof(copy->segment[0]));
    bool               ok = true;

    if (!copy)
        return NULL;
    copy->state = arena->now;
    arena_reveal(arena);
    for (uint32_t i = 0; i < n && ok; i++)
        ok = segment_save(
            &copy->segment[i], &arena->segment[i],
            last && i < last->state.nr_segments ? &last->segment[i] : NULL);
    arena_hide(arena);
    if (!ok) {
        copy_free(copy);
        return NULL;
    }
    arena->nr_copies++;
    arena->pinned = n;
    return copy;
}

static void segment_restore(struct segment            *segment,
                            const struct segment_copy *copy)
{
    *segment = copy->segment;
    for (size_t i = 0; i < copy->nr_chunks; i++)
        memcpy(segment->bytes + i * CHUNK, copy->chunk[i]->bytes,
               copy->chunk[i]->len);
}

void arena_restore(struct arena *arena, const struct arena_copy *copy)
{
    uint32_t n = copy->state.nr_segments;

    arena_reveal(arena);
    for (uint32_t i = n; i < arena->now.nr_segments; i++)
        free(arena->segment[i].bytes);
    for (uint32_t i = 0; i < n; i++)
        segment_restore(&arena->segment[i], &copy->segment[i]);
    arena->now = copy->state;
    arena->pinned = n;
    arena_hide(arena);
}

void arena_drop(struct arena *arena, struct arena_copy *copy)
{
    copy_free(copy);
    if (--arena->nr_copies == 0) {
        arena->pinned = 0;
        arena_sweep(arena);
    }
}
