/* driver.c - hypervisor programs for libFuzzer and AFL++, or for neither.
 *
 * LLVMFuzzerTestOneInput() is what both call. A program that breaks a property
 * ends the process, after a line that says which: to a fuzzer, a crash. Programs
 * are changed record by record (hvp_mutate()), not bit by bit.
 *
 * With -DHVP_MAIN there is a main() as well: each file named, or else what
 * stands in standard input, is one program. AFL++ can use that, and so can a
 * person with any compiler. */
#include "include/hvpgen.h"
#include <stdio.h>
#include <stdlib.h>

#define AUDIT_EVERY 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max,
                               unsigned seed);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static hvp_context *context;
    struct hvp_verdict  verdict;

    if (!context)
        context = hvp_new(HVP_ORACLE_ALL & ~HVP_ORACLE_EACH, AUDIT_EVERY);
    if (!context || hvp_execute(context, data, n, &verdict) != HV_OK)
        return -1; /* no memory: this input is not kept */
    if (verdict.property[0]) {
        fprintf(stderr, "%s broken at record %u (%s): %s\n", verdict.property,
                verdict.op, hvp_op_name(verdict.kind), verdict.what);
        abort();
    }
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max,
                               unsigned seed)
{
    return hvp_mutate(seed, data, n, max);
}

#ifdef HVP_MAIN
static int run_file(FILE *file)
{
    static uint8_t data[HVP_MAX_LENGTH];

    return LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), file));
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return run_file(stdin);
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");

        if (!file) {
            perror(argv[i]);
            return 2;
        }
        run_file(file);
        fclose(file);
    }
    return 0;
}
#endif
