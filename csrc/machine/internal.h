/* internal.h - what the files of csrc/machine share with each other.
 *
 * Nothing above this folder includes it: machine.h is the way in. */
#ifndef HV_MACHINE_INTERNAL_H
#define HV_MACHINE_INTERNAL_H

#include "dev/clint.h"
#include "dev/plic.h"
#include "dev/uart.h"
#include "machine/engine.h"
#include "machine/machine.h"
#include "machine/marks.h"

/* What the UART has sent and nobody has fetched yet. It grows: what a guest
 * writes must not depend on when somebody looks. */
struct console {
    uint8_t *bytes;
    size_t   len, cap;
};

struct machine {
    struct machine_config config;
    const struct engine  *engine;
    uint8_t              *ram;
    struct clint          clint;
    struct plic           plic;
    struct uart           uart;
    struct console        console;
    struct power          power;
    struct fast          *fast;    /* what the fast engine keeps */
    struct marks         *marks;   /* where it can be put back to */
    uint8_t              *touched; /* marks->touched */
    struct hart           hart[];  /* config.nr_harts of them */
};

/* Little-endian words in host memory, at any alignment, on any host. */
static inline uint32_t load_le(const uint8_t *p, uint32_t size)
{
    if (size == 4)
        return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
               (uint32_t)p[3] << 24;
    return size == 2 ? p[0] | (uint32_t)p[1] << 8 : p[0];
}

static inline void store_le(uint8_t *p, uint32_t size, uint32_t val)
{
    p[0] = (uint8_t)val;
    if (size == 1)
        return;
    p[1] = (uint8_t)(val >> 8);
    if (size == 2)
        return;
    p[2] = (uint8_t)(val >> 16);
    p[3] = (uint8_t)(val >> 24);
}

/* bus.c. The bytes [pa, pa+len) of RAM, or NULL if any is outside it. */
static inline uint8_t *ram_at(const struct machine *m, uint32_t pa,
                              uint32_t len)
{
    uint32_t offset = pa - RAM_BASE;
    uint32_t size = m->config.ram_size;

    return offset < size && len <= size - offset ? m->ram + offset : NULL;
}

/* To be called before every write of RAM, whoever writes, and whether or not
 * it is the last one; an access of a hart lies in one page. */
static inline void ram_touch(struct machine *m, uint32_t pa)
{
    uint32_t frame = (pa - RAM_BASE) >> PAGE_SHIFT;

    if (m->touched[frame] != TOUCH_DONE)
        marks_touch(m, frame);
}
/* Whether anything answers in the page of pa; for fetches, RAM alone does. */
bool bus_page_exists(const struct machine *m, uint32_t pa, enum access access);
/* To be called after every write of RAM, whoever wrote. */
void bus_ram_written(struct machine *m, uint32_t pa, uint32_t len);

/* The entry that translates va in this context, or NULL. */
static inline const struct tlb_entry *tlb_lookup(const struct tlb *tlb,
                                                 enum access       access,
                                                 uint64_t context, uint32_t va)
{
    const struct tlb_entry *entry = &tlb->entry[access][TLB_INDEX(va)];

    return entry->tag == TLB_TAG(context, va) ? entry : NULL;
}

/* hart_charge(), where a call would cost more than it does. */
static inline void hart_pay(struct hart *hart, enum cost kind, uint32_t n)
{
    hart->cycle += (uint64_t)hart->machine->config.cost[kind] * n;
}

/* Whether the hart has extension H now: M can switch it off in misa, and then
 * it is as if it had never been there (Privileged Specification, 18.1). */
static inline bool hart_has_h(const struct hart *hart)
{
    return hart->csr.misa & MISA_H;
}

/* hart.c. mip as software sees it: its own bits and the devices' lines. */
uint32_t hart_mip(const struct hart *hart);
/* The first cycle at which the timer line is up. */
uint64_t hart_timer_cycle(const struct hart *hart);

/* mmu.c. Recompute hart->view; to be called when priv, mstatus or satp has
 * changed. */
void mmu_refresh(struct hart *hart);
/* The same, where it may well be that nothing has. */
void mmu_refresh_if_stale(struct hart *hart);
/* Translate one access. MMU_OK and *pa, or the cause of the exception. */
#define MMU_OK -1
int mmu_translate(struct hart *hart, enum access access, uint32_t va,
                  uint32_t *pa);

/* trap.c. Enter the handler of an exception or interrupt (CAUSE_INTERRUPT). */
void trap_take(struct hart *hart, uint32_t cause, uint32_t tval);
/* Take the interrupt that is due; false if none is. */
bool trap_interrupt(struct hart *hart);
/* Leave a handler; the address to go on at. */
uint32_t trap_mret(struct hart *hart);
uint32_t trap_sret(struct hart *hart);

/* csr.c. What the six CSR instructions do; false means illegal instruction.
 * *old is what rd gets. Without `write`, the register is only read. */
enum csr_op { CSR_OP_WRITE = 1, CSR_OP_SET, CSR_OP_CLEAR };
bool csr_execute(struct hart *hart, uint32_t csr, enum csr_op op, bool write,
                 uint32_t operand, uint32_t *old);
/* Whether reading this CSR is a load of word *word of struct hart_csrs, and
 * writing it a store under *mask, for whoever has the privilege. */
bool csr_plain(uint32_t csr, uint32_t *word, uint32_t *mask);
/* The exception of an access that csr_execute() refused. */
uint32_t csr_refusal(const struct hart *hart, uint32_t csr, bool write);
/* With V = 1 such a word is this many further on: sscratch is vsscratch. */
#define VS_WORDS                              \
    ((offsetof(struct hart_csrs, vsscratch) - \
      offsetof(struct hart_csrs, sscratch)) / \
     4)
/* Profile `leaky`, and the hart is in U, where it shows. */
bool csr_leaks(const struct hart *hart);

#endif
