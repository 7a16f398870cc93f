/* edf_admit.c - no hart promises more than it has, by exact fractions: what was
 * rounded was rounded up, and no promise that leaves a rounding's room is
 * refused. */
#include "sched/edf_admit.c"
#include "leaf_check.h"

typedef unsigned __int128 wide;

static struct hyp  hyp;
static struct pcpu pcpu;
static struct vm   vms[2];
static struct vcpu vcpus[2];

/* Ticks that a budget really takes from the hart. */
static uint64_t takes(const struct sched_params *p)
{
    uint64_t more = (3ull * EDF_SWITCH + EDF_EXIT + hyp.tick - 1) / hyp.tick;

    return p->budget + more;
}

/* Is the sum, as a fraction, at most one? `slack`: parts of WHOLE that may be
 * wanting. */
static bool fits(const struct sched_params *a, const struct sched_params *b,
                 uint32_t slack)
{
    uint64_t exit = (EDF_EXIT + hyp.tick - 1) / hyp.tick;
    uint64_t least = a->period < b->period ? a->period : b->period;
    wide     sum = (wide)takes(a) * b->period * least +
                   (wide)takes(b) * a->period * least +
                   (wide)exit * a->period * b->period;
    wide     whole = (wide)a->period * b->period * least;

    return sum * WHOLE <= whole * (WHOLE - slack);
}

static bool check_part(struct leaf *out, uint64_t ticks, uint64_t period)
{
    uint64_t got = part(ticks, period);

    SAME("part: not too little", true,
         (wide)got * period >= (wide)ticks * WHOLE, ticks, period, got, 0);
    SAME("part: nor too much", true,
         got == 0 || (wide)(got - 1) * period < (wide)ticks * WHOLE, ticks,
         period, got, 0);
    return true;
}

static bool check_pair(struct leaf *out, const struct sched_params *a,
                       const struct sched_params *b)
{
    static const uint32_t none[MAX_HARTS];
    uint32_t              shape = a->budget << 16 | a->period;

    vms[0].sched = *a;
    vms[1].sched = (struct sched_params){ .budget = 0 };
    struct hyp_cpu *got = find(&vcpus[1], b, none);
    if (got)
        SAME("nothing is promised twice", true, fits(a, b, 0), shape, b->budget,
             b->period, 0);
    if (fits(a, b, 3))
        SAME("what can be kept is promised", true, got != NULL, shape,
             b->budget, b->period, 0);
    return true;
}

static bool check_pairs(struct leaf *out)
{
    struct sched_params a = { .weight = 1 }, b = { .weight = 1 };

    for (a.period = 3; a.period <= 14; a.period++)
        for (a.budget = 1; a.budget <= a.period; a.budget++)
            for (b.period = 3; b.period <= 14; b.period++)
                for (b.budget = 1; b.budget <= b.period; b.budget++)
                    if (!check_pair(out, &a, &b))
                        return false;
    return true;
}

bool leaf_edf_admit(struct leaf *out)
{
    for (uint64_t period = 1; period < 300; period++)
        for (uint64_t ticks = 0; ticks < 300; ticks++)
            if (!check_part(out, ticks, period))
                return false;
    for (uint32_t i = 0; i < COUNT_OF(edges); i++)
        for (uint32_t j = 1; j < COUNT_OF(edges); j++)
            if (!check_part(out, (uint64_t)edges[i] + 16500, edges[j]))
                return false;
    hyp.nr_cpus = 1;
    hyp.cpu[0].hyp = &hyp;
    hyp.cpu[0].pcpu = &pcpu;
    hyp.cpu[0].reserved = &vcpus[0];
    for (uint32_t i = 0; i < 2; i++) {
        vms[i].hyp = &hyp;
        vcpus[i] = (struct vcpu){ .vm = &vms[i] };
        vcpus[i].sched.affinity = ALL_HARTS;
        vcpus[i].sched.home = &hyp.cpu[0];
    }
    hyp.tick = 3 * EDF_SWITCH + EDF_EXIT; /* so that small numbers matter */
    return check_pairs(out);
}
