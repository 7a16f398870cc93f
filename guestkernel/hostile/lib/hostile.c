/* hostile.c - the runtime of the hostile kernels; see hostile.h. */
#include "hostile/lib/hostile.h"

/* start.S. */
extern struct trapframe trap_frame;
extern uint32_t         recovery; /* sp of the attempt under way, or 0 */
extern char             vector_native[], vector_pv[], attempt_failed[];
extern uint32_t         kernel_slot, user_load, user_store, user_slot;
void execute_slot(uint32_t regs[2]);
_Noreturn void resume(const struct trapframe *frame);
void trap_handle(struct trapframe *frame);
_Noreturn void hostile_main(const uint32_t *fdt);

bool             paravirtual;
bool             user_interrupts;
uint32_t         ram_end;
struct trapframe fault;
uint32_t         user_base;
uint32_t         shared_at;
static uint32_t  refusals;

__attribute__((aligned(PAGE_SIZE))) static uint32_t shared[PT_ENTRIES];
__attribute__((aligned(PAGE_SIZE))) uint32_t        root[PT_ENTRIES];
__attribute__((aligned(PAGE_SIZE))) uint32_t        page[NR_PAGES][PT_ENTRIES];

#define NR_TABLES 6
static __attribute__((aligned(PAGE_SIZE))) uint32_t table[NR_TABLES][1024];
static uint32_t                                     tables_used;

/* Verdicts ----------------------------------------------------------------- */

void print(const char *text)
{
    while (*text)
        sbi_call(SBI_LEGACY_PUTCHAR, 0, (uint8_t)*text++, 0, 0, 0);
}

static void print_hex(const char *name, uint32_t val)
{
    char text[] = " 00000000";

    for (int i = 8; i >= 1; i--, val >>= 4)
        text[i] = "0123456789abcdef"[val & 15];
    print(name);
    print(text);
}

static _Noreturn void power_off(uint32_t reason)
{
    sbi_call(SBI_EXT_SRST, SBI_SRST_RESET, SBI_SRST_SHUTDOWN, reason, 0, 0);
    for (;;)
        ;
}

void breach(const char *what)
{
    print("BREACH: ");
    print(what);
    print_hex(" (last fault: cause", fault.cause);
    print_hex(" tval", fault.tval);
    print_hex(" epc", fault.epc);
    print_hex("; refused", refusals);
    print(")\n");
    power_off(SBI_SRST_REASON_FAILURE);
}

void check(bool refused, const char *what)
{
    if (!refused)
        breach(what);
    refusals++;
}

/* Calls -------------------------------------------------------------------- */

struct ret sbi_call(uint32_t ext, uint32_t fn, uint32_t arg0, uint32_t arg1,
                    uint32_t arg2, uint32_t arg3)
{
    register uint32_t a0 __asm__("a0") = arg0;
    register uint32_t a1 __asm__("a1") = arg1;
    register uint32_t a2 __asm__("a2") = arg2;
    register uint32_t a3 __asm__("a3") = arg3;
    register uint32_t a4 __asm__("a4") = 0;
    register uint32_t a5 __asm__("a5") = 0;
    register uint32_t a6 __asm__("a6") = fn;
    register uint32_t a7 __asm__("a7") = ext;

    __asm__ volatile("ecall"
                     : "+r"(a0), "+r"(a1)
                     : "r"(a2), "r"(a3), "r"(a4), "r"(a5), "r"(a6), "r"(a7)
                     : "memory");
    return (struct ret){ (int32_t)a0, a1 };
}

struct ret hv_call(uint32_t nr, uint32_t a0, uint32_t a1)
{
    return sbi_call(SBI_EXT_HV, nr, a0, a1, 0, 0);
}

void check_hv(int32_t error, uint32_t nr, uint32_t a0, uint32_t a1,
              const char *what)
{
    check(hv_call(nr, a0, a1).error == error, what);
}

void check_sbi(int32_t error, uint32_t ext, uint32_t fn, uint32_t a0,
               uint32_t a1, uint32_t a2, const char *what)
{
    check(sbi_call(ext, fn, a0, a1, a2, 0).error == error, what);
}

