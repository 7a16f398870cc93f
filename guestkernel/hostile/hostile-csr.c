/* hostile-csr.c - writes all ones, and worse, into its supervisor CSRs.
 *
 * styles: bare, emulate, assist, nested
 * expect: refused
 *
 * The guest's sstatus, sie and satp are not the machine's: bits that do not
 * exist must not stick, and those of M-mode (MIE, MPP, MPRV, TVM, TW, TSR)
 * must neither be seen nor set through sstatus. A hypervisor that lets SIE
 * reach the real flag loses its own timer (XSA-202). What must happen: the
 * machine's own rules, register by register. */
#include "hostile/lib/hostile.h"

#define AFTER(name, val)                   \
    __extension__({                        \
        uint32_t csr_old = csr_read(name); \
        csr_write(name, val);              \
        uint32_t csr_new = csr_read(name); \
        csr_write(name, csr_old);          \
        csr_new;                           \
    })

void attack(void)
{
    static const uint32_t wild[] = { 0, 0xffffffff, 0xaaaaaaaa, 0x55555555,
                                     1, 0x80000000, 0x00007fff };

    csr_write("sie", 0);
    for (uint32_t i = 0; i < COUNT(wild); i++) {
        uint32_t val = wild[i];

        /* Nothing is enabled in sie, so SIE may stay on for a moment. */
        check(AFTER("sstatus", val) == (val & SSTATUS_MASK), "sstatus");
        check(AFTER("sscratch", val) == val, "sscratch");
        check(AFTER("sepc", val) == (val & ~3u), "sepc");
        check(AFTER("scause", val) == val, "scause");
        check(AFTER("stval", val) == val, "stval");
        check(AFTER("stvec", val & ~2u) == (val & ~2u), "stvec");
        check(AFTER("scounteren", val) == (val & COUNTEREN_MASK), "scounteren");
        check((AFTER("satp", val & ~SATP_MODE) & SATP_MODE) == 0, "satp");
        csr_clear("sstatus", MSTATUS_SIE);
        check(AFTER("sie", val) == (val & SIP_MASK), "sie");
    }
    /* Of sip, only the software interrupt is the kernel's. */
    csr_write("sip", 0xffffffff);
    check((csr_read("sip") & ~(uint32_t)MIP_SSIP) == 0, "sip");
    csr_write("sip", 0);
    check(csr_read("sip") == 0, "sip");
}
