/* privgen.c - random privileged programs for the equivalence test.
 *
 * A program is an image of the first pages of memory: a trap handler, code,
 * page tables, data. The code is a sequence of small random pieces, each from
 * one of the makers in privgen_pieces.c; the same seed gives the same image for
 * ever on every host.
 *
 *   page   what                         seen by the kernel at    by users at
 *   0      boot, trap handler, its log  RAM_BASE (also untranslated)
 *   1      the random code              RAM_BASE + 0x1000        USER_CODE
 *   2, 3   two roots
 *   4      kernel table, never edited: pages 0..31 at RAM_BASE, not for users
 *   5..7   tables for PLAY, edited
 *   8..23  data: the only pages that a program stores to
 *
 * A program must not lose its way, whatever traps. The handler therefore skips
 * an instruction that faulted; but when the fetch itself failed, or a user
 * program made the system call 0, it goes to the address in ra in kernel mode.
 * Every piece that jumps somewhere sets ra to its own end first.
 *
 * Fenced programs (the default) execute sfence.vma after each change of a
 * table or of satp before they touch what it maps; for them a VM must behave
 * exactly as the machine. To keep that true, stores go to data pages only, and
 * no entry makes a table writable but the kernel's own. Unfenced programs
 * forget fences and may map tables anywhere. */
#include "api/privgen.h"
#include "abi/sbi.h"
#include <string.h>

_Static_assert(HV_PRIVGEN_RAM == NR_PAGES * PAGE_SIZE, "memory of a program");

/* --- tables -------------------------------------------------------------- */

uint32_t privgen_entry(uint32_t page, uint32_t bits)
{
    return (PAGE_AT(page) >> PAGE_SHIFT) << PTE_PPN_SHIFT | bits;
}

static void put_slot(struct gen *g, uint32_t table, uint32_t index,
                     uint32_t pte)
{
    put(g, PAGE_AT(table) + 4 * index, pte);
}

/* The low ten bits of an entry: mostly what makes sense, sometimes not. */
static uint32_t random_bits(struct gen *g)
{
    static const uint32_t sane[] = {
        PTE_R, PTE_R | PTE_W, PTE_X, PTE_R | PTE_X, PTE_RWX, PTE_RWX, PTE_RWX,
    };
    uint32_t bits = chance(g, 85) ? PICK(g, sane) : rnd(g) & PTE_RWX;

    if (chance(g, 94))
        bits |= PTE_V;
    if (chance(g, 50))
        bits |= PTE_U;
    if (chance(g, 15))
        bits |= PTE_G;
    if (chance(g, 65))
        bits |= PTE_A;
    if (chance(g, 65))
        bits |= PTE_D;
    return bits | (chance(g, 10) ? below(g, 4) << 8 : 0);
}

/* A page of 4 KiB somewhere: data; tables and code, not to be written; absent
 * memory; a device; a name of more than 32 bits. */
uint32_t privgen_leaf(struct gen *g)
{
    uint32_t bits = random_bits(g), kind = below(g, 100);

    if (kind < 70)
        return privgen_entry(PAGE_DATA + below(g, NR_DATA), bits);
    if (kind < 80 && !g->unfenced) /* to be read, else W would be reserved */
        return privgen_entry(below(g, PAGE_DATA),
                             bits & ~(uint32_t)(PTE_W | PTE_X));
    if (kind < 85)
        return privgen_entry(PAGE_DATA + NR_DATA + below(g, 12), bits);
    if (kind < 88)
        return UART_BASE >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
    if (kind < 90)
        return PLIC_BASE >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
    if (kind < 93)
        return 0x20000u << PTE_PPN_SHIFT | bits; /* nothing is there */
    if (kind < 97)
        return privgen_entry(PAGE_DATA, bits) | 1u << (30 + below(g, 2));
    return g->unfenced ? privgen_entry(below(g, PAGE_DATA), bits) : bits;
}

