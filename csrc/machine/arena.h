/* arena.h - the memory of this process that belongs to one machine and to what
 * its owner keeps beside it: blocks that stay where they are, and whose bytes
 * can be copied all at once and put back.
 *
 * Pointers between blocks are good again when the bytes are put back, since no
 * block ever moves. So one copy of all bytes is a copy of every structure, and
 * nobody has to know what is in them. Small blocks are cut from segments, and
 * freed ones are used again by size; a large block is a segment of its own. */
#ifndef HV_MACHINE_ARENA_H
#define HV_MACHINE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct arena_copy;

/* NULL: no memory. Free gives every block back, live or not. */
struct arena *arena_new(void);
void arena_free(struct arena *arena);

/* Aligned for anything; NULL if there is no memory. Zeroed, or undefined. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
/* As realloc(): NULL leaves the old block as it was. */
void *arena_resize(struct arena *arena, void *block, size_t size);
void arena_release(struct arena *arena, void *block); /* NULL: nothing */

/* Bytes in live blocks. */
size_t arena_in_use(const struct arena *arena);

/* Of this block, only so many bytes are worth copying from now on. */
void arena_matters(struct arena *arena, const void *block, size_t size);

/* Copy everything; NULL: no memory. What is still as in `last`, an earlier
 * copy or NULL, is kept once for both. */
struct arena_copy *arena_save(struct arena            *arena,
                              const struct arena_copy *last);
/* Put everything back. Later copies are then worth nothing, and are to be
 * dropped. */
void arena_restore(struct arena *arena, const struct arena_copy *copy);
void arena_drop(struct arena *arena, struct arena_copy *copy);

#endif
