/* image_pages.c - guest memory: a map of runs, and each content once.
 *
 * The map has all guest frames in order, in runs: never touched (or in the
 * balloon), all zero, or with contents, which are numbers of pages in section
 * DATA; the frames of a run have numbers that follow each other. Pages that are
 * equal are written once, whoever shares them now: whether frames are shared is
 * the host's affair, and a VM that is restored shares none. Only in the image of
 * a host a frame that is shared is a content of its own, and marked. */
#include "api/image.h"
#include <stdlib.h>
#include <string.h>

/* --- finding equal contents ------------------------------------------------- */

struct contents {
    const uint8_t **page; /* by number */
    uint32_t       *next; /* ... the one behind it in its chain */
    uint32_t       *head; /* by hash */
    uint32_t        n, room;
    bool            with_others; /* mark what is shared */
};

#define NO_PAGE UINT32_MAX

struct contents *contents_new(uint32_t room, bool with_others)
{
    struct contents *c = calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    *c = (struct contents){ .room = room, .with_others = with_others };
    c->page = (const uint8_t **)calloc(room, sizeof(const uint8_t *));
    c->next = malloc(room * sizeof(uint32_t));
    c->head = malloc(room * sizeof(uint32_t));
    for (uint32_t i = 0; c->head && i < room; i++)
        c->head[i] = NO_PAGE;
    if (c->page && c->next && c->head)
        return c;
    contents_free(c);
    return NULL;
}

void contents_free(struct contents *c)
{
    if (!c)
        return;
    free((void *)c->page);
    free(c->next);
    free(c->head);
    free(c);
}

static uint32_t hash_page(const uint8_t *page)
{
    uint32_t hash = 0x811c9dc5;

    for (uint32_t i = 0; i < PAGE_SIZE; i++)
        hash = (hash ^ page[i]) * 0x01000193;
    return hash;
}

/* Its number: that of an equal page, or, for a frame that is `shared`, of that
 * very frame. */
static uint32_t content_of(struct contents *c, const uint8_t *page, bool shared)
{
    uint32_t *head = &c->head[hash_page(page) % c->room];

    for (uint32_t i = *head; i != NO_PAGE; i = c->next[i])
        if (c->page[i] == page ||
            (!shared && memcmp(c->page[i], page, PAGE_SIZE) == 0))
            return i;
    c->page[c->n] = page;
    c->next[c->n] = *head;
    *head = c->n;
    return c->n++;
}

/* --- to write --------------------------------------------------------------- */

/* As a run of one. */
static struct image_run look(hv_host *host, const struct vm *vm, uint32_t i,
                             struct contents *contents)
{
    static const uint8_t zeros[PAGE_SIZE];
    uint32_t             state = vm->p2m.state[i];
    bool                 shared = state & P2M_SHARED && contents->with_others;

    if (!shared)
        state &= ~(uint32_t)P2M_SHARED;
    struct image_run run = { .count = 1, .what = RUN_ABSENT | state << 8 };

    if (vm->p2m.hfn[i] == NO_FRAME)
        return run;
    const uint8_t *page = machine_ram(host->machine,
                                      vm->p2m.hfn[i] << PAGE_SHIFT);
    if (!shared && memcmp(page, zeros, PAGE_SIZE) == 0) {
        run.what |= RUN_ZERO;
    } else {
        run.what |= RUN_DATA;
        run.index = content_of(contents, page, shared);
    }
    return run;
}

static void put_run(struct hv_image *to, struct image_run run)
{
    if (!run.count)
        return;
    put_uint32(to, run.count);
    put_uint32(to, run.what);
    put_uint32(to, run.index);
}

void map_put(struct hv_image *to, hv_host *host, const struct vm *vm,
             struct contents *contents)
{
    struct image_run run = { .count = 0 };
    size_t           section = image_begin(to, "MAP ");

    for (uint32_t i = 0; i < vm->p2m.count; i++) {
        struct image_run one = look(host, vm, i, contents);
        uint32_t next = run.index + (run_kind(run) == RUN_DATA ? run.count : 0);

        if (run.count && run.what == one.what && one.index == next) {
            run.count++;
        } else {
            put_run(to, run);
            run = one;
        }
    }
    put_run(to, run);
    image_end(to, section);
}

void data_put(struct hv_image *to, const struct contents *contents)
{
    size_t section = image_begin(to, "DATA");

    for (uint32_t i = 0; i < contents->n; i++)
        put_bytes(to, contents->page[i], PAGE_SIZE);
    image_end(to, section);
}