/* Traps -------------------------------------------------------------------- */

static void ignore_interrupt(uint32_t irq, struct trapframe *frame)
{
    (void)frame;
    if (irq == IRQ_STI)
        timer_at(UINT64_MAX);
    else if (irq == IRQ_SSI)
        sbi_call(SBI_LEGACY_CLEAR_IPI, 0, 0, 0, 0, 0);
    else
        breach("an interrupt that nobody enabled");
}

void (*on_interrupt)(uint32_t irq, struct trapframe *frame) = ignore_interrupt;

/* The status of a frame that goes on in kernel mode, interrupts off, or in
 * user mode. */
static uint32_t status_for(bool kernel)
{
    if (paravirtual && kernel)
        return PV_PREV_KERNEL;
    if (paravirtual)
        return user_interrupts ? PV_PREV_IRQ : 0;
    uint32_t open = csr_read("sstatus") & (MSTATUS_SUM | MSTATUS_MXR);

    return open | (kernel ? MSTATUS_SPP : 0);
}

void trap_handle(struct trapframe *frame)
{
    if (frame->cause & CAUSE_INTERRUPT) {
        on_interrupt(frame->cause & ~CAUSE_INTERRUPT, frame);
        return;
    }
    fault = *frame;
    if (!recovery)
        breach("a trap that nobody provoked");
    frame->epc = address(attempt_failed);
    frame->status = status_for(true);
}

void set_vector(uint32_t pc)
{
    if (paravirtual)
        hv_call(HCALL_set_entry, pc, 0);
    else
        csr_write("stvec", pc);
}

void interrupts(bool on)
{
    if (!paravirtual && on) {
        csr_write("sie", SIP_MASK);
        csr_set("sstatus", MSTATUS_SIE);
    } else if (!paravirtual) {
        csr_clear("sstatus", MSTATUS_SIE);
    } else {
        *word_at(shared_at + SI_IRQ_ENABLED) = on;
        if (on && *word_at(shared_at + SI_IRQ_PENDING))
            hv_call(HCALL_deliver, 0, 0);
    }
}

uint64_t now(void)
{
    uint32_t high, low;

    do {
        high = csr_read("timeh");
        low = csr_read("time");
    } while (high != csr_read("timeh"));
    return (uint64_t)high << 32 | low;
}

void timer_at(uint64_t when)
{
    sbi_call(SBI_EXT_TIME, SBI_TIME_SET, (uint32_t)when, (uint32_t)(when >> 32),
             0, 0);
}

/* Attempts ----------------------------------------------------------------- */

static struct { uint32_t va, size, val; } probe;

static void do_load(uint32_t va)
{
    if (probe.size == 1)
        probe.val = *(volatile uint8_t *)(uintptr_t)va;
    else if (probe.size == 2)
        probe.val = *(volatile uint16_t *)(uintptr_t)va;
    else
        probe.val = *word_at(va);
}

static void do_store(uint32_t va)
{
    if (probe.size == 1)
        *(volatile uint8_t *)(uintptr_t)va = (uint8_t)probe.val;
    else if (probe.size == 2)
        *(volatile uint16_t *)(uintptr_t)va = (uint16_t)probe.val;
    else
        *word_at(va) = probe.val;
}

static void do_jump(uint32_t va)
{
    ((void (*)(void))(uintptr_t)va)();
}

bool can_load(uint32_t va, uint32_t size, uint32_t *val)
{
    probe.size = size;
    if (!attempt(do_load, va))
        return false;
    *val = probe.val;
    return true;
}

bool can_store(uint32_t va, uint32_t size, uint32_t val)
{
    probe.size = size;
    probe.val = val;
    return attempt(do_store, va);
}

bool can_jump(uint32_t va)
{
    return attempt(do_jump, va);
}

static void do_execute(uint32_t regs)
{
    execute_slot((uint32_t *)(uintptr_t)regs);
}

bool can_execute(uint32_t insn, uint32_t *a0, uint32_t a1)
{
    uint32_t regs[2] = { *a0, a1 };

    *(volatile uint32_t *)&kernel_slot = insn;
    fence_i();
    bool came_back = attempt(do_execute, address(regs));
    if (came_back)
        *a0 = *(volatile uint32_t *)&regs[0];
    return came_back;
}

