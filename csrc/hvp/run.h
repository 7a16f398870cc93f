/* run.h - what the files of csrc/hvp share while a program is executed.
 *
 * Reading order: format.h (what bytes mean), world.c (the prepared state),
 * operand.c (what operands mean in it), act.c (one instruction of a guest),
 * guest_*.c and host_*.c (one function per row of ops.def), check*.c (what must
 * hold after each), execute.c (all of that, for one program). */
#ifndef HV_HVP_RUN_H
#define HV_HVP_RUN_H

#include "api/host.h"
#include "hvp/board.h"
#include "hvp/format.h"
#include "hyp/hyp.h"

#define HVP_VMS    4
#define HVP_VCPUS  2
#define HVP_PAGES  32  /* of a VM, at most */
#define HVP_FRAMES 512 /* of the machine, at most */
#define HVP_IDS    64  /* of VMs that are remembered */
#define HVP_PAST   8   /* stale handles that are remembered, of each kind */

/* The pages of a VM: tables.c builds what stands in those of tables. */
enum hvp_page {
    HVP_PAGE_CODE,
    HVP_PAGE_SHARED, /* pv, direct: traps are told here */
    HVP_PAGE_LISTS,  /* for calls that take one */
    HVP_PAGE_ROOT,
    HVP_PAGE_IDENTITY, /* leaf table: all of its RAM where it is, kernel's */
    HVP_PAGE_WINDOW,   /* leaf table: code and data, for user mode as well */
    HVP_PAGE_ROOT2,    /* another address space; direct: that of user mode */
    HVP_PAGE_DATA,     /* the first of the pages with nothing but tags */
};

#define HVP_FIRST    (RAM_BASE >> PAGE_SHIFT)
#define HVP_WINDOW   0x40000000u
#define HVP_WINDOWED 24u /* pages of the window that programs map */

/* One instruction each, in the page of code; behind each a loop, so that what
 * runs on does nothing else. */
enum hvp_slot {
    HVP_SLOT_TRAP,
    HVP_SLOT_LOAD1,
    HVP_SLOT_LOAD2,
    HVP_SLOT_LOAD4,
    HVP_SLOT_STORE1,
    HVP_SLOT_STORE2,
    HVP_SLOT_STORE4,
    HVP_SLOT_AMO,
    HVP_SLOT_LR,
    HVP_SLOT_SC,
    HVP_SLOT_ECALL,
    HVP_SLOT_SRET,
    HVP_SLOT_WFI,
    HVP_SLOT_SFENCE,
    HVP_SLOT_SFENCE_ALL,
    HVP_SLOT_JUMP,
    HVP_SLOT_CSR,  /* written anew each time, one for each vCPU */
    HVP_SLOT_CSR1, /* ... this is vCPU 1's */
    HVP_SLOT_INSN,
    HVP_SLOT_INSN1,
    HVP_NR_SLOTS
};

/* What a vCPU must do before it may count on what its tables say. */
enum hvp_owes {
    HVP_OWES_NOTHING,
    HVP_OWES_ONE,
    HVP_OWES_ALL,
    HVP_OWES_PROGRAM, /* ... and wants to go without, until it makes one */
};

struct hvp_vcpu {
    uint8_t  owes;    /* enum hvp_owes: a fence */
    uint32_t owes_va; /* ... of this page */
    bool     linked;  /* it may have a reservation */
    uint32_t hart;    /* where it was stepped last */
    bool     left;    /* another vCPU was there since it reserved */
};

struct hvp_past { uint32_t handle[HVP_PAST], count; };

struct hvp_vm {
    uint32_t id;     /* hv's; 0: there is none in this place */
    uint32_t serial; /* whose tags its memory had at first */
    uint32_t kin;    /* whose it may have, as a mask: forks have a parent's */
    bool     tried;  /* somebody wanted a VM in this place */
    uint32_t pages, vcpus, style;
    uint32_t target;  /* how many of its pages its host wants it to have */
    bool     pv;      /* kernel of a style that calls */
    bool     clocked; /* what time it was may be anywhere in its memory */
    uint64_t tables;  /* pages that are or were tables, as a mask */
    struct hvp_vcpu vcpu[HVP_VCPUS];
    struct hvp_past unmapped, given, unpinned; /* gva, gfn, gfn */
    bool            logging;
    uint8_t        *logged; /* its memory when the log began; context's */
};

