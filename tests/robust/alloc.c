/* alloc.c - the memory of a core whose n-th request for more fails: what the
 * core calls malloc, calloc, realloc and free, since it was compiled so. */
#include "alloc.h"
#include <stddef.h>
#undef malloc
#undef calloc
#undef realloc
#undef free
#include <stdlib.h>

static uint64_t calls, fail_at;
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

void *alloc_malloc(size_t size)
{
    void *block = fails() ? NULL : malloc(size);

    blocks += block != NULL;
    return block;
}

void *alloc_calloc(size_t n, size_t size)
{
    void *block = fails() ? NULL : calloc(n, size);

    blocks += block != NULL;
    return block;
}

void *alloc_realloc(void *old, size_t size)
{
    void *block = fails() ? NULL : realloc(old, size);

    blocks += block && !old;
    return block;
}

void alloc_free(void *block)
{
    blocks -= block != NULL;
    free(block);
}