bool pages_put(struct hv_image *to, hv_host *host, const struct vm *vm)
{
    struct contents *contents = contents_new(vm->p2m.count, false);

    if (!contents)
        return false;
    map_put(to, host, vm, contents);
    data_put(to, contents);
    contents_free(contents);
    return true;
}

/* --- to read ---------------------------------------------------------------- */

struct image_run run_get(struct image_in *map)
{
    struct image_run run = { .count = get_uint32(map) };

    run.what = get_uint32(map);
    run.index = get_uint32(map);
    return run;
}

/* marker: run-ok */
/* May this run stand where `left` frames and `pages` contents are there? */
static bool run_ok(const struct image *image, struct image_run run,
                   uint32_t left, uint32_t pages)
{
    uint32_t state = run_state(run);

    if (run.count < 1 || run.count > left || run_kind(run) >= NR_RUN_KINDS ||
        (state & ~(uint32_t)(P2M_CLEAN | P2M_GONE | P2M_SHARED)))
        return false;
    if ((state & P2M_SHARED) &&
        (!image->with_others || run_kind(run) != RUN_DATA))
        return false;
    if ((state & P2M_GONE) &&
        (state != P2M_GONE || run_kind(run) != RUN_ABSENT))
        return false; /* in the balloon, it has no content and is not clean */
    if ((state & P2M_CLEAN) && !image->vm.logging)
        return false;
    if (run_kind(run) != RUN_DATA)
        return run.index == 0;
    return run.count <= pages && run.index <= pages - run.count;
}
/* marker: end */

bool pages_check(struct image *image, uint32_t most, struct image_why why)
{
    struct image_in map = image->map;
    uint32_t        left = image->vm.mem_size / PAGE_SIZE;
    size_t          pages = image->data.left / PAGE_SIZE;
    bool            ok = image->data.left % PAGE_SIZE == 0 && pages <= most;

    image->populated = image->gone = 0;
    while (ok && left) {
        struct image_run run = run_get(&map);

        ok = !map.cut && run_ok(image, run, left, (uint32_t)pages);
        if (!ok)
            break;
        left -= run.count;
        image->gone += run_state(run) & P2M_GONE ? run.count : 0;
        image->populated += run_kind(run) == RUN_ABSENT ? 0 : run.count;
    }
    if (ok && map.left == 0)
        return true;
    host_say(why.text, why.n, "its map of memory is none");
    return false;
}

bool pages_has(const struct image *image, uint32_t gfn)
{
    struct image_in map = image->map;
    uint32_t        index = gfn - (RAM_BASE >> PAGE_SHIFT);

    if (index >= image->vm.mem_size / PAGE_SIZE)
        return false;
    for (;;) {
        struct image_run run = run_get(&map);

        if (index < run.count)
            return run_kind(run) != RUN_ABSENT &&
                   !(run_state(run) & P2M_SHARED);
        index -= run.count;
    }
}

/* marker: fill-shared */
/* A frame that others have, too: the first of them makes it. */
static bool fill_shared(struct vm *vm, gfn_t gfn, uint32_t *shared)
{
    hfn_t hfn;

    if (*shared != NO_FRAME) {
        p2m_adopt(vm, gfn, (hfn_t){ *shared });
        return true;
    }
    if (!p2m_lookup(vm, gfn, &hfn) || !p2m_share(vm, NULL, gfn))
        return false;
    *shared = hfn.raw;
    return true;
}
/* marker: end */

static bool fill_one(struct vm *vm, const struct image *image, uint32_t index,
                     struct image_run run, uint32_t *shared)
{
    gfn_t gfn = { vm->p2m.first + index };
    hfn_t hfn;

    if (run_state(run) & P2M_GONE)
        p2m_give(vm, NULL, &gfn.raw, 1);
    if (run_kind(run) == RUN_ABSENT)
        return true;
    bool share = shared && run_state(run) & P2M_SHARED;
    if (share && shared[run.index] != NO_FRAME)
        return fill_shared(vm, gfn, &shared[run.index]);
    if (p2m_populate(vm, NULL, gfn, &hfn) != P2M_OK)
        return false;
    if (run_kind(run) == RUN_DATA)
        hal_write(vm->hyp->hal, hfn_base(hfn),
                  image->data.at + (size_t)run.index * PAGE_SIZE, PAGE_SIZE);
    return !share || fill_shared(vm, gfn, &shared[run.index]);
}

bool pages_fill(struct vm *vm, const struct image *image, uint32_t *shared)
{
    struct image_in map = image->map;
    uint32_t        index = 0;

    while (index < vm->p2m.count) {
        struct image_run run = run_get(&map);

        for (uint32_t i = 0; i < run.count; i++, run.index++)
            if (!fill_one(vm, image, index++, run, shared))
                return false;
    }
    return true;
}
