/* engine_fast.c - the fast engine: the same machine as engine_ref.c, sooner.
 *
 * Whoever has read engine_ref.c knows what an instruction does. This engine
 * does the frequent ones itself, and only where nothing unusual can happen;
 * everything else it hands to engine_ref.step(), with the hart in the state
 * that the reference engine would have found. So it is a set of shortcuts, and
 * each is right if it either does what the reference engine does or refuses
 * having done nothing. What it saves:
 *
 * Decoding once (fast_decode.c). A page of RAM that is executed gets a table
 * of operations, one for each word (struct fast_op): fields extracted,
 * immediates put together, and what can be known from the place in the page
 * worked out. The table belongs to the frame of RAM, so changing address
 * spaces drops none (fast_page.c), and a store into it resets the operations
 * of the words that it hits to "not decoded yet".
 *
 * Going straight on (fast_loop.def). An operation holds the address of the
 * code that does it, its handler, and a handler ends by jumping to that of the
 * next operation: there is no loop and no switch. (With a compiler that cannot
 * do this, there is: HV_NO_COMPUTED_GOTO.) The program counter is not kept:
 * while the loop runs, `op` says where we are, and a branch inside the page
 * adds a distance to it. Frequent sequences have one handler, and so have small
 * loops, which keep their registers in variables while they go round
 * (fast_fused.def, made by tools/gen_fused.py from programs that are not the
 * benchmarks).
 *
 * One comparison per access (fast_reach.c). Beside each TLB entry stands a
 * shortcut: the address in this process. Its tag contains all that the access
 * depends on, alignment included, so a hit needs no other question. Devices,
 * pages that hold code, and every page while an LR reservation is held, have
 * no shortcut for stores: these go the slow way, which looks after the rest.
 *
 * Counting at jumps. Clock and instret must be right whenever anybody can
 * look, but not in between. Let `left` be the number of instructions that may
 * be executed before the next event (hart->event), and let
 *
 *      K = left + index of op in the page - operations in a page
 *
 * Executing the next operation lowers left and raises the index: K stays. Only
 * a taken jump changes it, by the distance jumped less one. And while K >= 0
 * the event lies beyond the end of the page, so straight-line code need not
 * look for it. The account `acc` is one 64-bit number:
 *
 *      63              32 31        16 15         0
 *      [ K in op bytes   ][  stores   ][  loads   ]
 *
 * so a load counts itself by adding one, and a jump finds out from the sign
 * whether the event came close. Then the loop is left for a second copy of it
 * that looks after every operation, fast_count_down(), until the event is
 * there. fast_settle() moves what has accumulated into the hart.
 *
 * The fetch TLB is asked when control comes to another page, and after
 * everything that leaves the loop (traps, fences, CSR writes, misses). That is
 * as good as asking at each instruction: in between nothing can drop the entry
 * of the page that is executed, and hits are not counted.
 *
 * Read next: fast.h, fast_ops.def, fast_loop.def. */
#include "machine/fast.h"

#ifdef __GNUC__
#define unlikely(condition) __builtin_expect(!!(condition), 0)
#define INLINE              static inline __attribute__((always_inline))
#else
#define unlikely(condition) (condition)
#define INLINE              static inline
#endif

_Static_assert(offsetof(struct hart, regs) == 0, "x is at the hart's start");
_Static_assert(offsetof(struct hart_csrs, vstvec) <= 32 * 4,
               "csr_read has 5 bits");
_Static_assert(offsetof(struct hart_csrs, vstval) ==
                   offsetof(struct hart_csrs, stval) + 4 * VS_WORDS,
               "the registers of VS are in the order of those of S");
_Static_assert(NR_CODES <= 256, "a code is a byte");
_Static_assert(sizeof(struct tlb_host) == 16, "HOST() counts on it");

/* What a loop has to say beside yes and no. */
struct fast_out {
    enum hart_exit     why;
    const void *const *handlers;
};

/* The tags that shortcuts must have, for page 0 of each kind of access. */
struct fast_keys { uint64_t fetch, load, store; };

INLINE struct fast_keys fast_keys(const struct hart *hart)
{
    return (struct fast_keys){ hart->view[ACCESS_FETCH].key,
                               hart->view[ACCESS_LOAD].key,
                               fast_store_key(hart) };
}

