/* machine.h - the computer: everything that the floors above may ask of it.
 *
 * A machine is RAM, a bus with a few devices, and up to eight harts. It has
 * never heard of a hypervisor. hart_run() executes one hart; when M-mode is
 * `native`, a trap to M makes it return, and the caller is the M-mode
 * software: it looks at mcause and its friends, changes what it likes, sets
 * the mode to resume in, and calls hart_run() again. */
#ifndef HV_MACHINE_H
#define HV_MACHINE_H

#include "abi/cause.h"
#include "abi/csr.h"
#include "abi/memmap.h"
#include "abi/pte.h"
#include "abi/regs.h"
#include "machine/tlb.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;

/* Elementary steps that cost cycles: abi/costs.def. */
enum cost {
#define COST(name, value, doc) COST_##name,
#include "abi/costs.def"
#undef COST
    NR_COSTS
};

enum engine_kind { ENGINE_REF, ENGINE_FAST, NR_ENGINES };

struct machine_config {
    uint32_t engine;    /* ENGINE_x; 0 is the reference engine */
    uint32_t ram_size;  /* bytes, a multiple of 4096, at RAM_BASE */
    uint32_t nr_harts;  /* 1..MAX_HARTS */
    uint32_t asid_bits; /* 0 or 9 */
    uint32_t time_div;  /* cycles per tick of `time` */
    bool     leaky;     /* profile: sensitive instructions that do not trap */
    bool     native_m;  /* a trap to M returns from hart_run() */
    bool     ad_fault;  /* A/D page-faults instead of a hardware update */
    bool     h_ext;     /* extension H: modes VS and VU, two-stage walks */
    uint32_t cost[NR_COSTS];
};

/* Counters of one hart. Same on every engine. */
struct hart_counters {
#define COUNTER(name, doc) uint64_t name;
#include "machine/counters.def"
#undef COUNTER
};

/* The CSRs that hold state. Windows (sstatus, sie, sip, the counters) are
 * computed from these. */
struct hart_csrs {
    uint32_t mstatus, medeleg, mideleg, mie, mip, mtvec, mcounteren;
    uint32_t mscratch, mepc, mcause, mtval;
    uint32_t stvec, scounteren, sscratch, sepc, scause, stval, satp;
    /* With extension H alone; the first row in the order of the one above. */
    uint32_t vstvec, vsstatus, vsscratch, vsepc, vscause, vstval, vsatp;
    uint32_t mstatush, mtval2, mtinst, hstatus, hedeleg, hideleg, hcounteren;
    uint32_t htval, htinst, hgatp, htimedelta, htimedeltah;
    uint32_t misa; /* of it the bits that can be written: H */
};

/* How one kind of access is translated at present. Derived from the mode and
 * the CSRs by mmu_refresh(), so that an access need not look at them. */
struct hart_view {
    bool     translated; /* Sv32 is on for this kind of access */
    bool     guest;      /* made with V = 1: vsatp, then hgatp */
    uint64_t context;    /* what its TLB entries are tagged with */
    uint64_t key;        /* what struct tlb_host of page 0 is tagged with */
};

/* What the views were derived from. */
struct view_from {
    uint32_t priv, mstatus, satp;
    uint32_t vsstatus, vsatp, hgatp; /* with virt */
    bool     virt, valid;
};

struct hart {
    struct regs          regs;
    struct hart_csrs     csr;
    uint32_t             id;
    uint32_t             priv;        /* PRIV_U, PRIV_S or PRIV_M */
    bool                 virt;        /* the V of extension H: VS and VU */
    bool                 waiting;     /* in wfi */
    bool                 stopped;     /* held in reset (HSM); never runs */
    bool                 reserved;    /* LR/SC reservation is held ... */
    uint32_t             reservation; /* ... on this physical word */
    uint64_t             cycle;       /* this hart's clock */
    uint64_t             instret;     /* instructions retired */
    struct tlb           tlb;
    struct hart_counters count;
    struct machine      *machine;

    /* Of a guest-page fault, on its way from the walk to trap_take(): what
     * xtval2 and xtinst will say. */
    uint32_t fault_gpa, fault_inst;

    /* Derived: up to date whenever hart_run() executes. */
    struct hart_view view[NR_ACCESS];
    struct view_from view_from;
    uint64_t         event; /* boundaries before this cycle need no look at
                                   timer, interrupts and `until` */
};

enum hart_exit {
    HART_UNTIL,  /* the clock reached the given cycle */
    HART_TRAP_M, /* native M-mode: a trap to M was taken; csr.mcause says */
    HART_IDLE,   /* in wfi, and no timer of this hart will ever wake it */
    HART_OFF,    /* the test device was written: machine_off() says what */
};

/* How the machine was switched off. */
struct power {
    bool     off;
    bool     reset; /* a reset was asked for, not power-off */
    uint32_t code;  /* 0 is success */
};

/* Make a machine with zeroed RAM, every hart in M at RAM_BASE; NULL if there
 * is no host memory, or for a configuration that machine_config_ok() refuses.
 */
bool machine_config_ok(const struct machine_config *config);
struct machine *machine_new(const struct machine_config *config);
void machine_free(struct machine *m);

const struct machine_config *machine_config(const struct machine *m);
struct hart *machine_hart(struct machine *m, uint32_t id);
struct power machine_power(const struct machine *m);

/*
 * Execute until the first instruction boundary at which hart->cycle >= until,
 * or something of enum hart_exit happens. Exactly the same stops, state and
 * counters on every engine. `until` at or before the present cycle executes
 * nothing. An interrupt is taken at the first boundary at which it is pending
 * and enabled, before the next instruction.
 *
 * Nothing is executed, and the answer is HART_IDLE, for a hart that is stopped
 * and for one in native M-mode (M-mode is the caller: hart_set_priv() first).
 * HART_IDLE leaves the clock where it is; hart_skip() moves it.
 */
