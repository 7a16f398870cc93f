/* hostile.h - what the hostile kernels share: try something, look at the
 * answer, and tell a refusal from a breach.
 *
 * Each kernel is one file that defines attack(). It runs in kernel mode,
 * untranslated, interrupts off. The same image runs on the bare machine and in
 * a VM of style `emulate`, where it uses CSRs, and in a VM of style `pv`,
 * where it finds the hypercalls and uses those.
 *
 * Its opening comment says what must happen to it:
 *
 *   styles: the ways in which it may be run: bare, emulate, pv ...
 *   expect: killed "words of the reason"   (hv run: exit status 3)
 *           refused     it was told no each time, checked that, and powers off
 *                       with success (0); a breach powers off with failure (1)
 *           contained   it runs until its budget ends (4), or waits for ever */
#ifndef HOSTILE_H
#define HOSTILE_H

/* struct trapframe, for start.S. */
#define FRAME_X(n)   (4 * (n))
#define FRAME_EPC    128
#define FRAME_STATUS 132
#define FRAME_CAUSE  136
#define FRAME_TVAL   140
#define FRAME_SIZE   144

#ifndef __ASSEMBLER__
#include "abi/cause.h"
#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/pte.h"
#include "abi/pv.h"
#include "abi/regs.h"
#include "abi/sbi.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a trap found. `status` is sstatus, or PV_PREV_x in style pv. */
struct trapframe {
    uint32_t x[32];
    uint32_t epc, status, cause, tval;
};
_Static_assert(offsetof(struct trapframe, epc) == FRAME_EPC, "FRAME_EPC");
_Static_assert(offsetof(struct trapframe, tval) == FRAME_TVAL, "FRAME_TVAL");
_Static_assert(sizeof(struct trapframe) == FRAME_SIZE, "FRAME_SIZE");

/* The kernel's own; returns if it was refused each time. */
void attack(void);
/* Called before the runtime registers anything; does nothing unless a kernel
 * defines it. */
void attack_at_start(void);

extern bool     paravirtual; /* in style pv */
extern uint32_t shared_at;   /* the shared-info page in use (pv) */
extern uint32_t ram_end;     /* one past the last byte of our RAM */
extern char     image_end[]; /* one past the last byte of the image */

/* Verdicts ----------------------------------------------------------------- */

/* Power off with failure: an attack got through, or nothing makes sense. */
_Noreturn void breach(const char *what);
/* Count a refusal, or breach(what). */
void check(bool refused, const char *what);
void print(const char *text);

/* Calls -------------------------------------------------------------------- */

struct ret {
    int32_t  error;
    uint32_t value;
};

/* The numbers of hypercalls.def. */
enum {
#define HYPERCALL(nr, name, nargs, version, signature, doc) HCALL_##name = (nr),
#include "abi/hypercalls.def"
#undef HYPERCALL
    NR_HCALLS
};

struct ret sbi_call(uint32_t ext, uint32_t fn, uint32_t a0, uint32_t a1,
                    uint32_t a2, uint32_t a3);
struct ret hv_call(uint32_t nr, uint32_t a0, uint32_t a1);
/* The call must return this error, or breach(what). */
void check_hv(int32_t error, uint32_t nr, uint32_t a0, uint32_t a1,
              const char *what);
void check_sbi(int32_t error, uint32_t ext, uint32_t fn, uint32_t a0,
               uint32_t a1, uint32_t a2, const char *what);

/* Traps -------------------------------------------------------------------- */

/* The last exception, registers included. */
extern struct trapframe fault;

/* fn(arg); true if it came back, false if it trapped: then see `fault`. */
bool attempt(void (*fn)(uint32_t), uint32_t arg);