/* x[0] to x[31], and the sink. */
INLINE uint32_t *registers(struct hart *hart)
{
    return (uint32_t *)(void *)&hart->regs;
}

/* &hart->tlb.host[access][(va >> PAGE_SHIFT) % TLB_ENTRIES], in two steps
 * instead of four. */
#define HOST_BYTES ((uint32_t)sizeof(struct tlb_host))
#define HOST(access, va)                                                     \
    ((const struct tlb_host *)(const void                                    \
                                   *)((const char *)hart->tlb.host[access] + \
                                      ((va) >> (PAGE_SHIFT - 4) &            \
                                       (TLB_ENTRIES - 1) * HOST_BYTES)))
#define TAG(va, size, key) \
    (((va) & (~(uint32_t)PAGE_MASK | ((size) - 1))) + (key))

/* --- the account ---------------------------------------------------------- */

#define ONE_LOAD  1u
#define ONE_STORE 0x10000u
#define MAX_BURST 0xffffu /* instructions that can be counted before a settle */

/* How many instructions may be executed before the clock reaches the event; at
 * least one, since the boundary has been passed. */
INLINE uint32_t fast_burst(const struct hart *hart, uint64_t cost)
{
    uint64_t left = hart->event > hart->cycle ? hart->event - hart->cycle : 1;

    if (left >= MAX_BURST * cost)
        return MAX_BURST;
    return (uint32_t)(cost == 1 ? left : (left + cost - 1) / cost);
}

/* marker: fast-account */
/* A new account: `burst` instructions left at operation `index`. */
INLINE uint64_t fast_account(uint32_t burst, uint32_t index)
{
    return (uint64_t)((burst + index - PAGE_OPS) * OP_BYTES) << 32;
}
/* marker: end */

INLINE uint32_t fast_at_op(const struct fast_op *ops, const struct fast_op *op)
{
    return (uint32_t)((const char *)op - (const char *)ops);
}

INLINE uint32_t fast_left(uint64_t acc, const struct fast_op *ops,
                          const struct fast_op *op)
{
    return ((uint32_t)(acc >> 32) + PAGE_BYTES - fast_at_op(ops, op)) /
           OP_BYTES;
}

INLINE uint32_t fast_pc(uint32_t page_va, const struct fast_op *ops,
                        const struct fast_op *op)
{
    return page_va + fast_at_op(ops, op) / (OP_BYTES / 4);
}

/* Where an operation is: its address, and its distance from the page's first
 * operation in bytes. */
struct fast_where { uint32_t pc, at; };

INLINE struct fast_where fast_at(uint32_t page_va, const struct fast_op *ops,
                                 const struct fast_op *op)
{
    return (struct fast_where){ fast_pc(page_va, ops, op),
                                fast_at_op(ops, op) };
}

/* Make the hart's state what it is before the operation at `where`; `burst` is
 * what was left when this was last done. */
INLINE void fast_settle(struct hart *hart, uint64_t *acc, uint32_t *burst,
                        struct fast_where where, uint64_t cost)
{
    uint32_t left = ((uint32_t)(*acc >> 32) + PAGE_BYTES - where.at) / OP_BYTES;
    uint32_t done = *burst - left;

    hart->regs.pc = where.pc;
    hart->instret += done;
    hart->cycle += done * cost;
    hart->count.loads += *acc & 0xffff;
    hart->count.stores += *acc >> 16 & 0xffff;
    *acc &= ~(uint64_t)0xffffffff;
    *burst = left;
}

/* A miss of the TLB has cost so many cycles, and the clock has them already:
 * take as many instructions off the account, which is enough, since none costs
 * less than a cycle. False, and the account as it was, if none would be left,
 * or so few that the end of the page lies beyond them. */
INLINE bool fast_spend(uint64_t *acc, uint32_t *burst, uint64_t cycles)
{
    if (cycles > MAX_BURST || (int64_t)*acc < 0)
        return cycles == 0;
    uint64_t next = *acc - (cycles * OP_BYTES << 32);
    if ((int64_t)next < 0)
        return false;
    *acc = next;
    *burst -= (uint32_t)cycles;
    return true;
}

