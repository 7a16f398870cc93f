/* hv.h - the public C interface: one header, also what Python's cffi reads.
 *
 * A host is one machine together with what runs in M-mode on it: the
 * hypervisor, or only a firmware (the "bare" machine that every equivalence
 * test compares with). Guests are named by small numbers; number 0 always
 * means the bare machine itself: its physical memory, its harts as vCPUs, its
 * UART as console.
 *
 * No call crashes on bad input, on a guest's doing, or after an error; every
 * call that fails has changed nothing, unless it says otherwise. One thread at
 * a time may use a host; different hosts are independent. */
#ifndef HV_H
#define HV_H

#include <stddef.h>
#include <stdint.h>

/* cdef: begin */

typedef struct hv_host  hv_host;
typedef struct hv_image hv_image;

enum hv_status {
    HV_OK = 0,
    HV_ERR_INVALID,     /* an argument is outside its documented range */
    HV_ERR_NO_MEMORY,   /* the host has no memory for it */
    HV_ERR_NO_VM,       /* no such VM, or it was destroyed */
    HV_ERR_ADDRESS,     /* not in that guest's memory */
    HV_ERR_STATE,       /* not possible in this state */
    HV_ERR_UNSUPPORTED, /* this machine or style has no such thing */
    HV_ERR_AUDIT,       /* the audit found something that does not add up */
    HV_ERR_BROKEN,      /* an assertion failed in hv: the host is unusable */
    HV_ERR_IMAGE,       /* these bytes are no saved VM or host */
};

/* What runs in M-mode. */
enum hv_m_mode {
    HV_M_HYPERVISOR, /* native hypervisor: guests are VMs 1, 2, ... */
    HV_M_FIRMWARE,   /* native firmware: the guest is the machine, VM 0 */
    HV_M_CODE,       /* M-mode is machine code: the firmware is an image */
};

enum hv_engine { HV_ENGINE_REF, HV_ENGINE_FAST };
enum hv_profile { HV_PROFILE_CLEAN, HV_PROFILE_LEAKY };
enum hv_style {
    HV_STYLE_EMULATE,
    HV_STYLE_PV,
    HV_STYLE_ASSIST,
    HV_STYLE_NESTED,
    HV_STYLE_DIRECT,
    HV_NR_STYLES
};

/* What VMs are promised of the machine's memory when they are created. */
enum hv_admission {
    HV_ADMISSION_STRICT,     /* all of it, or they are refused */
    HV_ADMISSION_OVERCOMMIT, /* their min_size; the rest while there is some */
    HV_NR_ADMISSIONS
};

/* How the shadows of a VM follow its page tables. */
enum hv_sync {
    HV_SYNC_DEFAULT,      /* told for a kernel that tells, else lazy */
    HV_SYNC_LAZY,         /* brought up to date by the guest's fences */
    HV_SYNC_TRACE,        /* guest tables are watched, then out of sync */
    HV_SYNC_TRACE_STRICT, /* ... watched, and every store emulated */
    HV_SYNC_TOLD,         /* the kernel tells what it changed */
    HV_NR_SYNCS
};

/* How the scheduler chooses who runs: csrc/sched. */
enum hv_policy {
    HV_POLICY_RR,      /* round robin: who has waited longest */
    HV_POLICY_CREDIT,  /* weights, by credits given out each period */
    HV_POLICY_FAIR,    /* weights, by virtual time */
    HV_POLICY_EDF,     /* budgets and periods, earliest deadline first */
    HV_POLICY_SLOTS,   /* a fixed table of time slots */
    HV_POLICY_SAMPLED, /* credits by tick: an exhibit, and a mistake */
    HV_NR_POLICIES
};

/* 9 beneath a hypervisor, which uses them; 0 on the bare machine. A VM's own
 * satp never has ASIDs. */
#define HV_ASIDS_DEFAULT 0xffff