/* One operation, with its operands resolved. */
struct hvp_act {
    const struct hvp_record *record;
    struct hvp_vm           *vm;
    uint32_t                 place;  /* of the VM */
    uint32_t                 vcpu;   /* that exists */
    bool                     kernel; /* the mode it acts in */
    uint32_t                 a, b, c;
};

/* What became of an instruction. */
struct hvp_outcome {
    bool     done;    /* it was executed: retired, or it trapped */
    bool     trapped; /* an exception was delivered to its kernel */
    uint32_t cause, tval;
};

/* What the actor of each operation saw, and up to where that cannot depend on
 * time, by place. */
struct hvp_trace {
    uint64_t seen[HVP_MAX_RECORDS];
    uint8_t  who[HVP_MAX_RECORDS]; /* place, plus 1 */
    bool     chance[HVP_MAX_RECORDS];
    uint32_t until[HVP_VMS];
};

/* The live snapshot: save, reset. */
struct hvp_saved {
    bool          there;
    uint32_t      mark, serials, nr_ids;
    uint64_t      hash;
    struct hvp_vm vm[HVP_VMS];
};

/* Frames that were written, and what is known of their contents. */
enum hvp_hashed { HVP_HASHED_NOT, HVP_HASHED_BYTES, HVP_HASHED_TABLE };
struct hvp_touched {
    uint8_t  ever[HVP_FRAMES];   /* since the program began */
    uint8_t  listed[HVP_FRAMES]; /* it is one of ... */
    uint16_t recent[HVP_FRAMES]; /* ... those since hvp_touch_anew() */
    uint32_t nr_recent;
    uint8_t  hashed[HVP_FRAMES]; /* enum hvp_hashed: as what ... */
    uint64_t hash[HVP_FRAMES];   /* ... this is its hash */
};

/* How it was before the operation. */
struct hvp_before {
    uint64_t cycles, worked, exits, cpu[HVP_VMS];
    uint32_t hfn[HVP_VMS][HVP_PAGES]; /* what the p2m of the others named */
    uint64_t period_end, time;        /* ticks */
    const struct vcpu *current[MAX_HARTS];
    struct hvp_shares {
        uint32_t vm; /* 0: no such vCPU */
        bool     ready, queued, parked;
        int64_t  credit;
        uint64_t charged, vtime, deadline;
    } shares[HVP_VMS][HVP_VCPUS];
};

struct hvp_run {
    struct hvp_context *context;
    hv_host            *host;
    uint32_t            oracles, flags, world, secret, fill;
    bool                ample;  /* many shadow tables */
    bool                edf;    /* ... as policy, where it would be rr */
    bool                budget; /* VMs end after a few instructions */
    bool                single; /* who owes the fence of a page, makes that */
    uint32_t            index;  /* of the record being executed */
    uint32_t            serials;
    uint32_t            ids[HVP_IDS], nr_ids; /* that VMs have had */
    struct hvp_vm       vm[HVP_VMS];
    struct hvp_verdict *out;
    struct hvp_outcome  last;        /* of the operation's last instruction */
    bool                interrupted; /* ... before which an interrupt came */
    bool                disturbed;   /* ... or before an earlier one of it */
    bool                timely;      /* the operation may have seen the time */
    bool                merged;      /* pages may have been shared */
    struct hvp_trace   *trace;
    struct hvp_saved    saved;
    uint32_t            preempt; /* operations until somebody is first ... */
    uint32_t            first;   /* ... and who: place, vCPU */
    struct hvp_before   before;
    const struct hvp_prepared *prepared;
    struct hvp_touched         touched;
};

/* A world as programs begin with it. */
struct hvp_prepared {
    uint32_t      key; /* all that it depends on */
    uint64_t      used;
    hv_host      *host; /* NULL: none */
    uint32_t      mark;
    bool          marked;
    struct hvp_vm vm[HVP_VMS];
    uint32_t      serials;
    uint64_t      frame[HVP_FRAMES]; /* hash of each */
};
#define HVP_PREPARED 24

