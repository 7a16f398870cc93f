/* user.c - a program's memory, as its kernel reaches it.
 *
 * An address in a system call is a claim. It is checked against the process's
 * own page tables, page by page, before anything is copied, and no thread can
 * change them in between: the kernel's rights are never lent to a program. */
#include "kernel/user.h"
#include "kernel/layout.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/space.h"

static size_t rest_of_page(uint32_t va, size_t len)
{
    size_t rest = PAGE_SIZE - (va & PAGE_MASK);

    return len < rest ? len : rest;
}

bool user_read(void *to, uint32_t va, size_t len)
{
    struct space *space = proc_current->space;
    char         *out = to;

    while (len > 0) {
        size_t part = rest_of_page(va, len);

        lock_take(&space->lock);
        uint32_t pa = space_find(space, va, PTE_R);
        if (pa != 0)
            priv_copy_in(out, va, pa, part);
        lock_drop(&space->lock);
        if (pa == 0)
            return false;
        out += part;
        va += part;
        len -= part;
    }
    return true;
}

bool user_write(uint32_t va, const void *from, size_t len)
{
    struct space *space = proc_current->space;
    const char   *in = from;

    while (len > 0) {
        size_t part = rest_of_page(va, len);

        lock_take(&space->lock);
        uint32_t pa = space_find(space, va, PTE_R | PTE_W);
        if (pa != 0)
            priv_copy_out(va, pa, in, part);
        lock_drop(&space->lock);
        if (pa == 0)
            return false;
        in += part;
        va += part;
        len -= part;
    }
    return true;
}

bool user_read_string(char *to, uint32_t va, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!user_read(&to[i], va + i, 1))
            return false;
        if (to[i] == '\0')
            return true;
    }
    return false;
}