/* Fill with hv_config_default() first, then change what you want. */
struct hv_config {
    uint32_t m_mode;    /* enum hv_m_mode */
    uint32_t engine;    /* enum hv_engine */
    uint32_t profile;   /* enum hv_profile */
    uint32_t harts;     /* 1..8 */
    uint32_t ram_size;  /* bytes of machine memory, a multiple of 4096 */
    uint32_t asid_bits; /* 0 or 9; HV_ASIDS_DEFAULT */
    uint32_t ad_fault;  /* 1: A/D page-fault instead of a hardware update */
    uint32_t h_ext;     /* 1: extension H without a hypervisor, which always
                           has it */
    uint32_t time_div;  /* cycles per tick of `time` */
    uint32_t slice;     /* a scheduler time slice, in ticks of `time` */
    uint32_t policy;    /* enum hv_policy */
    uint32_t period;    /* ticks that caps and credits are given out for */
    uint32_t quantum;   /* cycles of a turn where several harts take turns */
    uint32_t audit;     /* 1: audit at every exit (slow, for debugging) */
    uint32_t fill;      /* byte that fresh hypervisor memory is filled with */
    uint32_t admission; /* enum hv_admission */
    uint32_t cost[32];  /* cycles per step, by hv_cost_name() */
};

/* What the scheduler is to do for a VM; it depends on the policy what counts. */
struct hv_sched {
    uint32_t weight; /* 1..65535: its share, against the other VMs' */
    uint32_t cap;    /* percent of one hart that it gets at most; 0: no cap */
    uint32_t budget; /* edf: ticks of `time` that each vCPU gets ... */
    uint32_t period; /* ... in each period of so many ticks; 0, 0: none */
    uint32_t gang;   /* 1: its vCPUs run at the same time */
};

struct hv_vm_config {
    uint32_t style;         /* enum hv_style */
    uint32_t mem_size;      /* bytes of guest memory, a multiple of 4096 */
    uint32_t vcpus;         /* 1..8 */
    uint32_t shadow_frames; /* size of the shadow pool, 0: default; at least 4
                               for each vCPU that can run at the same time */
    uint32_t sync;          /* enum hv_sync */
    uint32_t min_size;  /* bytes promised on a host that over-commits; as much
                          as mem_size, or more: all of it */
    uint64_t max_insns; /* end the VM after so many instructions; 0: never */
    struct hv_sched sched;
};

enum hv_vm_state {
    HV_VM_CREATED,  /* not yet booted */
    HV_VM_RUNNABLE, /* running or waiting for a hart */
    HV_VM_BLOCKED,  /* every vCPU waits for an interrupt */
    HV_VM_PAUSED,
    HV_VM_OFF,    /* it switched itself off; exit_code says how */
    HV_VM_KILLED, /* it broke a rule; hv_vm_reason() says which */
    HV_VM_BUDGET, /* its instruction budget ran out */
};

struct hv_vm_info {
    uint32_t state;     /* enum hv_vm_state */
    uint32_t style;     /* enum hv_style */
    uint32_t sync;      /* enum hv_sync, never the default */
    uint32_t exit_code; /* valid in HV_VM_OFF; 0 is success */
    uint32_t rebooted;  /* valid in HV_VM_OFF: 1 if it asked for a reset */
    uint32_t vcpus;
    uint32_t mem_size;      /* bytes */
    uint32_t frames;        /* guest frames populated */
    uint32_t frames_own;    /* ... that it shares with nobody */
    uint32_t shadow_frames; /* shadow frames in use now */
    uint64_t insns;         /* guest instructions retired, emulated included */
    uint64_t cycles;        /* guest plus hypervisor work; no waiting */
};

enum hv_run_reason {
    HV_RUN_DONE,    /* nothing is left to run: machine off, or no live VM */
    HV_RUN_BUDGET,  /* max_insns were executed */
    HV_RUN_BREAK,   /* a breakpoint: vm and vcpu say whose; not executed yet */
    HV_RUN_IDLE,    /* everybody waits, and only outside input can help */
    HV_RUN_CONSOLE, /* a console has much to drain; drain and run again */
    HV_RUN_ENDED,   /* a VM ended (off, killed, budget): vm says which */
    HV_RUN_EVENTS,  /* the trace is nearly full; fetch it and run again */
};

/* Instructions here are those executed, also one that ends in a trap; so a
 * guest that does nothing but trap uses up its budget, too. */