void check_fault(uint32_t cause, uint32_t tval, const char *what)
{
    check(fault.cause == cause && fault.tval == tval, what);
}

void check_load(uint32_t va, uint32_t size, uint32_t cause, const char *what)
{
    uint32_t val;

    check(!can_load(va, size, &val), what);
    check_fault(cause, va, what);
}

void check_store(uint32_t va, uint32_t size, uint32_t cause, const char *what)
{
    check(!can_store(va, size, 0xbadbadba), what);
    check_fault(cause, va, what);
}

void check_jump(uint32_t va, uint32_t cause, const char *what)
{
    check(!can_jump(va), what);
    check_fault(cause, va, what);
    check(fault.epc == va, what);
}

/* User mode ---------------------------------------------------------------- */

static void do_resume(uint32_t frame)
{
    resume((const struct trapframe *)(uintptr_t)frame);
}

void user_run(const uint32_t x[32], uint32_t pc)
{
    struct trapframe frame = { .epc = pc, .status = status_for(false) };

    for (int i = 1; i < 32; i++)
        frame.x[i] = x[i];
    attempt(do_resume, address(&frame));
}

/* Run a piece of user_page; true if it came to its ecall. */
static bool user_piece(const uint32_t *piece, uint32_t *a0, uint32_t a1)
{
    uint32_t x[32] = { [REG_A0] = *a0, [REG_A1] = a1 };
    uint32_t pc = user_base + (address(piece) & PAGE_MASK);

    user_run(x, pc);
    *a0 = fault.x[REG_A0];
    return fault.cause == CAUSE_ECALL_U && fault.epc == pc + 4;
}

bool user_can_load(uint32_t va, uint32_t *val)
{
    *val = va;
    return user_piece(&user_load, val, 0);
}

bool user_can_store(uint32_t va, uint32_t val)
{
    return user_piece(&user_store, &va, val);
}

bool user_can_jump(uint32_t va)
{
    static const uint32_t zero[32];

    user_run(zero, va);
    return fault.cause == CAUSE_ECALL_U && fault.epc == va;
}

bool user_can_execute(uint32_t insn, uint32_t *a0, uint32_t a1)
{
    *(volatile uint32_t *)&user_slot = insn;
    fence_i();
    return user_piece(&user_slot, a0, a1);
}

/* Page tables -------------------------------------------------------------- */

void paging_prepare(void)
{
    uint32_t kernel = PTE_RWX | LEAF;

    for (uint32_t i = 0; i < PT_ENTRIES; i++)
        root[i] = 0;
    root[TEST_BASE >> MEGAPAGE_SHIFT] = pte(0, kernel);
    root[UART_BASE >> MEGAPAGE_SHIFT] = pte(UART_BASE, kernel);
    for (uint32_t pa = RAM_BASE; pa - RAM_BASE < ram_end - RAM_BASE;
         pa += MEGAPAGE_SIZE)
        root[pa >> MEGAPAGE_SHIFT] = pte(pa, kernel);
    tables_used = 0;
    user_base = USER_WINDOW;
    *slot_of(USER_WINDOW) = pte(address(user_page),
                                PTE_U | PTE_R | PTE_X | LEAF);
}

volatile uint32_t *slot_of(uint32_t va)
{
    uint32_t *entry = &root[va >> MEGAPAGE_SHIFT];

    if (!(*entry & PTE_V)) {
        if (tables_used == NR_TABLES)
            breach("too few tables: a bug of the hostile kernel");
        memset(table[tables_used], 0, PAGE_SIZE);
        *(volatile uint32_t *)entry = pte(address(table[tables_used]), PTE_V);
        tables_used++;
    }
    uint32_t base = *entry >> PTE_PPN_SHIFT << PAGE_SHIFT;

    return word_at(base) + (va >> PAGE_SHIFT) % PT_ENTRIES;
}

void map(uint32_t va, uint32_t entry)
{
    *slot_of(va) = entry;
    fence_page(va);
}