/* One access; false if it trapped. size is 1, 2 or 4. */
bool can_load(uint32_t va, uint32_t size, uint32_t *val);
bool can_store(uint32_t va, uint32_t size, uint32_t val);
/* Jump there; what lies there should be a `ret`. */
bool can_jump(uint32_t va);
/* Execute one instruction with a0 and a1 as given; see what became of them. */
bool can_execute(uint32_t insn, uint32_t *a0, uint32_t a1);
#define INSN_RET   0x00008067u
#define INSN_ECALL 0x00000073u

/* The last attempt must have trapped like this. */
void check_fault(uint32_t cause, uint32_t tval, const char *what);
/* The access must trap with this cause, at this address. */
void check_load(uint32_t va, uint32_t size, uint32_t cause, const char *what);
void check_store(uint32_t va, uint32_t size, uint32_t cause, const char *what);
void check_jump(uint32_t va, uint32_t cause, const char *what);

/* Enter user mode with these registers and pc; returns at its next exception,
 * which is in `fault`. */
void user_run(const uint32_t x[32], uint32_t pc);
/* Whether interrupts may come while it runs. (Native: as sie says.) */
extern bool user_interrupts;
/* The same access from user mode. Needs user_page where user_base says. */
bool user_can_load(uint32_t va, uint32_t *val);
bool user_can_store(uint32_t va, uint32_t val);
/* What lies there should be an ecall. */
bool user_can_jump(uint32_t va);
bool user_can_execute(uint32_t insn, uint32_t *a0, uint32_t a1);

extern char     user_page[]; /* one page of code for user mode */
extern uint32_t user_base;   /* where that page is, by virtual address */

/* Called at an interrupt, with what it is (IRQ_x); may change *frame. */
extern void (*on_interrupt)(uint32_t irq, struct trapframe *frame);
void interrupts(bool on);
uint64_t now(void);
void timer_at(uint64_t when);
/* The trap vector (emulate) or entry (pv); wild values welcome. */
void set_vector(uint32_t pc);

/* Page tables -------------------------------------------------------------- */

#define LEAF (PTE_A | PTE_D | PTE_V)

static inline uint32_t pte(uint32_t pa, uint32_t flags)
{
    return pa >> PAGE_SHIFT << PTE_PPN_SHIFT | flags;
}

extern uint32_t root[PT_ENTRIES];
/* Fill root: RAM and devices where they are, for the kernel, by megapages; and
 * user_page at user_base = USER_WINDOW. */
void paging_prepare(void);
#define USER_WINDOW 0x3f000000
/* The level-0 entry for va, below root; makes a table if there is none. */
volatile uint32_t *slot_of(uint32_t va);
/* Map one page, and fence it. */
void map(uint32_t va, uint32_t entry);
void paging_on(const uint32_t *table);
void paging_off(void);
void fence_page(uint32_t va);
void fence_all(void);

/* Pages to play with, all zero at the start. */
#define NR_PAGES 8
extern uint32_t page[NR_PAGES][PT_ENTRIES];

/* The rest ----------------------------------------------------------------- */

#define COUNT(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))

static inline uint32_t address(const volatile void *p)
{
    return (uint32_t)(uintptr_t)p;
}

static inline volatile uint32_t *word_at(uint32_t va)
{
    return (volatile uint32_t *)(uintptr_t)va;
}

static inline void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

#define csr_read(name)                                      \
    __extension__({                                         \
        uint32_t csr_val;                                   \
        __asm__ volatile("csrr %0, " name : "=r"(csr_val)); \
        csr_val;                                            \
    })
#define csr_write(name, val) \
    __asm__ volatile("csrw " name ", %0" ::"r"((uint32_t)(val)) : "memory")
#define csr_set(name, val) \
    __asm__ volatile("csrs " name ", %0" ::"r"((uint32_t)(val)) : "memory")
#define csr_clear(name, val) \
    __asm__ volatile("csrc " name ", %0" ::"r"((uint32_t)(val)) : "memory")

/* Numbers that look random and are the same every time. */
uint32_t draw(void);

void *memcpy(void *to, const void *from, size_t len);
void *memset(void *to, int byte, size_t len);
#endif

#endif
