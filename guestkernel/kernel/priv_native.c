/* priv_native.c - the privileged operations of a kernel that has, or believes
 * it has, the processor to itself.
 *
 * CSRs by privileged instructions, timer and power by SBI calls, console by
 * the devices that the device tree names (uart.c, plic.c, sbi.c). */
#include "abi/csr.h"
#include "kernel/cpu.h"
#include "kernel/kernel.h"
#include "kernel/layout.h"
#include "kernel/native.h"
#include "kernel/priv.h"
#include "kernel/trap.h"
#include "lib/string.h"

const char priv_name[] = "native";

/* Physical device addresses work as they are until translation is on. */
uint32_t device_offset;

/* Can we trust this processor? --------------------------------------------- */

/* Write a CSR, and read back at least the bits of `mask`: a processor on
 * which privileged instructions silently do something else in user mode (the
 * machine's `leaky` profile) gives itself away here when a hypervisor runs us
 * there. A macro, because a CSR's number is part of the instruction. */
#define CHECK_CSR(name, csr, mask, val)                                \
    do {                                                               \
        uint32_t wrote_ = (val), read_;                                \
        CSR_WRITE(csr, wrote_);                                        \
        read_ = CSR_READ(csr) & (mask);                                \
        if (read_ != wrote_)                                           \
            panic(name " lies: wrote %08x, read %08x", wrote_, read_); \
    } while (0)

static void check_processor(void)
{
    uint32_t all = UINT32_MAX, vector = (uint32_t)native_trap_vector;

    CHECK_CSR("sstatus", CSR_SSTATUS, SSTATUS_MASK, MSTATUS_SUM | MSTATUS_SPIE);
    CHECK_CSR("sstatus", CSR_SSTATUS, SSTATUS_MASK, MSTATUS_SPP | MSTATUS_MXR);
    CHECK_CSR("sstatus", CSR_SSTATUS, SSTATUS_MASK, 0);
    CHECK_CSR("sie", CSR_SIE, SIP_MASK, MIP_STIP | MIP_SEIP);
    CHECK_CSR("sie", CSR_SIE, SIP_MASK, 0);
    CHECK_CSR("sscratch", CSR_SSCRATCH, all, 0x12345678);
    CHECK_CSR("sscratch", CSR_SSCRATCH, all, 0);
    CHECK_CSR("sepc", CSR_SEPC, all, vector);
    CHECK_CSR("stvec", CSR_STVEC, all, vector);
    if (!native_sret_works())
        panic("sret lies: it does nothing");
}

void priv_init(void)
{
    CSR_WRITE(CSR_SSTATUS, 0);
    CSR_WRITE(CSR_SIE, 0);
    check_processor();
    CSR_WRITE(CSR_SIE, MIP_SSIP | MIP_STIP | MIP_SEIP);
}

void priv_paging_on(uint32_t root)
{
    uint32_t mask = SATP_MODE | SATP_PPN_MASK;

    CSR_WRITE(CSR_SATP, 0);
    __asm__ volatile("sfence.vma" ::: "memory");
    CHECK_CSR("satp", CSR_SATP, mask, SATP_MODE | root >> PAGE_SHIFT);
    __asm__ volatile("sfence.vma" ::: "memory");
    device_offset = DEVICE_WINDOW;
}

/* Traps: the entry is in priv_native.S ------------------------------------- */

bool priv_from_user(const struct trapframe *tf)
{
    return !(tf->status & MSTATUS_SPP);
}

void priv_frame_enter_user(struct trapframe *tf)
{
    tf->status = MSTATUS_SPIE;
}

bool priv_irq_off(void)
{
    uint32_t before;

    __asm__ volatile("csrrci %0, sstatus, %1"
                     : "=r"(before)
                     : "i"(MSTATUS_SIE)
                     : "memory");
    return before & MSTATUS_SIE;
}

void priv_irq_restore(bool on)
{
    if (on)
        __asm__ volatile("csrsi sstatus, %0" ::"i"(MSTATUS_SIE) : "memory");
}

/* wfi wakes up for an interrupt although they are off: there is no moment at
 * which one could come unseen between the check and the sleep. */