struct hv_run {
    uint64_t max_insns; /* in: at most this many, exactly; 0: no limit */
    uint32_t reason;    /* out: enum hv_run_reason */
    uint32_t vm, vcpu;  /* out: whom it is about */
    uint64_t insns;     /* out: instructions executed by this call */
};

/* A round of several harts: see hv_interleave_seed(). */
struct hv_round {
    uint32_t length;   /* cycles from where the last one ended, at least 1 */
    uint8_t  order[8]; /* of the harts; behind them 0, and ignored */
};

struct hv_host_info {
    uint32_t frames;          /* of machine memory */
    uint32_t frames_free;     /* owned by nobody */
    uint32_t frames_hyp;      /* owned by the hypervisor (shadows ...) */
    uint32_t frames_reserved; /* promised to VMs, not populated yet */
    uint32_t frames_shared;   /* the same for several guest frames */
    uint32_t killed;          /* VMs, because memory ran out */
    uint32_t vms;             /* that exist */
    uint64_t cycles;          /* of hart 0 */
    uint64_t insns;           /* of all harts */
};

enum hv_runstate {
    HV_RUNSTATE_RUNNING,
    HV_RUNSTATE_RUNNABLE, /* ... but others run: what it waits is stolen */
    HV_RUNSTATE_BLOCKED,  /* waits for an interrupt, or for memory */
    HV_RUNSTATE_OFFLINE,  /* stopped, or its VM is paused or has ended */
    HV_NR_RUNSTATES
};

struct hv_vcpu_info {
    uint32_t state;    /* enum hv_runstate */
    uint32_t hart;     /* where it runs, or waits, or was last; or HV_NONE */
    uint32_t affinity; /* mask of the harts that it may run on */
    uint32_t parked;   /* 1: runnable, but a cap or budget forbids it */
    uint64_t time[4];  /* ticks of `time` in each state */
    uint64_t charged;  /* cycles that it ran, and was worked for */
    int64_t  credit;   /* cycles of credit or budget left, if there are any */
    uint64_t insns;
};

struct hv_hart_info {
    uint64_t cycles; /* guest + hypervisor + idle, exactly */
    uint64_t guest, hypervisor, idle;
    uint32_t waiting;  /* vCPUs in its queue */
    uint32_t vm, vcpu; /* that it runs; vm 0: none */
};

/* What there is in a saved VM. */
struct hv_image_info {
    uint32_t version; /* of the format */
    uint32_t style;   /* enum hv_style */
    uint32_t sync;    /* enum hv_sync */
    uint32_t state;   /* enum hv_vm_state, but BLOCKED */
    uint32_t vcpus;
    uint32_t mem_size;      /* bytes */
    uint32_t shadow_frames; /* size of its shadow pool */
    uint32_t ad_fault;      /* as its machine was configured ... */
    uint32_t profile;       /* ... enum hv_profile */
    uint32_t frames;        /* guest frames populated ... */
    uint32_t frames_zero;   /* ... of which so many are all zero ... */
    uint32_t contents;      /* ... and the others have so many contents */
    uint32_t frames_gone;   /* in the balloon */
    uint32_t out, in;       /* bytes at its console that nobody has taken */
    uint64_t insns, ticks;  /* that it retired; that it is old */
};

/* A row of the table of fixed slots: whose turn it is, for how many ticks.
 * VM 0 is nobody. */
struct hv_slot { uint32_t vm, ticks; };

/* What happened, when (the clock of that hart, in cycles), and to whom. */
struct hv_event {
    uint64_t cycle;
    uint32_t kind; /* by hv_event_name() */
    uint32_t hart, vm, vcpu, arg;
};

#define HV_NONE         0xffffffff /* no frame, no shadow, no ASID */
#define HV_OWNER_FREE   0
#define HV_OWNER_HYP    0xffffffff
#define HV_OWNER_SHARED 0xfffffffe /* by guest frames of one or more VMs */

enum hv_frame_type {
    HV_FRAME_PLAIN,
    HV_FRAME_SHADOW,     /* the hypervisor's: a shadow table */
    HV_FRAME_STAGE2,     /* the hypervisor's: a table of a second stage */
    HV_FRAME_LEAF_TABLE, /* a VM's: its own table, validated (direct) ... */
    HV_FRAME_ROOT_TABLE, /* ... of level 1 */
};