/* One instruction that was executed on the settled state. */
INLINE void fast_retire(struct hart *hart, uint32_t next, uint64_t cost)
{
    hart->regs.pc = next;
    hart->instret++;
    hart->cycle += cost;
}

/* --- what operations do ---------------------------------------------------- */

INLINE uint32_t high(int64_t product)
{
    return (uint32_t)((uint64_t)product >> 32);
}

INLINE uint32_t divide(uint32_t a, uint32_t b)
{
    if (b == 0)
        return 0xffffffff;
    return b == 0xffffffff ? 0 - a : (uint32_t)((int32_t)a / (int32_t)b);
}

INLINE uint32_t modulo(uint32_t a, uint32_t b)
{
    if (b == 0)
        return a;
    return b == 0xffffffff ? 0 : (uint32_t)((int32_t)a % (int32_t)b);
}

/* What an operation is, apart from where its operands are:
 *
 *   get_x()            the result of arithmetic
 *   load_x, store_x()  an access; false, with nothing done, if the shortcut is
 *                      not there
 *   when_x()           whether branch x is taken
 *
 * do_x() is all of operation x, and false if it is not one of the easy cases;
 * then nothing has been done. */
#define OPERATION(name)                                                \
    INLINE bool do_##name(struct hart *hart, const struct fast_op *op, \
                          struct fast_keys key, uint64_t *acc)
#define UNUSED() ((void)key, (void)acc)

#define ALU_REG(name, value)                            \
    INLINE uint32_t get_##name(uint32_t a, uint32_t b)  \
    {                                                   \
        return (value);                                 \
    }                                                   \
    OPERATION(name)                                     \
    {                                                   \
        uint32_t *x = registers(hart);                  \
        UNUSED();                                       \
        x[op->rd] = get_##name(x[op->rs1], x[op->rs2]); \
        return true;                                    \
    }
#define ALU_IMM(name, value)                                   \
    INLINE uint32_t get_##name(uint32_t a, uint32_t b)         \
    {                                                          \
        return (value);                                        \
    }                                                          \
    OPERATION(name)                                            \
    {                                                          \
        uint32_t *x = registers(hart);                         \
        UNUSED();                                              \
        x[op->rd] = get_##name(x[op->rs1], (uint32_t)op->imm); \
        return true;                                           \
    }
#define LOAD(name, size, value)                                                \
    INLINE bool load_##name(const struct hart *hart, uint32_t va,              \
                            struct fast_keys key, uint64_t *acc, uint32_t *to) \
    {                                                                          \
        const struct tlb_host *host = HOST(ACCESS_LOAD, va);                   \
        if (unlikely(host->tag != TAG(va, size, key.load)))                    \
            return false;                                                      \
        uint32_t raw = load_le((const uint8_t *)(host->at + va), size);        \
        *to = (value);                                                         \
        *acc += ONE_LOAD;                                                      \
        return true;                                                           \
    }                                                                          \
    OPERATION(name)                                                            \
    {                                                                          \
        uint32_t *x = registers(hart);                                         \
        return load_##name(hart, x[op->rs1] + (uint32_t)op->imm, key, acc,     \
                           &x[op->rd]);                                        \
    }
#define STORE(name, size)                                                   \
    INLINE bool store_##name(const struct hart *hart, uint32_t va,          \
                             struct fast_keys key, uint64_t *acc,           \
                             uint32_t val)                                  \
    {                                                                       \
        const struct tlb_host *host = HOST(ACCESS_STORE, va);               \
        if (unlikely(host->tag != TAG(va, size, key.store)))                \
            return false;                                                   \
        store_le((uint8_t *)(host->at + va), size, val);                    \
        *acc += ONE_STORE;                                                  \
        return true;                                                        \
    }                                                                       \
    OPERATION(name)                                                         \
    {                                                                       \
        const uint32_t *x = registers(hart);                                \
        return store_##name(hart, x[op->rs1] + (uint32_t)op->imm, key, acc, \
                            x[op->rs2]);                                    \
    }
