/* marks.h - a machine's past: what it takes to put it back to a mark.
 *
 * Two kinds of memory, two ways. RAM is large and has one door: before a page
 * is written for the first time after a mark, its old bytes are kept
 * (ram_touch(), which every writer of RAM calls first). All else is in the
 * arena, is small, and is written everywhere: it is copied at every mark.
 *
 *   mark 1 ......... mark 2 .............. now
 *     arena copy       arena copy
 *     pages as they    pages as they were
 *     were at 1, of    at 2, of those that
 *     those written    were written since
 *     before 2
 *
 * Going back to mark n puts back the pages of the marks from the last to n, in
 * this order, so that the oldest bytes win; and then n's copy of the arena.
 *
 * The fast engine stores through shortcuts past every door. It gets none for a
 * page before that is touched, and whoever makes pages untouched again drops
 * all shortcuts, which are no state of the machine. */
#ifndef HV_MACHINE_MARKS_H
#define HV_MACHINE_MARKS_H

#include "machine/arena.h"
#include "machine/machine.h"

/* Of each frame of RAM. */
#define TOUCH_SAVED  1 /* its bytes at the last mark are kept */
#define TOUCH_LISTED 2 /* it is among those written since last asked */
#define TOUCH_DONE   (TOUCH_SAVED | TOUCH_LISTED)

struct saved_page {
    uint32_t frame;
    uint8_t *bytes;
};

/* One that is free to be used again. */
struct spare_page { struct spare_page *next; };

struct mark {
    uint32_t           id;
    uint32_t           nr_pages, cap;
    struct saved_page *page;
    struct arena_copy *copy;
};

/* Nothing of it is in the arena, so it is not put back itself. */
struct marks {
    struct arena *arena;
    uint8_t      *touched; /* by frame; TOUCH_DONE while there are no marks */
    uint32_t     *written; /* frames, since last asked */
    uint32_t      nr_written, nr_frames;
    struct mark  *mark; /* oldest first */
    uint32_t      nr_marks, cap, next_id;
    bool          lost; /* there was no memory to keep a page */
    struct spare_page *spare;
};

struct marks *marks_new(uint32_t frames);
void marks_free(struct marks *marks);

/* A page that is not TOUCH_DONE is about to be written. */
void marks_touch(struct machine *m, uint32_t frame);

#endif