struct hv_frame {
    uint32_t owner; /* HV_OWNER_x, or a VM's number */
    uint32_t type;  /* enum hv_frame_type */
    uint32_t refs;
    uint32_t uses;    /* as its type; plain: mappings that can write it */
    uint32_t gfn;     /* where its VM sees it, or HV_NONE */
    uint32_t serves;  /* the hypervisor's: the VM that it is for; else 0 */
    uint32_t traced;  /* shadow tables that follow every store to it */
    uint32_t entries; /* shadow entries that name it, links included ... */
    uint32_t foreign; /* ... in shadows of VMs that do not own it */
};

/* An entry of a shadow table that names a frame. */
struct hv_entry {
    uint32_t vm, shadow; /* whose table, and which: see hv_shadow() */
    uint32_t index, pte;
};

/* What a shadow table was made from: see hyp/shadow.h. */
enum hv_shadow_kind {
    HV_SHADOW_ROOT,     /* the guest's level-1 table at gfn, seen by a role */
    HV_SHADOW_LEAF,     /* its level-0 table at gfn, seen by a role */
    HV_SHADOW_FRAGMENT, /* 4 MiB of memory from gfn on, with these rights */
    HV_SHADOW_BARE,     /* root of the untranslated mode */
};
enum hv_shadow_role {
    HV_ROLE_USER,
    HV_ROLE_KERNEL,
    HV_ROLE_KERNEL_SUM,
    HV_ROLE_ASSIST,
};

struct hv_shadow {
    uint32_t live;    /* 0: unused, and nothing else here counts but hfn */
    uint32_t kind;    /* enum hv_shadow_kind */
    uint32_t role;    /* enum hv_shadow_role; of a root or leaf */
    uint32_t rights;  /* bits of an entry; of a fragment, or a BARE root */
    uint32_t gfn;     /* of what it was made from */
    uint32_t hfn;     /* where it lies; HV_NONE: nowhere yet */
    uint32_t holds;   /* vCPUs that run on it */
    uint32_t links;   /* entries of roots that lead to it */
    uint32_t traced;  /* 1: stores to the guest's table are seen */
    uint32_t entries; /* that are valid */
    uint32_t asid;    /* the TLB's name for it, HV_NONE: none that is valid */
};

/* What a vCPU really runs with, whatever its guest believes. If that is no
 * shadow, `shadow` is HV_NONE, and what follows it does not count. While stores
 * of a VM of style `direct` are logged, that is a shadow of `root`. */
struct hv_real {
    uint32_t running; /* 1: a hart has its state now */
    uint32_t mode;    /* real privilege: 0 U, 1 S */
    uint32_t satp;    /* the hart's (nested: hgatp); 0 if not running */
    uint32_t root;    /* frame of a root that is no shadow: of its second stage
                         (nested), of its own tables (direct); or HV_NONE */
    uint32_t shadow;  /* root that it runs on, or would; HV_NONE: none yet */
    uint32_t kind, role, rights, gfn; /* of the root that it asks for */
};

enum hv_balloon_state {
    HV_BALLOON_REACHED,   /* it has no more than it is asked to have */
    HV_BALLOON_NO_DRIVER, /* its guest has never asked how much that is */
    HV_BALLOON_WORKING,   /* its guest is about it */
    HV_BALLOON_STUCK,     /* its guest says that it can spare no more */
};

/* All sizes in frames of 4096 bytes. */
struct hv_balloon {
    uint32_t target; /* what the host set; at first, all */
    uint32_t asked;  /* what the guest is told: less while memory is short */
    uint32_t actual; /* not given back, populated or not */
    uint32_t state;  /* enum hv_balloon_state */
};

struct hv_tlb_entry {
    uint32_t valid;
    uint32_t va;      /* page */
    uint32_t pa;      /* page */
    uint32_t context; /* privilege, SUM, MXR, ASID: see machine/tlb.c */
    uint32_t mega;    /* a fragment of a megapage */
};

/* Register numbers: 0-31 are x0-x31. CSRs are HV_REG_CSR + number: the
 * guest's own view of them (what it would read), for any CSR its kernel has. */