#define AMO(name, value)                                      \
    OPERATION(name)                                           \
    {                                                         \
        uint32_t              *x = registers(hart);           \
        uint32_t               va = x[op->rs1];               \
        const struct tlb_host *host = HOST(ACCESS_STORE, va); \
        if (unlikely(host->tag != TAG(va, 4, key.store)))     \
            return false;                                     \
        uint8_t *word = (uint8_t *)(host->at + va);           \
        uint32_t a = load_le(word, 4), b = x[op->rs2];        \
        store_le(word, 4, value);                             \
        x[op->rd] = a;                                        \
        *acc += ONE_STORE;                                    \
        return true;                                          \
    }
#define BRANCH(name, condition)                     \
    INLINE bool when_##name(uint32_t a, uint32_t b) \
    {                                               \
        return condition;                           \
    }
#define OTHER(name)
#include "machine/fast_ops.def"
#include "machine/fast_undef.def"

OPERATION(nop)
{
    (void)hart, (void)op;
    UNUSED();
    return true;
}

OPERATION(li)
{
    UNUSED();
    registers(hart)[op->rd] = (uint32_t)op->imm;
    return true;
}

OPERATION(mv)
{
    uint32_t *x = registers(hart);

    UNUSED();
    x[op->rd] = x[op->rs1];
    return true;
}

/* With V = 1 the supervisor's registers are the virtual one's. (Those of M
 * have no double: they are out of reach then.) */
INLINE uint32_t csr_words_on(const struct hart *hart)
{
    return hart->virt ? (uint32_t)VS_WORDS : 0;
}

OPERATION(csr_read)
{
    const uint32_t *words = (const void *)&hart->csr;

    UNUSED();
    if (unlikely(hart->priv < op->rs2 / 32u))
        return false;
    registers(hart)[op->rd] = words[op->rs2 % 32 + csr_words_on(hart)];
    return true;
}

OPERATION(csr_swap)
{
    uint32_t *words = (void *)&hart->csr, *x = registers(hart);
    uint32_t  word = op->rs2 % 32 + csr_words_on(hart);
    uint32_t  old = words[word];

    UNUSED();
    if (unlikely(hart->priv < op->rs2 / 32u))
        return false;
    words[word] = x[op->rs1] & (uint32_t)op->imm;
    x[op->rd] = old;
    return true;
}

/* Which operations access data, and how. */
static const struct {
    uint8_t size; /* 0: not at all */
    uint8_t access;
} data_access[NR_CODES] = {
#define ALU_REG(name, value)
#define ALU_IMM(name, value)
#define LOAD(name, size, value) [OP_##name] = { size, ACCESS_LOAD },
#define STORE(name, size)       [OP_##name] = { size, ACCESS_STORE },
#define AMO(name, value)        [OP_##name] = { 4, ACCESS_STORE },
#define BRANCH(name, condition)
#define OTHER(name)
#include "machine/fast_ops.def"
#include "machine/fast_undef.def"
};

static bool do_csr(struct hart *hart, const struct fast_op *op, uint32_t *old)
{
    uint32_t insn = (uint32_t)op->imm;
    uint32_t funct3 = insn >> 12 & 7;
    uint32_t operand = funct3 & 4 ? op->rs1 : hart->regs.x[op->rs1];
    bool     write = funct3 % 4 == CSR_OP_WRITE || op->rs1 != 0;

    if (csr_execute(hart, insn >> 20, (enum csr_op)(funct3 & 3), write, operand,
                    old))
        return true;
    trap_take(hart, csr_refusal(hart, insn >> 20, write), insn);
    return false;
}

INLINE uint32_t ecall_cause(const struct hart *hart)
{
    /* The causes are in the modes' order: U, S, VS, M. */
    return CAUSE_ECALL_U + hart->priv + (hart->virt && hart->priv == PRIV_S);
}

static bool may_sret(const struct hart *hart)
{
    if (hart->priv == PRIV_S)
        return !((hart->virt ? hart->csr.hstatus : hart->csr.mstatus) &
                 MSTATUS_TSR);
    return hart->priv == PRIV_M;
}

/* --- the guest's small loops ------------------------------------------------ */

