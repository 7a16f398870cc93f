/* fast_page.c - decoded pages: made when entered, forgotten when written.
 *
 * They belong to frames of RAM, not to addresses, so changing tables, address
 * space or mode drops none of them. A page that is decoded has no shortcut for
 * stores in any hart's TLB; so every writer of it, hart or not, comes through
 * bus_ram_written() and ends here. */
#include "machine/fast.h"
#include <stdlib.h>
#include <string.h>

static void undecode(const struct fast *fast, struct fast_op *op)
{
    op->run = fast_handler(fast, OP_decode);
    op->code = OP_decode;
}

/* Drop the shortcuts of every hart that lead to [at, at + size). */
static void drop_shortcuts(struct machine *m, enum access access, uintptr_t at,
                           size_t size)
{
    for (uint32_t id = 0; id < m->config.nr_harts; id++) {
        struct tlb_host *host = m->hart[id].tlb.host[access];

        for (uint32_t i = 0; i < TLB_ENTRIES; i++) {
            uint32_t  va = (uint32_t)host[i].tag & ~(uint32_t)PAGE_MASK;
            uintptr_t to = host[i].at;

            if (access != ACCESS_FETCH)
                to += va;
            if (to - at < size)
                host[i].tag = 0;
        }
    }
}

static void page_drop(struct machine *m, struct fast_page *page)
{
    drop_shortcuts(m, ACCESS_FETCH, (uintptr_t)page->op, sizeof(page->op));
    m->fast->page[page->frame] = NULL;
    m->fast->nr_pages--;
    free(page);
}

static void page_drop_all(struct machine *m)
{
    for (uint32_t i = 0; m->fast->nr_pages; i++)
        if (m->fast->page[i])
            page_drop(m, m->fast->page[i]);
}

static struct fast_page *page_make(struct machine *m, uint32_t frame)
{
    struct fast      *fast = m->fast;
    struct fast_page *page = malloc(sizeof(*page));

    if (!page)
        return NULL;
    if (fast->nr_pages == FAST_MAX_PAGES)
        page_drop_all(m);
    memset(page, 0, sizeof(*page));
    page->frame = frame;
    for (uint32_t i = 0; i < PAGE_OPS; i++)
        undecode(fast, &page->op[i]);
    page->op[PAGE_OPS].code = OP_page_end;
    page->op[PAGE_OPS].run = fast_handler(fast, OP_page_end);
    fast->page[frame] = page;
    fast->nr_pages++;
    drop_shortcuts(m, ACCESS_STORE,
                   (uintptr_t)(m->ram + (size_t)frame * PAGE_SIZE), PAGE_SIZE);
    return page;
}

struct fast_page *fast_page_get(struct machine *m, uint32_t frame)
{
    struct fast_page *page = m->fast->page[frame];

    return page ? page : page_make(m, frame);
}

/* marker: fast-written */
/* Bytes first..last of this page have changed. Undoing the decoding of one
 * word also undoes the sequences that it is in. */
static void page_written(struct machine *m, struct fast_page *page,
                         uint32_t first, uint32_t last)
{
    uint32_t word = first / 4;

    page->writes++;
    if (last - first == PAGE_SIZE - 1 || page->writes > FAST_MAX_WRITES) {
        page_drop(m, page);
        return;
    }
    word = word < FUSED_MAX ? 0 : word - (FUSED_MAX - 1);
    for (; word <= last / 4; word++)
        undecode(m->fast, &page->op[word]);
}
/* marker: end */

void fast_ram_written(struct machine *m, uint32_t pa, uint32_t len)
{
    uint32_t first = pa - RAM_BASE;
    uint32_t last = first + len - 1; /* inside RAM, so it does not wrap */

    if (len == 0)
        return;
    for (uint32_t frame = first / PAGE_SIZE; frame <= last / PAGE_SIZE;
         frame++) {
        struct fast_page *page = m->fast->page[frame];
        uint32_t          start = frame * PAGE_SIZE;

        if (page)
            page_written(m, page, first > start ? first - start : 0,
                         last - start < PAGE_SIZE ? last - start
                                                  : PAGE_SIZE - 1);
    }
}

bool fast_init(struct machine *m, const void *const *handlers)
{
    struct fast *fast = calloc(1, sizeof(*fast));

    if (!fast)
        return false;
    fast->page = (struct fast_page **)calloc(m->config.ram_size / PAGE_SIZE,
                                             sizeof(*fast->page));
    if (!fast->page) {
        free(fast);
        return false;
    }
    fast->handlers = handlers;
    fast_index(fast);
    m->fast = fast;
    return true;
}

void fast_fini(struct machine *m)
{
    page_drop_all(m);
    free((void *)m->fast->page);
    free(m->fast);
    m->fast = NULL;
}
