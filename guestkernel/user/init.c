/* init.c - the first process: runs the workload and reports.
 *
 *   run=NAME,NAME,...   which programs, instead of the usual set
 *
 * All arguments are passed on to them (scale=N). The children are held until
 * the last is there, so a child's pid depends only on its place in the list,
 * even if another one forks too. */
#include "user/lib/user.h"

#define MAX_PROGRAMS 16
#define NAME_SIZE    16
#define USUAL        "sieve,crc,forks,hog,ping,crime"

struct child {
    int  pid;
    char name[NAME_SIZE];
};

static struct child children[MAX_PROGRAMS];

/* Copy the next name of a list that ends with a space or the string's end,
 * and return the rest of the list. */
static const char *next_name(const char *list, char *name)
{
    size_t len = 0;

    while (*list != '\0' && *list != ' ' && *list != ',') {
        if (len + 1 == NAME_SIZE)
            fail("a name of run= is too long");
        name[len++] = *list++;
    }
    name[len] = '\0';
    return *list == ',' ? list + 1 : list;
}

static int start(const char *name, const char *args)
{
    int pid = fork(1);

    if (pid == 0) {
        exec(name, args);
        fail("there is no program %s", name);
    }
    if (pid < 0)
        fail("cannot fork for %s", name);
    return pid;
}

static int start_all(const char *args)
{
    const char *list = words_find(args, "run");
    int         count = 0;

    if (list == NULL || *list == '\0')
        list = USUAL;
    while (*list != '\0' && *list != ' ') {
        if (count == MAX_PROGRAMS)
            fail("run= names more than %d programs", MAX_PROGRAMS);
        struct child *child = &children[count++];
        list = next_name(list, child->name);
        child->pid = start(child->name, args);
    }
    return count;
}

int main(const char *args)
{
    int      count = start_all(args), failed = 0, status, pid;
    uint32_t sum = 0;

    while ((pid = wait(&status)) > 0)
        for (int i = 0; i < count; i++)
            if (children[i].pid == pid && status != 0) {
                say("%s failed with status %d", children[i].name, status);
                failed++;
            }
    for (int i = 0; i < count; i++)
        for (const char *c = children[i].name; *c != '\0'; c++)
            sum = mix(sum, (uint32_t)*c);
    say("%d programs ran, %d failed", count, failed);
    say_checksum(mix(sum, (uint32_t)failed));
    poweroff(failed == 0 ? 0 : 1);
}