void paging_on(const uint32_t *top)
{
    uint32_t satp = SATP_MODE | address(top) >> PAGE_SHIFT;

    if (paravirtual)
        check_hv(SBI_SUCCESS, HCALL_set_root, satp, 0, "set_root");
    else
        csr_write("satp", satp);
    fence_all();
}

void paging_off(void)
{
    if (paravirtual)
        check_hv(SBI_SUCCESS, HCALL_set_root, 0, 0, "set_root 0");
    else
        csr_write("satp", 0);
    fence_all();
}

void fence_page(uint32_t va)
{
    if (paravirtual)
        hv_call(HCALL_fence, va, PAGE_SIZE);
    else
        __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
}

void fence_all(void)
{
    if (paravirtual)
        hv_call(HCALL_fence, 0, 0);
    else
        __asm__ volatile("sfence.vma" ::: "memory");
}

/* Start -------------------------------------------------------------------- */

static uint32_t big_endian(const uint32_t *word)
{
    const uint8_t *byte = (const uint8_t *)word;

    return (uint32_t)byte[0] << 24 | (uint32_t)byte[1] << 16 |
           (uint32_t)byte[2] << 8 | byte[3];
}

static bool starts_with(const char *text, const char *start)
{
    while (*start)
        if (*text++ != *start++)
            return false;
    return true;
}

/* The first region of the node memory@..., two cells per number: where our RAM
 * ends. Tokens: 1 node begins, 2 ends, 3 property, 4 nothing, 9 the end. */
static uint32_t fdt_ram_end(const uint32_t *fdt)
{
    const uint32_t *at = fdt + big_endian(&fdt[2]) / 4;
    const char     *names = (const char *)fdt + big_endian(&fdt[3]);
    bool            memory = false;

    for (uint32_t token; (token = big_endian(at++)) != 9;) {
        if (token == 1) {
            const char *name = (const char *)at;
            uint32_t    len = 0;

            memory = starts_with(name, "memory@");
            while (name[len])
                len++;
            at += len / 4 + 1;
        } else if (token == 3) {
            uint32_t len = big_endian(at);

            if (memory && starts_with(names + big_endian(at + 1), "reg"))
                return big_endian(at + 3) + big_endian(at + 5);
            at += 2 + (len + 3) / 4;
        }
    }
    breach("the device tree does not say how much RAM there is");
}

__attribute__((weak)) void attack_at_start(void)
{
}

void hostile_main(const uint32_t *fdt)
{
    attack_at_start();

    struct ret probed = sbi_call(SBI_EXT_BASE, SBI_BASE_PROBE, SBI_EXT_HV, 0, 0,
                                 0);

    paravirtual = probed.error == SBI_SUCCESS && probed.value != 0;
    ram_end = fdt_ram_end(fdt);
    user_base = address(user_page);
    if (paravirtual) {
        shared_at = address(shared);
        hv_call(HCALL_set_shared, shared_at, 0);
        set_vector(address(vector_pv));
    } else {
        csr_write("sscratch", address(&trap_frame));
        set_vector(address(vector_native));
    }
    attack();
    print_hex("refused:", refusals);
    print("\n");
    power_off(SBI_SRST_REASON_NONE);
}

/* The rest ----------------------------------------------------------------- */

uint32_t draw(void)
{
    static uint32_t state = 0x2545f491;

    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* By words where both sides are aligned: trap frames are copied a lot. */
void *memcpy(void *to, const void *from, size_t len)
{
    uint8_t       *t = to;
    const uint8_t *f = from;

    if ((((uintptr_t)t | (uintptr_t)f) & 3) == 0)
        for (; len >= 4; len -= 4, t += 4, f += 4)
            *(uint32_t *)(void *)t = *(const uint32_t *)(const void *)f;
    while (len-- > 0)
        *t++ = *f++;
    return to;
}

void *memset(void *to, int byte, size_t len)
{
    uint8_t *t = to;
    uint32_t word = 0x01010101u * (uint8_t)byte;

    if (((uintptr_t)t & 3) == 0)
        for (; len >= 4; len -= 4, t += 4)
            *(uint32_t *)(void *)t = word;
    while (len-- > 0)
        *t++ = (uint8_t)byte;
    return to;
}