uint32_t privgen_megapage(struct gen *g)
{
    uint32_t bits = random_bits(g), kind = below(g, 100);

    if (kind < 75)
        return privgen_entry(0, bits);
    if (kind < 85)
        return privgen_entry(1u << below(g, 5), bits); /* misaligned */
    if (kind < 90)
        return UART_BASE >> PAGE_SHIFT << PTE_PPN_SHIFT | bits;
    return privgen_entry(0, bits) | 1u << (30 + below(g, 2));
}

uint32_t privgen_table(struct gen *g)
{
    uint32_t pte = privgen_entry(PAGE_PLAY + below(g, 3), PTE_V);

    if (chance(g, 10)) /* reserved bits, or G, which is allowed */
        pte |= (uint32_t)PTE_U << below(g, 4);
    if (chance(g, 4))
        pte |= 1u << (30 + below(g, 2));
    return pte;
}

static void make_tables(struct gen *g)
{
    for (uint32_t i = 0; i < NR_PAGES; i++)
        put_slot(g, PAGE_KERNEL, i, privgen_entry(i, PTE_FULL));
    for (uint32_t n = 0; n < 3; n++) {
        for (uint32_t i = PAGE_DATA; i < PAGE_DATA + NR_DATA; i++)
            put_slot(g, PAGE_PLAY + n, i,
                     chance(g, 60)
                         ? privgen_entry(i, PTE_V | PTE_RWX | (rnd(g) & 0xd0))
                         : privgen_leaf(g));
        put_slot(
            g, PAGE_PLAY + n, PAGE_CODE,
            privgen_entry(PAGE_CODE, PTE_V | PTE_R | PTE_X | PTE_U | PTE_AD));
    }
    for (uint32_t n = 0; n < 2; n++) {
        uint32_t root = PAGE_ROOT_A + n;
        uint32_t user = rnd(g) & PTE_U;

        put_slot(g, root, RAM_BASE >> MEGAPAGE_SHIFT,
                 privgen_entry(PAGE_KERNEL, PTE_V));
        put_slot(g, root, SLOT_PLAY, privgen_entry(PAGE_PLAY + n, PTE_V));
        put_slot(g, root, SLOT_PLAY + 1, privgen_table(g));
        put_slot(g, root, SLOT_PLAY + 2, privgen_megapage(g));
        put_slot(g, root, UART_BASE >> MEGAPAGE_SHIFT,
                 UART_BASE >> 2 | PTE_FULL | user);
        put_slot(g, root, PLIC_BASE >> MEGAPAGE_SHIFT,
                 PLIC_BASE >> 2 | PTE_FULL | user);
    }
}

/* Data pages hold code too: harmless words, and the way back through ra. */
static void make_data(struct gen *g)
{
    for (uint32_t n = 0; n < NR_DATA / 2; n++)
        for (uint32_t i = 0; i < 24; i++)
            put_slot(g, PAGE_DATA + n, i,
                     i % 3 == 2 ? JALR(0, RA) : random_addi(g));
}

/* --- boot and trap handler ----------------------------------------------- */