enum hv_reg { HV_REG_PC = 32, HV_REG_PRIV = 33, HV_REG_CSR = 0x1000 };

enum hv_access { HV_FETCH, HV_LOAD, HV_STORE };
enum hv_counter_group { HV_COUNTERS_HART, HV_COUNTERS_VM };

const char *hv_version(void);
const char *hv_status_text(int status);
uint32_t hv_cost_count(void);
const char *hv_cost_name(uint32_t i); /* NULL past the end */
const char *hv_cost_doc(uint32_t i);
uint32_t hv_counter_count(int group);
const char *hv_counter_name(int group, uint32_t i);
const char *hv_counter_doc(int group, uint32_t i);

/* Hosts. hv_host_new() writes NULL and fails with INVALID or NO_MEMORY; `why`
 * (n bytes, may be NULL) then says what was wrong and what would be right. */
void hv_config_default(struct hv_config *config);
int hv_host_new(const struct hv_config *config, hv_host **out, char *why,
                size_t n);
void hv_host_free(hv_host *host);
int hv_host_info(hv_host *host, struct hv_host_info *out);
/* Why the host is broken; empty if it is not. */
const char *hv_host_reason(hv_host *host);

/* VMs. */
void hv_vm_config_default(struct hv_vm_config *config);
int hv_vm_create(hv_host *host, const struct hv_vm_config *config, uint32_t *vm,
                 char *why, size_t n);
int hv_vm_destroy(hv_host *host, uint32_t vm);
int hv_vm_info(hv_host *host, uint32_t vm, struct hv_vm_info *out);
int hv_vm_reason(hv_host *host, uint32_t vm, char *why, size_t n);
/* Virtualize a VM in another way from here on; its guest cannot tell. STATE if
 * its kernel is not made for that style. */
int hv_vm_set_style(hv_host *host, uint32_t vm, uint32_t style);
/* Let its shadows follow in another way; STATE if its kernel does not tell. */
int hv_vm_set_sync(hv_host *host, uint32_t vm, uint32_t sync);
int hv_vm_pause(hv_host *host, uint32_t vm);
int hv_vm_resume(hv_host *host, uint32_t vm);
/* Start vCPU 0 at `entry` in the guest's kernel mode (M-mode on HV_M_CODE),
 * untranslated, with a0 = its id, a1 and a2 as given. */
int hv_vm_boot(hv_host *host, uint32_t vm, uint32_t entry, uint32_t a1,
               uint32_t a2);

/* Save a VM as bytes, which say all that its guest could tell, and nothing of
 * who ran it: any engine, and a core of any compiler, can restore them. Saving
 * lets the VM stand still for a moment, with no shadow and no TLB entry left;
 * from there on, it and what is restored from its image have the same future.
 * UNSUPPORTED for style `direct`. */
int hv_vm_save(hv_host *host, uint32_t vm, hv_image **out, char *why, size_t n);
/* The image: its size, and at most `max` bytes of it. */
size_t hv_image_size(const hv_image *image);
size_t hv_image_read(const hv_image *image, size_t from, uint8_t *to,
                     size_t max);
void hv_image_free(hv_image *image);
/* What is in it, without a host. IMAGE as hv_vm_restore() says it. */
int hv_image_info(const uint8_t *bytes, size_t len, struct hv_image_info *out,
                  char *why, size_t n);
/* Make a VM of an image, with an id of its own, in the state it was saved in.
 * Its time goes on where it was. IMAGE, and nothing changed, for all bytes that
 * no VM could have been saved as; NO_MEMORY, STATE as from hv_vm_create();
 * UNSUPPORTED if the machine is one on which its guest could not go on. */
int hv_vm_restore(hv_host *host, const uint8_t *bytes, size_t len, uint32_t *vm,
                  char *why, size_t n);
/* Make a second VM in the state of the first, with its memory: no page is
 * copied until one of the two writes to it. What the first has printed, but
 * nobody taken, is the first's alone, and a log of stores is not begun.
 * NO_MEMORY as from hv_vm_create(); UNSUPPORTED where pages are not shared:
 * style `direct`, policy slots. */
