/* marks.c - marks of a machine: made, gone back to, dropped. */
#include "machine/marks.h"
#include "machine/internal.h"
#include <stdlib.h>
#include <string.h>

struct marks *marks_new(uint32_t frames)
{
    struct marks *marks = calloc(1, sizeof(*marks));

    if (!marks)
        return NULL;
    marks->nr_frames = frames;
    marks->next_id = 1;
    marks->arena = arena_new();
    marks->touched = malloc(frames);
    marks->written = malloc(frames * sizeof(*marks->written));
    if (!marks->arena || !marks->touched || !marks->written) {
        marks_free(marks);
        return NULL;
    }
    memset(marks->touched, TOUCH_DONE, frames);
    return marks;
}

/* --- pages ---------------------------------------------------------------- */

static uint8_t *page_new(struct marks *marks)
{
    struct spare_page *page = marks->spare;

    if (!page)
        return malloc(PAGE_SIZE);
    marks->spare = page->next;
    return (void *)page;
}

static void page_put(struct marks *marks, uint8_t *bytes)
{
    struct spare_page *page = (void *)bytes;

    page->next = marks->spare;
    marks->spare = page;
}

static void pages_free(struct marks *marks)
{
    while (marks->spare)
        free(page_new(marks));
}

static void pages_put(struct marks *marks, struct mark *mark)
{
    for (uint32_t i = 0; i < mark->nr_pages; i++)
        page_put(marks, mark->page[i].bytes);
    mark->nr_pages = 0;
}

/* Room for one more. False: no memory, and all as it was. */
static bool mark_grow(struct mark *mark)
{
    if (mark->nr_pages < mark->cap)
        return true;
    uint32_t           cap = mark->cap ? 2 * mark->cap : 16;
    struct saved_page *page = realloc(mark->page, cap * sizeof(*page));
    if (!page)
        return false;
    mark->page = page;
    mark->cap = cap;
    return true;
}

static bool page_save(struct marks *marks, struct mark *mark, uint32_t frame,
                      const uint8_t *ram)
{
    uint8_t *bytes = mark_grow(mark) ? page_new(marks) : NULL;

    if (!bytes)
        return false;
    memcpy(bytes, ram, PAGE_SIZE);
    mark->page[mark->nr_pages++] = (struct saved_page){ frame, bytes };
    return true;
}

/* marker: touch */
/* A write cannot be refused for want of memory to remember what was there. So
 * it is the marks that are lost then: nobody can go back to one. */
void marks_touch(struct machine *m, uint32_t frame)
{
    struct marks *marks = m->marks;
    struct mark  *last = &marks->mark[marks->nr_marks - 1];
    uint8_t       done = marks->touched[frame];

    if (!(done & TOUCH_LISTED))
        marks->written[marks->nr_written++] = frame;
    if (!(done & TOUCH_SAVED) && !marks->lost &&
        !page_save(marks, last, frame, m->ram + (size_t)frame * PAGE_SIZE))
        marks->lost = true;
    marks->touched[frame] = TOUCH_DONE;
}
/* marker: end */

/* The next store to any page comes by ram_touch(). */
static void drop_store_shortcuts(struct machine *m)
{
    for (uint32_t id = 0; id < m->config.nr_harts; id++)
        memset(m->hart[id].tlb.host[ACCESS_STORE], 0,
               sizeof(m->hart[id].tlb.host[ACCESS_STORE]));
}

static void forget_written(struct marks *marks)
{
    for (uint32_t i = 0; i < marks->nr_written; i++)
        marks->touched[marks->written[i]] &= (uint8_t)~TOUCH_LISTED;
    marks->nr_written = 0;
}

static void set_saved(struct marks *marks, const struct mark *mark, bool saved)
{
    for (uint32_t i = 0; i < mark->nr_pages; i++) {
        uint8_t *touched = &marks->touched[mark->page[i].frame];

        *touched = saved ? *touched | TOUCH_SAVED
                         : *touched & (uint8_t)~TOUCH_SAVED;
    }
}

/* --- marks ---------------------------------------------------------------- */

/* Pages of the last mark are those that need not be kept. */
static void watch_from_here(struct machine *m)
{
    struct marks *marks = m->marks;

    if (marks->nr_marks)
        set_saved(marks, &marks->mark[marks->nr_marks - 1], false);
    else
        memset(marks->touched, 0, marks->nr_frames);
    forget_written(marks);
    drop_store_shortcuts(m);
}

bool machine_mark(struct machine *m, uint32_t *id)
{
    struct marks            *marks = m->marks;
    uint32_t                 n = marks->nr_marks;
    const struct arena_copy *last = n ? marks->mark[n - 1].copy : NULL;

    if (n == marks->cap) {
        uint32_t     cap = n ? 2 * n : 4;
        struct mark *grown = realloc(marks->mark, cap * sizeof(*grown));

        if (!grown)
            return false;
        marks->mark = grown;
        marks->cap = cap;
    }
    arena_matters(marks->arena, m->console.bytes, m->console.len);
    struct arena_copy *copy = marks->lost ? NULL
                                          : arena_save(marks->arena, last);
    if (!copy)
        return false;
    watch_from_here(m);
    marks->mark[n] = (struct mark){ .id = marks->next_id++, .copy = copy };
    marks->nr_marks++;
    *id = marks->mark[n].id;
    return true;
}

