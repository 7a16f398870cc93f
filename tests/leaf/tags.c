/* tags.c - no tag means two things at a time (P12).
 *
 * All sequences of five steps, with two VMs of two roots each on two harts, and
 * one to three tags. The second opinion is a TLB that keeps, for each hart and
 * tag, whose entries it holds, until the hart is flushed. */
#include "hyp/hal.h"
#define hal_fence       tags_fence
#define hal_fence_vmids tags_fence_vmids
#define cpu_kick        tags_kick
#include "hyp/tag.c"
#undef cpu_kick
#include "leaf_check.h"

#define HARTS 2
#define STEPS 5

/* Whose entries, made since which forgetting of its VM; 0: nobody's. */
static uint32_t    holds[HARTS][4];
static struct hyp  hyp;
static struct vm   vms[2];
static struct tag  root[2][2];
static struct pcpu pcpu[HARTS];
static uint32_t    forgotten[2];

void tags_fence(struct pcpu *at, struct fence what)
{
    (void)what;
    for (uint32_t i = 0; i < 4; i++)
        holds[at->id][i] = 0;
}

void tags_fence_vmids(struct pcpu *at)
{
    (void)at;
}

void tags_kick(struct hyp_cpu *cpu)
{
    (void)cpu;
}

static void reset(uint32_t count)
{
    hyp.nr_cpus = HARTS;
    tags_init(&hyp.tags[TAG_ASID], count);
    for (uint32_t i = 0; i < HARTS; i++) {
        pcpu[i] = (struct pcpu){ .id = i, .hyp = &hyp.cpu[i] };
        hyp.cpu[i].pcpu = &pcpu[i];
        hyp.cpu[i].tags[TAG_ASID] = 0;
        tags_fence(&pcpu[i], (struct fence){ .size = 0 });
        vms[i].hyp = &hyp;
        vms[i].tags = vms[i].harts = forgotten[i] = 0;
        root[i][0] = root[i][1] = (struct tag){ 0, 0, 0 };
    }
}

/* Step 0-7: a hart enters a root. 8, 9: a VM is to be forgotten. 10: all. */
static bool step(struct leaf *out, uint32_t what, uint32_t count)
{
    uint32_t vm = what & 1, which = what >> 1 & 1, hart = what >> 2 & 1;

    if (what == 10) {
        tags_renew(&hyp);
        return true;
    }
    if (what >= 8) {
        tag_forget(&vms[vm]);
        forgotten[vm]++;
        return true;
    }
    uint32_t id = tag_use(&vms[vm], &pcpu[hart], TAG_ASID, &root[vm][which]);
    uint32_t name = 1 + vm + 2 * which + 4 * forgotten[vm];

    SAME("there is such a tag", true, id < count, what, id, 0, 0);
    if (holds[hart][id])
        SAME("whose entries it finds", name, holds[hart][id], what, id, hart,
             count);
    holds[hart][id] = name;
    SAME("it is valid now", true,
         tag_valid(&vms[vm], TAG_ASID, &root[vm][which]), what, id, 0, 0);
    SAME("the hart is noted", 1, vms[vm].harts >> hart & 1, what, id, 0, 0);
    return true;
}

bool leaf_tags(struct leaf *out)
{
    uint32_t all = 1;

    for (uint32_t i = 0; i < STEPS; i++)
        all *= 11;
    for (uint32_t count = 1; count <= 3; count++)
        for (uint32_t n = 0; n < all; n++) {
            uint32_t rest = n;

            reset(count);
            for (uint32_t i = 0; i < STEPS; i++, rest /= 11)
                if (!step(out, rest % 11, count))
                    return false;
        }
    return true;
}