int hv_vm_fork(hv_host *host, uint32_t vm, uint32_t *child, char *why,
               size_t n);

/* Execute. Returns to the caller only for a reason of enum hv_run_reason; a
 * run cut into pieces is the same run. */
int hv_run(hv_host *host, struct hv_run *run);
/* One architectural step of this vCPU alone: one instruction retired, or one
 * trap or interrupt taken by the guest. Other VMs do not run meanwhile. */
int hv_step(hv_host *host, uint32_t vm, uint32_t vcpu);
int hv_break(hv_host *host, uint32_t vm, uint32_t pc, int on);

/* Harts take turns in rounds: each runs once, until its clock reaches the end
 * of the round. So their clocks are a quantum apart at most, and what the last
 * instruction or exit of a turn takes; a hart that waits has its clock moved
 * along, and when all wait, all are moved to the next timer. One hart alone has
 * no rounds. hv_step() is outside of them: the hart that it moved ahead is
 * waited for. What follows is about rounds that have not begun:
 *
 * Draw order and length (1 to the quantum) of a round from (seed, number of the
 * round); interleave.c says how. 0: the order of their numbers, and cuts at the
 * multiples of the quantum. */
int hv_interleave_seed(hv_host *host, uint64_t seed);
/* So many rounds are to be these, whatever the seed. INVALID if one has length
 * 0 or does not name each hart once. */
int hv_interleave_set(hv_host *host, const struct hv_round *rounds, uint32_t n);
/* Begin a new record of rounds, or stop. Where it began before the first run,
 * it is all that hv_interleave_set() needs to make the same run again. Get: at
 * most `max` are written, from number `first` on (0 is the oldest), *count is
 * how many there are; NO_MEMORY if there was none to note a round. */
int hv_interleave_record(hv_host *host, int on);
int hv_interleave_get(hv_host *host, uint32_t first, struct hv_round *out,
                      uint32_t max, uint32_t *count);

/* A guest's state. Memory is by guest-physical address; a write populates. */
int hv_mem_read(hv_host *host, uint32_t vm, uint32_t gpa, void *to, size_t len);
int hv_mem_write(hv_host *host, uint32_t vm, uint32_t gpa, const void *from,
                 size_t len);
int hv_reg_get(hv_host *host, uint32_t vm, uint32_t vcpu, uint32_t reg,
               uint32_t *out);
int hv_reg_set(hv_host *host, uint32_t vm, uint32_t vcpu, uint32_t reg,
               uint32_t val);
/* Through the guest's own tables, as its present mode would see it: *fault is
 * -1 and *gpa valid, or the cause of the fault. Changes nothing. */
int hv_translate(hv_host *host, uint32_t vm, uint32_t vcpu, uint32_t gva,
                 int access, uint32_t *gpa, int *fault);
/* `id` is that of a hart or of a VM. */
int hv_counters(hv_host *host, uint32_t id, int group, uint64_t *out,
                uint32_t n);

/* Scheduling. Parameters may change at any time; INVALID, with `why`, if they
 * are out of range, and STATE if the policy cannot promise so much. */
int hv_sched_get(hv_host *host, uint32_t vm, struct hv_sched *out);
int hv_sched_set(hv_host *host, uint32_t vm, const struct hv_sched *sched,
                 char *why, size_t n);
int hv_affinity_set(hv_host *host, uint32_t vm, uint32_t vcpu, uint32_t harts,
                    char *why, size_t n);
/* At most 64 rows, of at least one tick and `slice` ticks in all; from the next
 * turn of the present table on. UNSUPPORTED under another policy. */
int hv_slots_set(hv_host *host, const struct hv_slot *slots, uint32_t count,
                 char *why, size_t n);
int hv_vcpu_info(hv_host *host, uint32_t vm, uint32_t vcpu,
                 struct hv_vcpu_info *out);
int hv_hart_info(hv_host *host, uint32_t hart, struct hv_hart_info *out);

/* Watching. Events of the kinds in `mask` are noted, `capacity` of them at
 * most; hv_run() returns before there are more than that. A new watch, or mask
 * 0, forgets the old. Take returns how many it wrote, oldest first. */