static void make_handler(struct gen *g)
{
    uint32_t main = VECTOR + 64;
    uint32_t land, irq, timer;

    for (g->pc = VECTOR; g->pc < main;)
        emit(g, enc_jal(0, main - g->pc)); /* interrupts may come vectored */
    /* The addresses of the three ways out, counted in words from here. */
    land = main + 4 * 16;
    irq = land + 4 * 4;
    timer = irq + 4 * 8;
    emit(g, CSRRS(28, CSR_SCAUSE, 0));
    emit(g, CSRRS(29, CSR_SEPC, 0));
    emit(g, LUI(31, RAM_BASE));
    emit(g, SW(28, 31, LOG));
    emit(g, SW(29, 31, LOG + 4));
    emit(g, enc_branch(4, 28, 0, irq - g->pc)); /* scause < 0 */
    emit(g, ADDI(30, 0, 2));
    emit(g, enc_branch(6, 28, 30, land - g->pc)); /* fetch: 0 and 1 */
    emit(g, ADDI(30, 0, 12));
    emit(g, enc_branch(0, 28, 30, land - g->pc)); /* fetch: 12 */
    emit(g, ADDI(30, 0, 8));
    emit(g, enc_branch(1, 28, 30, 8));
    emit(g, enc_branch(0, A7, 0, land - g->pc)); /* system call 0 */
    emit(g, ADDI(29, 29, 4));
    emit(g, CSRRW(0, CSR_SEPC, 29));
    emit(g, SRET);
    emit(g, ADDI(30, 0, MSTATUS_SPP)); /* land: */
    emit(g, CSRRS(0, CSR_SSTATUS, 30));
    emit(g, CSRRW(0, CSR_SEPC, RA));
    emit(g, SRET);
    emit(g, ANDI(28, 28, 15)); /* irq: */
    emit(g, ADDI(30, 0, IRQ_STI));
    emit(g, enc_branch(0, 28, 30, timer - g->pc));
    emit(g, CSRRCI(0, CSR_SIP, MIP_SSIP));
    emit(g, ADDI(30, 0, MIP_SEIP));
    emit(g, CSRRC(0, CSR_SIE, 30));
    emit(g, SRET);
    emit(g, EBREAK);
    if (chance(g, 50)) { /* timer: mask it, or ask for "never" */
        emit(g, ADDI(30, 0, MIP_STIP));
        emit(g, CSRRC(0, CSR_SIE, 30));
    } else {
        emit(g, ADDI(28, A0, 0)); /* what the call needs and returns in */
        emit(g, ADDI(29, A1, 0));
        emit(g, ADDI(30, A7, 0));
        emit(g, ADDI(A0, 0, 0xfff));
        emit(g, ADDI(A1, 0, 0xfff));
        emit(g, ADDI(A7, 0, SBI_LEGACY_SET_TIMER));
        emit(g, ECALL);
        emit(g, ADDI(A0, 28, 0));
        emit(g, ADDI(A1, 29, 0));
        emit(g, ADDI(A7, 30, 0));
    }
    emit(g, SRET);
}

static void make_boot(struct gen *g)
{
    g->pc = RAM_BASE;
    li(g, 5, VECTOR);
    emit(g, CSRRW(0, CSR_STVEC, 5));
    li(g, 6, SATP_MODE | PAGE_AT(PAGE_ROOT_A) >> PAGE_SHIFT);
    if (chance(g, 85)) {
        emit(g, CSRRW(0, CSR_SATP, 6));
        emit(g, SFENCE(0, 0));
        g->paging = true;
    }
    li(g, 7, rnd(g) & (SSTATUS_MASK | 0x200));
    emit(g, CSRRW(0, CSR_SSTATUS, 7));
    li(g, 8, rnd(g));
    emit(g, CSRRW(0, CSR_SIE, 8));
    emit(g, CSRRW(9, CSR_SCOUNTEREN, 8));
    li(g, RA, PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT);
    emit(g, enc_jal(0, PAGE_AT(PAGE_CODE) - g->pc));
}

int hv_privgen(uint64_t seed, uint32_t flags, uint8_t *image, size_t n)
{
    if (!image || n < HV_PRIVGEN_RAM ||
        flags > (HV_PRIVGEN_UNFENCED | HV_LOCKSTEP_MOVES | HV_LOCKSTEP_SHARES))
        return HV_ERR_INVALID;
    struct gen g = {
        .rng = (seed + 1) * 0x9e3779b97f4a7c15ull | 1,
        .image = image,
        .unfenced = flags & HV_PRIVGEN_UNFENCED,
    };
    memset(image, 0, n);
    for (int i = 0; i < 8; i++)
        rnd(&g); /* neighbouring seeds must not look alike */
    for (int i = 0; i < 2; i++)
        g.hot[i] = PAGE_DATA + below(&g, NR_DATA);
    make_tables(&g);
    make_data(&g);
    make_handler(&g);
    make_boot(&g);
    privgen_code(&g);
    return HV_OK;
}
