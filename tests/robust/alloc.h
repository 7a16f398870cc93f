/* alloc.h - see alloc.c. */
#ifndef HV_TESTS_ALLOC_H
#define HV_TESTS_ALLOC_H

#include <stddef.h>
#include <stdint.h>

/* Counting from here, the n-th request fails; 0: none does. */
void alloc_fail_at(uint64_t n);
uint64_t alloc_calls(void);
/* Blocks that were given and not taken back. */
int64_t alloc_blocks(void);
/* Bytes behind blocks that were written to, of those that were freed. */
uint64_t alloc_broken(void);

void *alloc_malloc(size_t size);
void *alloc_calloc(size_t n, size_t size);
void *alloc_realloc(void *old, size_t size);
void alloc_free(void *block);

#endif
