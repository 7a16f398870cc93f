/* fast.h - what the files of the fast engine share: decoded operations, and
 * the pages that they live in. Read engine_fast.c first. */
#ifndef HV_MACHINE_FAST_H
#define HV_MACHINE_FAST_H

#include "machine/internal.h"

#if defined(__GNUC__) && !defined(HV_NO_COMPUTED_GOTO)
#define FAST_THREADED 1
#else
#define FAST_THREADED 0
#endif

/* Operations by name. 0 is "not decoded yet". */
enum fast_code {
    OP_decode,
#define ALU_REG(name, value)    OP_##name,
#define ALU_IMM(name, value)    OP_##name,
#define LOAD(name, size, value) OP_##name,
#define STORE(name, size)       OP_##name,
#define AMO(name, value)        OP_##name,
#define BRANCH(name, condition) OP_##name, OP_##name##_far,
#define OTHER(name)             OP_##name,
#include "machine/fast_ops.def"
#include "machine/fast_undef.def"
    NR_CODES
};

/* Sequences of operations, and loops, with a handler of their own. */
enum fast_fused {
    FUSED_none,
#define FUSED(name, ...)   FUSED_##name,
#define LOOP_OF(name, ...) FUSED_##name,
#include "machine/fast_fused.def"
#undef FUSED
#undef LOOP_OF
    NR_FUSED
};

/*
 * One decoded instruction. What `imm` means depends on the operation:
 *
 *   arithmetic, loads, stores   the immediate
 *   jumps in the page           OP_BYTES * (distance in instructions - 1)
 *   jumps out of the page       the target, relative to the page's start
 *   auipc, li                   the result (auipc: relative to the page)
 *   csr                         the instruction itself
 *
 *   csr_swap                    the bits that can be written
 *
 * rs2 of csr_read and csr_swap is the word of struct hart_csrs, and 32 times
 * the privilege that it takes. rd is REG_SINK where the instruction names x0.
 */
/* marker: fast-op */
struct fast_op {
    const void *run; /* the threaded loop's handler, perhaps of a sequence */
    int32_t     imm;
    uint8_t     rd, rs1, rs2;
    uint8_t     code; /* enum fast_code: this instruction alone */
};
/* marker: end */

#define OP_BYTES   ((uint32_t)sizeof(struct fast_op))
#define PAGE_OPS   (PAGE_SIZE / 4)
#define PAGE_BYTES (PAGE_OPS * OP_BYTES)

/* While the loop runs nobody looks at regs.pc, so writes to x0 end there. */
#define REG_SINK (REGS_PC / 4)

/* A decoded page of RAM, and the operation that leads into the next one. */
struct fast_page {
    struct fast_op op[PAGE_OPS + 1];
    uint32_t       frame;  /* of RAM, counted from its start */
    uint32_t       writes; /* since it was made */
};

/* The longest sequence with one handler. */
#define FUSED_MAX 6

/* Pages beyond this number: all are dropped, and decoding starts anew. */
#define FAST_MAX_PAGES 8192 /* 128 MiB */
/* A page that is written this often is data, not code. */
#define FAST_MAX_WRITES 256

/* Of one machine. */
struct fast {
    struct fast_page **page; /* by frame of RAM; NULL: not decoded */
    uint32_t           nr_pages;
    const void *const *handlers; /* of the threaded loop, or NULL: those of
                                    enum fast_code, then of enum fast_fused */
    uint16_t           first[NR_CODES]; /* the sequences that start with it; */
    uint16_t           first_loop[NR_CODES]; /* ... and the loops */
};

static inline const void *fast_handler(const struct fast *fast, uint32_t i)
{
    return fast->handlers ? fast->handlers[i] : NULL;
}

/* fast_decode.c. */
void fast_index(struct fast *fast);
/* Decode from operation i to the end of the straight line. */
void fast_decode(struct machine *m, struct fast_page *page, uint32_t i);

/* fast_page.c. The decoded page of this frame; NULL without host memory. */
struct fast_page *fast_page_get(struct machine *m, uint32_t frame);
void fast_ram_written(struct machine *m, uint32_t pa, uint32_t len);
bool fast_init(struct machine *m, const void *const *handlers);
void fast_fini(struct machine *m);

/* fast_reach.c. Making shortcuts, struct tlb_host. The answer is one of these,
 * or the cause of the trap that is to be taken. */
#define REACH_OK   -1 /* the shortcut is there: the access will succeed */
#define REACH_STEP -2 /* no shortcut for this one: engine_ref's job */
/* Translate a data access the way the reference engine does (a miss is walked,
 * counted and paid for) and make a shortcut. */
int fast_reach_data(struct hart *hart, enum access access, uint32_t va,
                    uint32_t size);
/* The same for the fetch at pc: REACH_OK if its page is decoded. */
int fast_reach_code(struct hart *hart);

/* What the tags of store shortcuts must match at present, for page 0: nothing
 * matches while any hart holds a reservation. */
#define KEY_NEVER ((uint64_t)1 << 63)

static inline uint64_t fast_store_key(const struct hart *hart)
{
    const struct machine *m = hart->machine;

    for (uint32_t i = 0; i < m->config.nr_harts; i++)
        if (m->hart[i].reserved)
            return KEY_NEVER;
    return hart->view[ACCESS_STORE].key;
}

#endif
