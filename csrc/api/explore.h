/* explore.h - what the two files of the explorer share. */
#ifndef HV_API_EXPLORE_H
#define HV_API_EXPLORE_H

#include "api/host.h"
#include "include/hvexplore.h"

#define OPCODE(insn) ((insn) & 0x7f)
#define OP_SYSTEM    0x73

/* What the harts do with a word of memory: bits by hart. */
struct word { uint32_t gpa, uses, writes; };
/* When so many are known, all others count as shared. */
#define NR_WORDS 16384

/* When a hart last jumped back, and what it had in its registers then. */
struct lap {
    struct regs regs;
    uint64_t    writes;
    bool        valid;
};

/* What is put back when a state is returned to, beside the host. */
struct path {
    uint32_t   steps, count;
    uint64_t   writes; /* that anybody made */
    struct lap lap[MAX_HARTS];
    bool       spins[MAX_HARTS];
};

struct explorer {
    hv_host           *host;
    uint32_t           vm, harts;
    struct hv_explore *out;
    struct path        path;
    struct word        word[NR_WORDS];
    bool               learnt; /* in this pass: a word is shared */
    int                status; /* of the call that failed */
};

/* What a hart is about to do. */
struct next {
    uint32_t insn, gpa;
    bool     access, write; /* an access of memory, at gpa */
    bool     traps;
    uint32_t entry[2]; /* of page tables, that its walk reads; 0: none */
};

uint32_t explore_reg(struct explorer *e, uint32_t hart, uint32_t number);
struct next explore_look(struct explorer *e, uint32_t hart);
/* Note the words that this step uses. */
void explore_learn(struct explorer *e, uint32_t hart, const struct next *next);
/* Could anybody else notice this step, or it them? */
bool explore_point(struct explorer *e, const struct next *next);

#endif