#if FAST_THREADED
/*
 * A loop of fast_fused.def keeps its registers in variables, KEEP to SAVE, and
 * goes round until its branch is not taken, an access has no shortcut, or the
 * event is close. Then the first `done` operations of the last round have been
 * executed. These are functions, so that the compiler has all the host's
 * registers for them, and need not take any from the engine's loop.
 */
enum rounds_end { ROUNDS_OVER, ROUNDS_SLOW, ROUNDS_EVENT };

struct rounds {
    uint64_t        acc;
    uint32_t        done;
    enum rounds_end why;
};

#define KEEP(letter, k, field) uint32_t letter = x[op[k].field];
#define KEEP_IMM(k)            const uint32_t imm##k = (uint32_t)op[k].imm;
#define SAVE(letter, k)        x[op[k].rd] = letter;

#define LOOP_REG(k, name, d, a, b) d = get_##name(a, b);
#define LOOP_IMM(k, name, d, a)    d = get_##name(a, imm##k);
#define LOOP_MV(k, name, d, a)     d = a;
#define LOOP_LI(k, name, d)        d = imm##k;
#define LEAVE_IF(condition, ops, reason) \
    if (condition) {                     \
        end.done = (ops);                \
        end.why = (reason);              \
        break;                           \
    }
#define LOOP_LOAD(k, name, d, a)                                         \
    LEAVE_IF(unlikely(!load_##name(hart, a + imm##k, key, &acc, &d)), k, \
             ROUNDS_SLOW)
#define LOOP_STORE(k, name, a, b)                                        \
    LEAVE_IF(unlikely(!store_##name(hart, a + imm##k, key, &acc, b)), k, \
             ROUNDS_SLOW)
/* marker: fast-loops */
#define LOOP_AGAIN(k, name, a, b)                      \
    LEAVE_IF(!when_##name(a, b), (k) + 1, ROUNDS_OVER) \
    acc -= (uint64_t)(((k) + 1) * OP_BYTES) << 32;     \
    LEAVE_IF(unlikely((int64_t)acc < 0), 0, ROUNDS_EVENT)

#define FUSED(name, ...)
#define LOOP_OF(name, codes, numbers, keep, round, save)                    \
    static __attribute__((noinline)) struct rounds rounds_##name(           \
        struct hart *hart, const struct fast_op *op, uint64_t load,         \
        uint64_t store, uint64_t acc)                                       \
    {                                                                       \
        const struct fast_keys      key = { .load = load, .store = store }; \
        uint32_t                   *x = registers(hart);                    \
        struct rounds               end;                                    \
        keep for (;;){ round } save end.acc = acc;                          \
        return end;                                                         \
    }
/* marker: end */
#include "machine/fast_fused.def"
#undef FUSED
#undef LOOP_OF
#endif

/* --- the loops -------------------------------------------------------------- */

#if FAST_THREADED
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#endif
#define LOOP          fast_forward
#define LOOP_THREADED FAST_THREADED
#define LOOP_COUNTED  0
#include "machine/fast_loop.def"

#define LOOP          fast_count_down
#define LOOP_THREADED 0
#define LOOP_COUNTED  1
#include "machine/fast_loop.def"
#if FAST_THREADED
#pragma GCC diagnostic pop
#endif

/* The two loops take turns: the first until the event is close, the second
 * until it is over. */
static enum hart_exit engine_fast_run(struct hart *hart, uint64_t until)
{
    struct fast_out out = { .why = HART_UNTIL };
    bool            passed = false;

    for (;;) {
        if (fast_forward(hart, until, passed, &out))
            return out.why;
        if (fast_count_down(hart, until, true, &out))
            return out.why;
        passed = true;
    }
}

static bool engine_fast_init(struct machine *m)
{
    struct fast_out out = { .handlers = NULL };

#if FAST_THREADED
    fast_forward(NULL, 0, false, &out);
#endif
    return fast_init(m, out.handlers);
}

/* One instruction: what is decoded would not pay. */
static void engine_fast_step(struct hart *hart)
{
    engine_ref.step(hart);
}

const struct engine engine_fast = {
    .name = "fast",
    .init = engine_fast_init,
    .fini = fast_fini,
    .run = engine_fast_run,
    .step = engine_fast_step,
    .ram_written = fast_ram_written,
};