static struct mark *mark_of(const struct marks *marks, uint32_t id)
{
    for (uint32_t i = marks->nr_marks; i-- > 0;)
        if (marks->mark[i].id == id)
            return &marks->mark[i];
    return NULL;
}

/* marker: put-back */
/* Put a page back; of what was decoded from it, all that lies between the first
 * and the last byte that differs is forgotten. */
static void page_restore(struct machine *m, const struct saved_page *page)
{
    uint8_t *ram = m->ram + (size_t)page->frame * PAGE_SIZE;
    uint32_t first = 0, end = PAGE_SIZE;

    if (!m->engine->ram_written) {
        memcpy(ram, page->bytes, PAGE_SIZE);
        return;
    }
    while (first < end && memcmp(ram + first, page->bytes + first, 64) == 0)
        first += 64;
    while (end > first &&
           memcmp(ram + end - 64, page->bytes + end - 64, 64) == 0)
        end -= 64;
    if (first == end)
        return;
    memcpy(ram + first, page->bytes + first, end - first);
    m->engine->ram_written(m, RAM_BASE + page->frame * PAGE_SIZE + first,
                           end - first);
}
/* marker: end */

static void mark_free(struct marks *marks, struct mark *mark)
{
    pages_put(marks, mark);
    free(mark->page);
    arena_drop(marks->arena, mark->copy);
}

static void drop_shortcuts(struct machine *m)
{
    for (uint32_t id = 0; id < m->config.nr_harts; id++)
        memset(m->hart[id].tlb.host, 0, sizeof(m->hart[id].tlb.host));
}

/* marker: lab-marks-reset */
enum mark_status machine_reset(struct machine *m, uint32_t id)
{
    struct marks *marks = m->marks;
    struct mark  *to = mark_of(marks, id);

    if (!to)
        return MARK_UNKNOWN;
    if (marks->lost)
        return MARK_LOST;
    set_saved(marks, &marks->mark[marks->nr_marks - 1], false);
    forget_written(marks);
    for (struct mark *mark = &marks->mark[marks->nr_marks - 1];; mark--) {
        for (uint32_t i = 0; i < mark->nr_pages; i++)
            page_restore(m, &mark->page[i]);
        if (mark == to)
            break;
        mark_free(marks, mark);
        marks->nr_marks--;
    }
    pages_put(marks, to);
    arena_restore(marks->arena, to->copy);
    drop_shortcuts(m); /* those of the copy lead anywhere */
    return MARK_OK;
}
/* marker: end */

/* Who goes back further than `mark` needs its pages, too, but for those that
 * the mark before it has already. */
static bool merge_pages(struct marks *marks, struct mark *before,
                        struct mark *mark)
{
    bool *has = calloc(marks->nr_frames, sizeof(*has));
    bool  ok = true;

    if (!has)
        return false;
    for (uint32_t i = 0; i < before->nr_pages; i++)
        has[before->page[i].frame] = true;
    for (uint32_t i = mark->nr_pages; ok && i-- > 0; mark->nr_pages--) {
        struct saved_page page = mark->page[i];

        if (has[page.frame]) {
            page_put(marks, page.bytes);
            continue;
        }
        ok = mark_grow(before);
        if (!ok)
            break;
        before->page[before->nr_pages++] = page;
    }
    free(has);
    return ok;
}

static void stop_watching(struct marks *marks)
{
    memset(marks->touched, TOUCH_DONE, marks->nr_frames);
    marks->nr_written = 0;
    marks->lost = false;
    pages_free(marks);
}

enum mark_status machine_mark_drop(struct machine *m, uint32_t id)
{
    struct marks *marks = m->marks;
    struct mark  *mark = mark_of(marks, id);

    if (!mark)
        return MARK_UNKNOWN;
    uint32_t left = (uint32_t)(&marks->mark[marks->nr_marks] - mark) - 1;
    if (mark > marks->mark && !merge_pages(marks, mark - 1, mark))
        marks->lost = true;
    mark_free(marks, mark);
    memmove(mark, mark + 1, left * sizeof(*mark));
    marks->nr_marks--;
    if (marks->nr_marks == 0)
        stop_watching(marks);
    else if (left == 0)
        set_saved(marks, &marks->mark[marks->nr_marks - 1], true);
    return MARK_OK;
}

bool machine_written(struct machine *m, uint32_t *frames, uint32_t max,
                     uint32_t *count)
{
    struct marks *marks = m->marks;

    if (marks->nr_marks == 0)
        return false;
    *count = marks->nr_written;
    for (uint32_t i = 0; i < max && i < marks->nr_written; i++)
        frames[i] = RAM_BASE / PAGE_SIZE + marks->written[i];
    if (marks->nr_written && marks->nr_written <= max) {
        forget_written(marks);
        drop_store_shortcuts(m);
    }
    return true;
}

struct arena *machine_arena(struct machine *m)
{
    return m->marks->arena;
}

void marks_free(struct marks *marks)
{
    while (marks->nr_marks)
        mark_free(marks, &marks->mark[--marks->nr_marks]);
    pages_free(marks);
    free(marks->mark);
    free(marks->touched);
    free(marks->written);
    arena_free(marks->arena);
    free(marks);
}