uint32_t hv_event_count(void);
const char *hv_event_name(uint32_t i); /* NULL past the end */
const char *hv_event_doc(uint32_t i);
int hv_watch(hv_host *host, uint32_t mask, uint32_t capacity);
uint32_t hv_watch_take(hv_host *host, struct hv_event *out, uint32_t max);

/* Consoles: what the guest has written since last asked (returns the number of
 * bytes), and input for it (returns how many bytes were taken). Output that
 * there is no memory to keep is lost, which no guest can tell. */
size_t hv_console_take(hv_host *host, uint32_t vm, uint8_t *to, size_t max);
size_t hv_console_give(hv_host *host, uint32_t vm, const uint8_t *from,
                       size_t len);

/* Looking inside. hv_audit() recomputes every invariant of the hypervisor and
 * checks the TLB against the tables; `why` names the first violation. Nothing
 * below changes anything. */
int hv_audit(hv_host *host, char *why, size_t n);
int hv_hash(hv_host *host, uint64_t *out);
int hv_frame_info(hv_host *host, uint32_t hfn, struct hv_frame *out);
int hv_frames(hv_host *host, uint32_t first, uint32_t n, struct hv_frame *out);
/* The entries that name a frame: at most `max` are written, *count is how many
 * there are. */
int hv_frame_entries(hv_host *host, uint32_t hfn, struct hv_entry *out,
                     uint32_t max, uint32_t *count);
/* RAM of the machine, by machine address. */
int hv_machine_read(hv_host *host, uint32_t hpa, void *to, size_t len);
/* Table n of a VM's pool of shadows: INVALID past its end. */
int hv_shadow(hv_host *host, uint32_t vm, uint32_t n, struct hv_shadow *out);
int hv_shadow_entry(hv_host *host, uint32_t vm, uint32_t n, uint32_t index,
                    uint32_t *pte);
int hv_real(hv_host *host, uint32_t vm, uint32_t vcpu, struct hv_real *out);
int hv_p2m(hv_host *host, uint32_t vm, uint32_t gfn, uint32_t *hfn);
int hv_tlb(hv_host *host, uint32_t hart, int access, uint32_t index,
           struct hv_tlb_entry *out);

/* What is done with guest memory. UNSUPPORTED where the VM's style needs its
 * frames to stay where they are. How many frames a guest is to have: its
 * balloon driver gives the others back, if it has one. */
int hv_balloon_set(hv_host *host, uint32_t vm, uint32_t frames);
int hv_balloon_info(hv_host *host, uint32_t vm, struct hv_balloon *out);
/* Look at so many guest frames of all VMs, going on where the last scan ended
 * (0: at all of them, from the beginning), and keep equal ones once. */
int hv_share_scan(hv_host *host, uint32_t frames, uint32_t *merged);
/* Note which pages change. Fetch sets the bits of those that have since the
 * start or the last fetch (bit n of the map is guest frame RAM_BASE / 4096 + n;
 * the others are cleared), and begins anew; n is the size of the map in bytes,
 * enough for mem_size. STATE where it is on or off already. A VM of style
 * `direct` runs on shadows of its tables between start and stop. */
int hv_dirty_start(hv_host *host, uint32_t vm);
int hv_dirty_fetch(hv_host *host, uint32_t vm, uint8_t *map, size_t n,
                   uint32_t *count);
int hv_dirty_stop(hv_host *host, uint32_t vm);

/* Marks: places in a host's life that it can be put back to, exactly and any
 * number of times: what was then, is, from RAM, clocks, TLBs and counters to
 * consoles, breakpoints, watch and allocations; a VM that was destroyed is
 * there again, and one that was made is not. Numbers are never used twice.
 * Reset drops the marks made after that one, and mends a broken host; NO_MEMORY
 * if there was none to keep what the host overwrote, which then goes for all of
 * its marks. Drop leaves the other marks; INVALID: there is no such mark. */
int hv_mark(hv_host *host, uint32_t *mark);
int hv_reset(hv_host *host, uint32_t mark);
int hv_mark_drop(hv_host *host, uint32_t mark);
/* Frames of machine memory that were written since the last mark, reset, or
 * call of this that had room for all: at most `max` are written to `hfns`, and
 * *count is how many there are. STATE if the host has no marks. */