void priv_idle(void)
{
    __asm__ volatile("wfi" ::: "memory");
    priv_irq_restore(true);
    priv_irq_off();
}

void priv_external_irq(void)
{
    plic_acknowledge();
}

void priv_ipi_clear(void)
{
    __asm__ volatile("csrci sip, %0" ::"i"(MIP_SSIP) : "memory");
}

uint64_t priv_time(void)
{
    uint32_t high, low;

    do { /* again, if the low half overflowed in between */
        high = CSR_READ(CSR_TIMEH);
        low = CSR_READ(CSR_TIME);
    } while (high != CSR_READ(CSR_TIMEH));
    return (uint64_t)high << 32 | low;
}

void priv_timer_set(uint64_t when)
{
    sbi_set_timer(when);
}

/* Address spaces ----------------------------------------------------------- */

/* Physical addresses are what the machine says they are, and a table is a page
 * like any other. */
void priv_memory_init(void)
{
}

uint32_t priv_pte_make(uint32_t pa, uint32_t bits)
{
    return pa >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
}

uint32_t priv_pte_address(uint32_t pte)
{
    return pte >> PTE_PPN_SHIFT << PAGE_SHIFT;
}

bool priv_megapages(void)
{
    return true;
}

bool priv_table_make(uint32_t page, uint32_t level)
{
    (void)page, (void)level;
    return true;
}

void priv_table_free(uint32_t page)
{
    (void)page;
}

/* Without address-space numbers, every switch forgets every translation. The
 * stack for traps needs no word here: priv_native.S finds it by itself. */
void priv_switch(uint32_t root, uint32_t stack)
{
    (void)stack;
    CSR_WRITE(CSR_SATP, SATP_MODE | root >> PAGE_SHIFT);
    __asm__ volatile("sfence.vma" ::: "memory");
}

void priv_pte_set(uint32_t *slot, uint32_t pte)
{
    *(volatile uint32_t *)slot = pte;
    cpu_self()->pte_pending = 1;
}

void priv_pte_flush(void)
{
    struct cpu *cpu = cpu_self();

    if (cpu->pte_pending != 0)
        __asm__ volatile("sfence.vma" ::: "memory");
    cpu->pte_pending = 0;
}

/* SUM lets the kernel use the program's own addresses; it is set no longer
 * than it takes, so that a wild pointer of the kernel still faults. */
void priv_copy_in(void *to, uint32_t va, uint32_t pa, size_t len)
{
    (void)pa;
    __asm__ volatile("csrs sstatus, %0" ::"r"(MSTATUS_SUM) : "memory");
    memcpy(to, (const void *)va, len);
    __asm__ volatile("csrc sstatus, %0" ::"r"(MSTATUS_SUM) : "memory");
}

void priv_copy_out(uint32_t va, uint32_t pa, const void *from, size_t len)
{
    (void)pa;
    __asm__ volatile("csrs sstatus, %0" ::"r"(MSTATUS_SUM) : "memory");
    memcpy((void *)va, from, len);
    __asm__ volatile("csrc sstatus, %0" ::"r"(MSTATUS_SUM) : "memory");
}

/* Locks -------------------------------------------------------------------- */

/* On a computer of our own the holder runs, so looking again is all there is
 * to do. */
bool priv_lock_can_wait(void)
{
    return false;
}

void priv_lock_wait(uint32_t holder)
{
    (void)holder;
}

void priv_lock_kick(uint32_t hart)
{
    (void)hart;
}

/* Console and power -------------------------------------------------------- */

bool priv_console_start(void)
{
    return uart_present() && plic_start() && uart_start();
}

void priv_console_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (uart_present())
            uart_put(text[i]);
        else
            sbi_put(text[i]);
}

int priv_console_read(void)
{
    return uart_present() ? uart_get() : sbi_get();
}

/* A kernel that has the machine to itself owes nobody anything. */
void priv_background(void)
{
}

uint32_t priv_pages_lent(void)
{
    return 0;
}

_Noreturn void priv_power_off(uint32_t code)
{
    if (boot_info.power != 0)
        *device_at(boot_info.power) = code == 0 ? TEST_PASS
                                                : TEST_FAIL | code << 16;
    sbi_power_off(code != 0);
    for (;;)
        ;
}
