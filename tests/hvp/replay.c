/* replay.c - execute files of hypervisor programs, and print each verdict.
 *
 *   replay [-o oracles] [-e audit_every] [-n times] file ...
 *
 * Ends with status 1 if a property did not hold. With -n each program is
 * executed so many times; what that takes is for the caller to measure. */
#include "include/hvp.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT (HVP_HEADER + HVP_RECORD * HVP_MAX_RECORDS)

static int replay(hvp_context *context, const char *path, unsigned long times)
{
    static uint8_t     program[LIMIT];
    struct hvp_verdict verdict;
    FILE              *file = fopen(path, "rb");

    if (!file) {
        perror(path);
        return 1;
    }
    size_t n = fread(program, 1, sizeof(program), file);

    fclose(file);
    do {
        if (hvp_execute(context, program, n, &verdict) != HV_OK) {
            fprintf(stderr, "%s: no memory\n", path);
            return 1;
        }
    } while (times-- > 1);
    printf("%s: %s op %u (%s), %u done, hash %016llx%s%s\n", path,
           verdict.property[0] ? verdict.property : "OK", verdict.op,
           hvp_op_name(verdict.kind), verdict.done,
           (unsigned long long)verdict.hash, verdict.what[0] ? ": " : "",
           verdict.what);
    return verdict.property[0] != 0;
}

int main(int argc, char **argv)
{
    uint32_t      oracles = HVP_ORACLE_ALL, every = 1;
    unsigned long times = 1;
    int           at = 1, bad = 0;

    for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
        unsigned long value = strtoul(argv[at + 1], NULL, 0);

        if (strcmp(argv[at], "-o") == 0)
            oracles = (uint32_t)value;
        else if (strcmp(argv[at], "-e") == 0)
            every = (uint32_t)value;
        else
            times = value;
    }
    hvp_context *context = hvp_new(oracles, every);

    for (; context && at < argc; at++)
        bad |= replay(context, argv[at], times);
    hvp_free(context);
    return bad;
}