int hv_written(hv_host *host, uint32_t *hfns, uint32_t max, uint32_t *count);
/* For tests: of what the hypervisor allocates for itself, number n from now on
 * is refused, as if there were no memory; 0: none. */
int hv_fail_alloc(hv_host *host, uint32_t n);

/* Equivalence: the same program on the bare machine and in a VM, compared
 * after every step. lockstep.c says what "the same" means. */
enum hv_privgen_flags {
    HV_PRIVGEN_UNFENCED = 1, /* may leave out fences, and edit tables wildly */
    HV_LOCKSTEP_MOVES = 2,   /* a batch changes style and sync as it goes */
    HV_LOCKSTEP_SHARES = 4,  /* ... has a twin, and shares and logs pages */
};
#define HV_PRIVGEN_RAM 131072 /* memory that a generated program expects */

enum hv_lockstep_end {
    HV_LOCKSTEP_SAME,   /* nothing differed */
    HV_LOCKSTEP_LEGAL,  /* they parted where the architecture lets them */
    HV_LOCKSTEP_DIFFER, /* they differ: hv_divergence says where */
    HV_LOCKSTEP_BROKEN, /* a failed assertion or audit: hv_host_reason() */
};

enum hv_lockstep_what { /* else a register number, as in hv_reg_get() */
                        HV_LOCKSTEP_MEMORY = 0x10000,
                        HV_LOCKSTEP_ENDING, /* running, idle, off ...: enum hv_lockstep_life */
                        HV_LOCKSTEP_CONSOLE, /* what was written: its hash */
                        HV_LOCKSTEP_LOG,     /* a page that changed, unlogged */
};

enum hv_lockstep_life {
    HV_LOCKSTEP_RUNS,
    HV_LOCKSTEP_IDLE,
    HV_LOCKSTEP_OFF,
    HV_LOCKSTEP_KILLED,
};

struct hv_divergence {
    uint64_t seed;         /* of the program, if it was generated */
    uint32_t end;          /* enum hv_lockstep_end */
    uint32_t steps;        /* that were equal; the next one was not */
    uint32_t what;         /* register, or enum hv_lockstep_what */
    uint32_t gpa;          /* of the memory word that differs */
    uint32_t bare, vm;     /* the two values */
    uint32_t trail_pc[10]; /* the last steps, that one included; oldest first */
    uint32_t trail_insn[10];
    uint32_t trail_len;
};

/* What the programs of a batch did, so that a test knows what it has tested. */
struct hv_coverage {
    uint64_t programs, steps, legal;
    uint64_t traps[16], irqs[16]; /* taken by the guest, by cause */
    uint64_t vm[64];              /* sums of the VMs' counters */
};

/* Make the random program of this seed: `n` bytes, at least HV_PRIVGEN_RAM, to
 * be put at the start of memory and booted there. */
int hv_privgen(uint64_t seed, uint32_t flags, uint8_t *image, size_t n);
/* Step a booted bare machine (with firmware) and a booted VM that were in the
 * same state, until they differ, end, or made max_steps. */
int hv_lockstep(hv_host *bare, hv_host *host, uint32_t vm, uint32_t max_steps,
                struct hv_divergence *out);
/* Shadow pools of all sizes: a batch gives the program of a seed this one. */
uint32_t hv_lockstep_pool(uint64_t seed);
/* Make the pair that hv_lockstep() wants, with this program booted in both.
 * `guest` says how the VM is virtualized; its mem_size does not count. Hosts
 * are to be freed by the caller. */
int hv_lockstep_pair(const struct hv_config    *config,
                     const struct hv_vm_config *guest, const uint8_t *image,
                     size_t n, hv_host **bare, hv_host **host, uint32_t *vm);
/* Programs first, first + 1, ... until one differs; adds to *coverage. The
 * shadow pool is hv_lockstep_pool() of the program. */
int hv_lockstep_batch(const struct hv_config    *config,
                      const struct hv_vm_config *guest, uint64_t first,
                      uint32_t count, uint32_t flags, uint32_t max_steps,
                      struct hv_divergence *out, struct hv_coverage *coverage);

/* cdef: end */

#endif
