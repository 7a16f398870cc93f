/* alloc.c - the memory of a core whose n-th request for more fails: what the
 * core calls malloc, calloc, realloc and free, since it was compiled so. */
#include "alloc.h"
#include <stddef.h>
#undef malloc
#undef calloc
#undef realloc
#undef free
#include <stdlib.h>
#include <string.h>

static uint64_t calls, fail_at, broken;
static int64_t  blocks;

void alloc_fail_at(uint64_t n)
{
    calls = 0;
    fail_at = n;
}

uint64_t alloc_calls(void)
{
    return calls;
}

int64_t alloc_blocks(void)
{
    return blocks;
}

static int fails(void)
{
    return ++calls == fail_at;
}

/* Before a block is its size; behind it, what nobody may read or write: junk
 * that leads a reader astray, and is still there when the block is freed. Half of
 * the blocks have the opposite bits there, since some tell a reader to go. */
#define FRONT 16
#define GUARD 64
#define JUNK  0xa5

static uint8_t *front_of(void *block)
{
    return (uint8_t *)block - FRONT;
}

static size_t size_of(void *block)
{
    size_t size;

    memcpy(&size, front_of(block), sizeof(size));
    return size;
}

static uint8_t junk_of(void *block)
{
    return front_of(block)[sizeof(size_t)];
}

static void *give(uint8_t *front, size_t size)
{
    static uint8_t junk = JUNK;

    if (!front)
        return NULL;
    blocks++;
    junk = (uint8_t)~junk;
    memcpy(front, &size, sizeof(size));
    front[sizeof(size)] = junk;
    memset(front + FRONT + size, junk, GUARD);
    return front + FRONT;
}

uint64_t alloc_broken(void)
{
    return broken;
}

void *alloc_malloc(size_t size)
{
    return give(fails() ? NULL : malloc(FRONT + size + GUARD), size);
}

/* One that is large is pages that the computer need not have yet. */
void *alloc_calloc(size_t n, size_t size)
{
    return give(fails() ? NULL : calloc(1, FRONT + n * size + GUARD), n * size);
}

void *alloc_realloc(void *old, size_t size)
{
    void *block = alloc_malloc(size);

    if (block && old) {
        memcpy(block, old, size_of(old) < size ? size_of(old) : size);
        alloc_free(old);
    }
    return block;
}

void alloc_free(void *block)
{
    if (!block)
        return;
    const uint8_t *guard = (uint8_t *)block + size_of(block);
    for (int i = 0; i < GUARD; i++)
        broken += guard[i] != junk_of(block);
    blocks--;
    free(front_of(block));
}