enum hart_exit hart_run(struct hart *hart, uint64_t until);

/* One step, whatever it costs: one instruction retired, or one trap taken
 * (after the wait, if the hart is in wfi). HART_UNTIL if nothing else of enum
 * hart_exit came of it. */
enum hart_exit hart_step(struct hart *hart);

/* CSRs as M-mode sees them, with all their WARL rules and side effects (a
 * write of satp or mstatus changes translation, and so on). False if there is
 * no such CSR or it is read-only. */
bool hart_csr_read(struct hart *hart, uint32_t csr, uint32_t *val);
bool hart_csr_write(struct hart *hart, uint32_t csr, uint32_t val);

/* Change the mode that the next hart_run() executes in (native M-mode's
 * mret: the caller sets regs.pc and the rest of mstatus itself); with V = 0,
 * or with any V (which only a machine with extension H can set). */
void hart_set_priv(struct hart *hart, uint32_t priv);
void hart_set_mode(struct hart *hart, uint32_t priv, bool virt);

/* Let time pass for a hart that does nothing: its clock is moved forward to
 * `cycle`, never back. */
void hart_skip(struct hart *hart, uint64_t cycle);

/* Charge n steps of a kind to this hart's clock. */
void hart_charge(struct hart *hart, enum cost kind, uint32_t n);

/* sfence.vma on this hart: of one address or all, one ASID or all. Counts and
 * charges as the instruction does. */
void hart_fence(struct hart *hart, bool one_va, uint32_t va, bool one_asid,
                uint32_t asid);

/* hfence.vvma: as hart_fence(), for the guest whose VMID hgatp names (and who
 * has no ASIDs); and hfence.gvma, of one VMID or all. */
void hart_hfence_vvma(struct hart *hart, bool one_va, uint32_t va);
void hart_hfence_gvma(struct hart *hart, bool one_vmid, uint32_t vmid);

/* Has the time of mtimecmp come? */
bool hart_timer_due(const struct hart *hart);

/* The first cycle at which this hart can execute: now, or, in wfi with nothing
 * pending, when its timer ends that; CYCLE_NEVER if nothing of its own will. */
uint64_t hart_ready_cycle(const struct hart *hart);

/* time, as this hart reads it with V = 0, and the first cycle at which it reads t. */
uint64_t hart_time(const struct hart *hart);
#define CYCLE_NEVER UINT64_MAX /* ... if t lies beyond the end of the clock */
uint64_t machine_time_to_cycle(const struct machine *m, uint64_t t);

/* Physical memory. Reads of RAM may go through the pointer (NULL outside RAM;
 * valid to the end of that page). Every write from outside a hart goes through
 * machine_ram_write(), which drops reservations and decoded code; false, with
 * nothing written, if any byte is outside RAM. */
const uint8_t *machine_ram(const struct machine *m, uint32_t pa);
bool machine_ram_read(const struct machine *m, uint32_t pa, void *to,
                      uint32_t len);
bool machine_ram_write(struct machine *m, uint32_t pa, const void *from,
                       uint32_t len);
bool machine_ram_zero(struct machine *m, uint32_t pa, uint32_t len);

/* One bus access of 1, 2 or 4 bytes, RAM or device, naturally aligned. False
 * is an access fault. `hart` is who asks (devices know their time from it). */
bool machine_load(struct machine *m, struct hart *hart, uint32_t pa,
                  uint32_t size, uint32_t *val);
bool machine_store(struct machine *m, struct hart *hart, uint32_t pa,
                   uint32_t size, uint32_t val);

/* What one instruction of `hart` would see at gva in its present mode: walks
 * the tables without touching TLB, A/D bits, clock or counters. For debuggers
 * and tests. Returns -1 and *pa, or the cause of the fault. */
int hart_translate(const struct hart *hart, uint32_t va, enum access access,
                   uint32_t *pa);

/* The machine's own UART, from outside: what it has sent since last asked,
 * and a byte for it to receive (false if its FIFO is full: nothing is lost,
 * try again later). */
size_t machine_uart_take(struct machine *m, uint8_t *to, size_t max);
bool machine_uart_give(struct machine *m, uint8_t byte);
size_t machine_uart_pending(const struct machine *m);

/* Interrupt lines of the CLINT from native M-mode. */
void machine_set_msip(struct machine *m, uint32_t hart, bool on);
bool machine_msip(const struct machine *m, uint32_t hart);
void machine_set_mtimecmp(struct machine *m, uint32_t hart, uint64_t time);
uint64_t machine_mtimecmp(const struct machine *m, uint32_t hart);

/* Mix all architectural state (RAM, harts, devices) into a running hash. */
uint64_t machine_hash(const struct machine *m, uint64_t seed);

/* Where its owner keeps what goes back with the machine: arena.h. */
struct arena *machine_arena(struct machine *m);

/* Marks: places in a machine's life that it can be put back to, with all that
 * is in its arena, any number of times. Going back to one drops those that were
 * made after it; dropping one leaves the others. False: no memory. MARK_LOST:
 * while it ran there was no memory to keep what it overwrote. That holds for
 * all its marks, until they are dropped. */
enum mark_status { MARK_OK, MARK_UNKNOWN, MARK_LOST };
bool machine_mark(struct machine *m, uint32_t *mark);
enum mark_status machine_reset(struct machine *m, uint32_t mark);
enum mark_status machine_mark_drop(struct machine *m, uint32_t mark);

/* Frames of RAM that may have been written since the last mark, reset, or call
 * of this that had room for all of them. False: it has no marks. */
bool machine_written(struct machine *m, uint32_t *frames, uint32_t max,
                     uint32_t *count);

#endif