struct hvp_context {
    uint32_t            oracles, audit_every;
    uint64_t            muted; /* properties: bit n is Pn */
    uint8_t            *map;
    uint8_t            *logged; /* HVP_VMS times HVP_PAGES pages */
    struct hvp_decoded  program;
    struct hvp_trace    trace[2];   /* of a program, and of its second run */
    bool                other_tags; /* words that say whose they are */
    struct hvp_run      run;
    struct hvp_prepared prepared[HVP_PREPARED];
    uint64_t            runs;
};

/* cycle, time, instret, or the upper half of one. */
static inline bool hvp_is_counter(uint32_t csr)
{
    return (csr & 0xf7f) >= CSR_CYCLE && (csr & 0xf7f) <= CSR_INSTRET;
}

/* This guest frame is, or was, one of its tables. */
static inline void hvp_table_add(struct hvp_vm *vm, uint32_t gfn)
{
    uint32_t page = gfn - HVP_FIRST;

    if (page < vm->pages && page < HVP_PAGES)
        vm->tables |= 1ull << page;
}

/* The first violation counts. */
void hvp_fail(struct hvp_run *run, const char *property, const char *format,
              ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
static inline bool hvp_failed(const struct hvp_run *run)
{
    return run->out->property[0];
}

static inline bool hvp_checks(const struct hvp_run *run, uint32_t oracle)
{
    return run->oracles & oracle;
}

static inline uint64_t hvp_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

/* prepared.c: the world of this program, made now or put back to what it was
 * before another one. False: no memory for it. */
bool hvp_begin(struct hvp_run *run);
void hvp_forget(struct hvp_context *context);

/* world.c. False: no memory for such a world. */
bool hvp_world_make(struct hvp_run *run);
/* A VM in this place; false: the host refused it. */
bool hvp_vm_make(struct hvp_run *run, uint32_t place, uint32_t style,
                 uint32_t pages);
/* There is a VM of this id. */
void hvp_id_note(struct hvp_run *run, uint32_t id);
void hvp_vm_gone(struct hvp_run *run, uint32_t place);

/* tag.c: the words that fill a VM's memory, and whose they are. */
#define HVP_TAGS 256 /* different ones of each VM */
uint32_t hvp_tag(const struct hvp_run *run, uint32_t serial, uint32_t index);
/* Its serial, modulo 16; 0: nobody's. */
uint32_t hvp_tag_owner(const struct hvp_run *run, uint32_t word);
/* The offset of the first 64 bytes of a frame with somebody's tag in them;
 * PAGE_SIZE if there are none. */
uint32_t hvp_tag_find(const struct hvp_run *run, const uint8_t *frame);
/* A mask for `kin`. */
uint32_t hvp_tag_bit(uint32_t serial);
/* Somebody's, whose words have no business in this VM. */
bool hvp_tag_foreign(const struct hvp_vm *vm, uint32_t owner);

/* tables.c: pages of code and tables, as they are at first. */
bool hvp_tables_write(struct hvp_run *run, struct hvp_vm *vm);
uint32_t hvp_slot_at(uint32_t slot); /* offset in the page of code */
uint32_t hvp_code(uint32_t slot);    /* the instruction there at first */
/* Where entry `slot` of its tables lies, and what it translates. */
struct hvp_place {
    uint32_t gpa, gva;
    bool     root;
};
struct hvp_place hvp_place(uint32_t slot);
/* The number that an entry has to hold to name this guest frame. */
uint32_t hvp_frame_number(struct hvp_run *run, const struct hvp_vm *vm,
                          uint32_t gfn);

/* operand.c */
void hvp_resolve(struct hvp_run *run, struct hvp_act *act);
void hvp_past_add(struct hvp_past *past, uint32_t handle);

/* act.c: registers and one instruction. */
struct vm *hvp_live(struct hvp_run *run, const struct hvp_vm *vm);
/* Put it on this instruction of its code, in its mode, with t0 and t1 as given,
 * and step. */
struct hvp_outcome hvp_do(struct hvp_run *run, struct hvp_act *act,
                          uint32_t slot, uint32_t t0, uint32_t t1);
/* The same for a call; *error and *value if it came back. */
bool hvp_call(struct hvp_run *run, struct hvp_act *act, uint32_t ext,
              uint32_t fn, const uint32_t *arg, int32_t *error);
/* A word of its code becomes this instruction. False: it cannot be written. */
bool hvp_patch(struct hvp_run *run, struct hvp_act *act, uint32_t slot,
               uint32_t insn);
uint32_t hvp_reg(struct hvp_run *run, const struct hvp_act *act, uint32_t reg);
/* One step of wherever it is. */
bool hvp_step(struct hvp_run *run, struct hvp_act *act);
/* Some steal time is told where this one is told of traps. */
bool hvp_overwritten(const struct vm *vm, const struct vcpu *vcpu);
/* Read a word of its memory as it is now; 0 where there is none. */
uint32_t hvp_peek(struct hvp_run *run, const struct hvp_vm *vm, uint32_t gpa);
/* A frame of its memory, or NULL. */
const uint8_t *hvp_frame(struct hvp_run *run, const struct hvp_vm *vm,
                         uint32_t page);

/* guest_*.c, host_*.c: one for each row. */
#define HVP_OP(number, name, phase, who, a, b, c, weight, feature, doc) \
    void hvp_op_do_##name(struct hvp_run *run, struct hvp_act *act);
#include "hvp/ops.def"
#undef HVP_OP

/* fence.c: what is owed. */
/* Its tables changed at this address (one page), or somewhere. */
void hvp_owe(struct hvp_vm *vm, bool one, uint32_t va);
void hvp_owe_forgotten(struct hvp_vm *vm);
/* Somebody may have written anywhere in it. */
void hvp_owe_unknown(struct hvp_vm *vm);
/* The entry there of a table changed. */
void hvp_owe_entry(struct hvp_run *run, struct hvp_vm *vm, uint32_t gpa);
void hvp_owe_if_table(struct hvp_run *run, struct hvp_vm *vm, uint32_t gpa);
/* Put in the fence that is owed, unless the program is to go without. */
void hvp_pay(struct hvp_run *run, struct hvp_act *act);

/* sv32.c: what an access must see, by the Privileged Specification. */
struct hvp_sight {
    bool     ok, ram;
    uint32_t cause; /* if not ok */
    uint32_t gpa;   /* if ok */
    uint32_t pte[2], nr_ptes;
};
struct hvp_sight hvp_sight(struct hvp_run *run, const struct hvp_act *act,
                           uint32_t va, enum access access);

/* check_*.c */
struct hvp_expect {
    bool             intact; /* the instruction is what it was at first */
    bool             on;     /* there is a prediction */
    bool             atomic; /* LR, SC, AMO */
    bool             table;  /* it reaches a page table */
    bool             told;   /* ... or a page that the hypervisor writes to */
    struct hvp_sight fetch, data;
    uint32_t         code;                    /* where the instruction is */
    uint32_t         va, size, before, value; /* that a plain store has */
    enum access      access;
    /* Of a device: the access, what becomes of the board, is it refused? */
    struct hvp_register device;
    struct hvp_board    board;
    bool                refused;
};
void hvp_expect(struct hvp_run *run, struct hvp_act *act, uint32_t slot,
                uint32_t va, uint32_t size, enum access access,
                struct hvp_expect *out);
/* False: it was refused, as it had to be; nothing else is to be checked. */
bool hvp_expect_check(struct hvp_run *run, struct hvp_act *act,
                      struct hvp_expect *expect);
/* It loaded what was there; it stored what it was to. */
void hvp_expect_value(struct hvp_run *run, const struct hvp_expect *expect,
                      uint32_t got);
void hvp_expect_memory(struct hvp_run *run, struct hvp_act *act,
                       const struct hvp_expect *expect, uint32_t wrote);
/* check_device.c: the devices as they are; what the access must make of them;
 * what it gave; and what it did make of them. */
static inline bool hvp_is_device(const struct hvp_expect *expect)
{
    return expect->data.ok && !expect->data.ram;
}
void hvp_device_look(struct hvp_run *run, const struct hvp_act *act,
                     struct hvp_board *board);
void hvp_device_foretell(struct hvp_expect *expect);
void hvp_device_value(struct hvp_run *run, const struct hvp_expect *expect,
                      uint32_t got);
void hvp_device_check(struct hvp_run *run, const struct hvp_act *act,
                      const struct hvp_expect *expect);
/* check_trap.c: was it told the truth of the last instruction's trap? */
void hvp_check_trap(struct hvp_run *run);
/* Is the next instruction the one of this slot, for sure? */
bool hvp_expect_fetch(struct hvp_run *run, struct hvp_act *act, uint32_t slot,
                      uint32_t insn);
/* check_others.c: how the other VMs are, before a guest acts; they still are. */
void hvp_others_note(struct hvp_run *run, const struct hvp_act *act);
void hvp_others_check(struct hvp_run *run, const struct hvp_act *act);
/* Cycles that all harts have worked. */
uint64_t hvp_cycles(const struct hvp_run *run);
/* Exits to the hypervisor, on all harts. */
uint64_t hvp_exits(const struct hvp_run *run);
/* One step of a guest, from these on, took no longer than it may: P25. */
void hvp_check_step(struct hvp_run *run, uint64_t cycles, uint64_t exits);
void hvp_check_before(struct hvp_run *run, const struct hvp_act *act);
void hvp_check_after(struct hvp_run *run, const struct hvp_act *act);
/* touched.c: note in run->touched which frames were written since the last
 * call. */
void hvp_touch(struct hvp_run *run);
/* ... and begin the list of recent ones anew. */
void hvp_touch_anew(struct hvp_run *run);
/* Memory is no more what it was, and nobody has written it. */
void hvp_touch_forget(struct hvp_run *run);
bool hvp_is_zero(const uint8_t *frame);
uint64_t hvp_page_hash(const uint8_t *frame); /* 0: all zeros */
/* The same of a frame, as of the last hvp_touch(); or of what it has as a table
 * of pages. */
uint64_t hvp_frame_hash(struct hvp_run *run, uint32_t hfn, enum hvp_hashed as);
/* What has become of the host since its mark; time included. */
uint64_t hvp_host_hash(struct hvp_run *run);
/* check_hash.c: what its guest could see of its vCPUs, without time. */
uint64_t hvp_vcpus_hash(struct hvp_run *run, const struct hvp_vm *vm);
/* ... and who it is. */
uint64_t hvp_cpu_hash(struct hvp_run *run, const struct hvp_vm *vm);
/* What a call that fails leaves alone: P28. */
uint64_t hvp_abstract_before(struct hvp_run *run, const struct hvp_act *act);
void hvp_abstract_check(struct hvp_run *run, const struct hvp_act *act,
                        uint64_t before, uint32_t number, int32_t error);
/* It is told there of interrupts and of stolen time, by the hypervisor. */
bool hvp_told_there(const struct vm *vm, uint32_t gfn);
/* trace.c */
void hvp_trace_begin(struct hvp_run *run, struct hvp_trace *trace);
/* Before its operation. */
void hvp_trace_ready(struct hvp_run *run, struct hvp_act *act);
void hvp_trace_note(struct hvp_run *run, const struct hvp_act *act);
/* From here on the trace of the VM in this place says nothing. */
void hvp_trace_until(struct hvp_run *run, uint32_t place);
/* From here on nobody's trace says anything: time decides. */
void hvp_trace_untimed(struct hvp_run *run);
/* The first run's VMs from this place on saw what the second one's did. */
void hvp_trace_compare(struct hvp_run *run, uint32_t from,
                       const char *property);
/* host_mem.c: the log begins anew, after something that it does not know. */
void hvp_log_anew(struct hvp_run *run, struct hvp_vm *vm);
void hvp_check_end(struct hvp_run *run);
void hvp_check_audit(struct hvp_run *run);
void hvp_check_residue(struct hvp_run *run);
/* Take what VMs have printed; no word of another VM is in it: P21. */
void hvp_check_consoles(struct hvp_run *run);
/* The log of this VM names every page that changed: P37. */
void hvp_check_log(struct hvp_run *run, struct hvp_vm *vm);

/* check_sched.c */
void hvp_check_sched_before(struct hvp_run *run);
void hvp_check_sched(struct hvp_run *run, const struct hvp_act *act);

/* coverage.c */
void hvp_cover(struct hvp_run *run, const struct hvp_act *act);

#endif
