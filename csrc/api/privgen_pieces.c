/* privgen_pieces.c - the pieces that random programs are made of.
 *
 * First what any mode does (and a user may try), then what a kernel does.
 * Each maker appends a few words at g->pc. */
#include "abi/sbi.h"
#include "api/privgen.h"

/* --- the pieces: what any mode does --------------------------------------- */

static void do_arithmetic(struct gen *g)
{
    static const uint32_t f7[] = { 0, 0, 1, 1, 0x20 };
    uint32_t              f3 = below(g, 8), funct7 = PICK(g, f7);

    if (funct7 == 0x20)
        f3 = f3 & 1 ? 5 : 0;
    uint32_t rd = reg(g), rs1 = reg(g), rs2 = reg(g);
    emit(g, enc_r(0x33, funct7, f3, rd, rs1, rs2));
    emit(g, random_addi(g));
}

static void do_constant(struct gen *g)
{
    uint32_t rd = reg(g);

    li(g, rd, interesting(g));
}

/* An address to play with: mostly mapped one way or another. */
static uint32_t random_address(struct gen *g)
{
    uint32_t kind = below(g, 100);
    uint32_t page = data_page(g), words = chance(g, 80) ? 24 : PT_ENTRIES;
    uint32_t offset = PAGE_SIZE * page + 4 * below(g, words);

    if (chance(g, 12))
        offset += below(g, 4);
    if (kind < 12 || !g->paging)
        return chance(g, 90) ? RAM_BASE + offset : rnd(g) & 0x7fffffff;
    if (kind < 90)
        return PLAY(below(g, NR_PLAY)) + offset;
    if (kind < 93)
        return UART_BASE + below(g, 8);
    if (kind < 95)
        return PLIC_BASE + 4 * below(g, 16);
    if (kind < 97) /* beyond the end of memory */
        return PLAY(2) + PAGE_SIZE * NR_PAGES + (offset & 0xffffc);
    return rnd(g) & 0x7fffffff;
}

static void access_word(struct gen *g, uint32_t base, uint32_t offset)
{
    static const uint32_t amo[] = { 0, 1, 4, 8, 12, 16, 20, 24, 28, 2, 3 };
    static const uint32_t loads[] = { 0, 1, 2, 2, 2, 4, 5 };
    uint32_t              kind = below(g, 10);
    uint32_t              load = PICK(g, loads), atomic = PICK(g, amo);
    uint32_t              rd = reg(g), rs2 = chance(g, 98) ? reg(g) : 0;

    if (kind < 5)
        emit(g, enc_i(0x03, load, rd, base, offset));
    else if (kind < 8)
        emit(g, enc_store(below(g, 3), base, rs2, offset));
    else
        emit(g, AMO(atomic, rd, base, atomic == 2 ? 0 : rs2));
}

static void do_access(struct gen *g)
{
    uint32_t base = reg(g), n = 1 + below(g, 4);

    li(g, base, random_address(g));
    while (n--)
        access_word(g, base, 4 * below(g, 8));
}

/* A word that is warm in every cache, so that nothing stands between LR and
 * SC: then, with nothing or something in the middle, exact rules hold. */
static void do_lr_sc(struct gen *g)
{
    uint32_t base = reg(g), addr = random_address(g) & ~3u;

    li(g, base, addr);
    emit(g, SW(reg(g), base, 0));
    emit(g, LR(16, base));
    if (chance(g, 20))
        emit(g, chance(g, 50) ? EBREAK : SW(reg(g), base, 0));
    emit(g, SC(17, base, 16));
}

static void do_branch(struct gen *g)
{
    static const uint32_t f3[] = { 0, 1, 4, 5, 6, 7 };

    uint32_t kind = PICK(g, f3), rs1 = reg(g), rs2 = reg(g);
    emit(g, enc_branch(kind, rs1, rs2, 4 * (1 + below(g, 3))));
    do_arithmetic(g);
}

static void do_odd_word(struct gen *g)
{
    static const uint32_t words[] = {
        EBREAK,
        MRET,
        SRET | 1 << 7,
        WFI | 1 << 15,
        0,
        0xffffffff,
        FENCE_I,
        0x0ff0000f,
        0x00002073 | 4 << 12,
        SFENCE(0, 0) | 1 << 7,
    };

    emit(g, chance(g, 70) ? PICK(g, words) : rnd(g) & ~(uint32_t)0x60);
}

/* ra is the way home from there; the piece ends where it points. */
static void do_jump_away(struct gen *g)
{
    uint32_t at = g->pc, base = reg(g);

    if (!g->user)
        g->pc += 8;
    li(g, base, chance(g, 80) ? random_address(g) & ~2u : g->pc + 2);
    emit(g, JALR(chance(g, 50) ? 0 : reg(g), base));
    if (!g->user)
        put_li(g, at, RA, g->pc);
}

/* Registers that a kernel has, that it has not, and that nobody has. satp and
 * stvec are only read here: other pieces write them with care. */
static void do_csr(struct gen *g)
{
    static const uint32_t csrs[] = {
        CSR_SSTATUS, CSR_SSTATUS, CSR_SSTATUS,    CSR_SIE,      CSR_SIE,
        CSR_SIP,     CSR_SIP,     CSR_SCOUNTEREN, CSR_SSCRATCH, CSR_SEPC,
        CSR_SCAUSE,  CSR_STVAL,   CSR_CYCLE,      CSR_TIME,     CSR_INSTRET,
        CSR_CYCLEH,  CSR_TIMEH,   CSR_INSTRETH,   CSR_MSTATUS,  CSR_MIE,
        CSR_MHARTID, CSR_SATP,    CSR_STVEC,      0xc03,        0x5c0,
        0x001,       0x10a,       0x14d,          0x1c4,        0x200,
        0x600,       0x7c0,       0x800,          0xf14,        0xb00,
    };
    uint32_t csr = chance(g, 97) ? PICK(g, csrs) : rnd(g) & 0xfff;
    uint32_t op = 1 + below(g, 3), immediate = 4 * below(g, 2);
    uint32_t rs1 = chance(g, 30) ? 0 : reg(g);

    if (csr == CSR_SATP || csr == CSR_STVEC) {
        op = op == 1 ? 2 : op;
        rs1 = 0;
    }
    if (rs1 && !immediate && chance(g, 60))
        li(g, rs1, interesting(g));
    emit(g, enc_i(0x73, op | immediate, chance(g, 90) ? reg(g) : 0, rs1, csr));
}

/* --- the pieces: what a kernel does ---------------------------------------- */

static void fence(struct gen *g, bool all, uint32_t va)
{
    uint32_t r = reg(g);

    if (g->unfenced && chance(g, 60))
        return;
    if (all) {
        emit(g, SFENCE(0, chance(g, 20) ? r : 0));
    } else {
        li(g, r, va);
        emit(g, SFENCE(r, 0));
    }
}

static void store_slot(struct gen *g, uint32_t table, uint32_t index,
                       uint32_t pte)
{
    uint32_t base = reg(g), val = 5 + (base - 4) % 11;

    li(g, base, PAGE_AT(table) + 4 * index);
    li(g, val, pte);
    emit(g, SW(val, base, 0));
}

/* An entry of a play table. The table may be linked in two places, and the
 * fence of an address is for that address alone. */
static void edit_leaf(struct gen *g, uint32_t table, uint32_t index)
{
    store_slot(g, table, index, privgen_leaf(g));
    if (chance(g, 50)) {
        fence(g, true, 0);
        return;
    }
    for (uint32_t n = 0; n < 2; n++)
        fence(g, false, PLAY(n) + PAGE_SIZE * index + below(g, PAGE_SIZE));
}

/* An entry of a root. Slot PLAY + 1 may have been or become a pointer, which
 * only a full fence covers; PLAY + 2 is a megapage, of which any address will
 * do. */
static void edit_root(struct gen *g, uint32_t root, uint32_t n)
{
    if (n == 1) {
        store_slot(g, root, SLOT_PLAY + 1,
                   chance(g, 70) ? privgen_table(g) : privgen_megapage(g));
        fence(g, true, 0);
    } else {
        store_slot(g, root, SLOT_PLAY + 2, privgen_megapage(g));
        uint32_t va = PLAY(2) + below(g, MEGAPAGE_SIZE);
        fence(g, chance(g, 30), va);
    }
}

/* Touch, edit, fence, touch again: whoever still knows the old entry shows. */
static void do_edit(struct gen *g)
{
    uint32_t index = data_page(g), n = below(g, 3);
    uint32_t va = PLAY(n) + PAGE_SIZE * index + 4 * below(g, 24);
    uint32_t base = reg(g), other = reg(g), kind = below(g, 4);
    uint32_t touch = kind == 0   ? SW(other, base, 0)
                     : kind == 1 ? AMO(0, other, base, 0)
                                 : LW(other, base, 0);

    if (!g->paging)
        va = RAM_BASE + (va & (MEGAPAGE_SIZE - 1));
    li(g, base, va);
    emit(g, touch);
    if (n == 0 || (n == 1 && chance(g, 50)))
        edit_leaf(g, PAGE_PLAY + below(g, 3), index);
    else
        edit_root(g, PAGE_ROOT_A + below(g, 2), n);
    li(g, base, va);
    emit(g, touch);
}

static void do_satp(struct gen *g)
{
    uint32_t r = reg(g), kind = below(g, 10);
    uint32_t satp = PAGE_AT(PAGE_ROOT_A + below(g, 2)) >> PAGE_SHIFT;

    g->paging = kind < 8;
    if (g->paging)
        satp |= SATP_MODE;
    if (kind == 0) /* without ASIDs these bits read as 0 */
        satp |= 3u << SATP_ASID_SHIFT;
    li(g, r, satp);
    emit(g, CSRRW(chance(g, 50) ? reg(g) : 0, CSR_SATP, r));
    fence(g, true, 0);
}

static void do_fence(struct gen *g)
{
    uint32_t r = reg(g);

    if (chance(g, 50))
        li(g, r, random_address(g));
    uint32_t rs2 = chance(g, 30) ? reg(g) : 0;
    emit(g, SFENCE(chance(g, 70) ? r : 0, rs2));
}

/* The same access with and without SUM, MXR or both. */
static void do_sum_mxr(struct gen *g)
{
    static const uint32_t bits[] = { MSTATUS_SUM, MSTATUS_MXR, MSTATUS_MXR,
                                     MSTATUS_SUM | MSTATUS_MXR };
    uint32_t              flag = 5, base = 6, n = 2 + below(g, 2);
    bool                  set = chance(g, 60);

    li(g, flag, PICK(g, bits));
    li(g, base, random_address(g) & ~3u);
    while (n--) {
        emit(g,
             set ? CSRRS(0, CSR_SSTATUS, flag) : CSRRC(0, CSR_SSTATUS, flag));
        emit(g, chance(g, 75) ? LW(7 + below(g, 8), base, 0)
                              : SW(reg(g), base, 0));
        set = !set;
    }
}

static void do_stvec(struct gen *g)
{
    uint32_t r = reg(g), kind = below(g, 20);

    li(g, r, kind ? VECTOR | below(g, 4) : rnd(g));
    emit(g, CSRRW(reg(g), CSR_STVEC, r));
    if (kind)
        return;
    do_arithmetic(g);
    li(g, r, VECTOR);
    emit(g, CSRRW(0, CSR_STVEC, r));
}

static void do_timer(struct gen *g)
{
    emit(g, CSRRS(A0, CSR_TIME, 0));
    emit(g, ADDI(A0, A0, chance(g, 80) ? 6 + below(g, 60) : 0));
    emit(g, ADDI(A1, 0, 0));
    if (chance(g, 50)) {
        li(g, A7, SBI_EXT_TIME);
        emit(g, ADDI(A6, 0, SBI_TIME_SET));
    } else {
        emit(g, ADDI(A7, 0, SBI_LEGACY_SET_TIMER));
    }
    emit(g, ECALL);
    emit(g, ADDI(5, 0, MIP_STIP | (chance(g, 30) ? MIP_SSIP : 0)));
    if (chance(g, 80))
        emit(g, CSRRS(0, CSR_SIE, 5));
    if (chance(g, 70))
        emit(g, enc_i(0x73, 6, 0, MSTATUS_SIE, CSR_SSTATUS));
}

static void do_wfi(struct gen *g)
{
    if (chance(g, 85))
        do_timer(g);
    emit(g, WFI);
}

static void do_software_irq(struct gen *g)
{
    if (chance(g, 70))
        emit(g, enc_i(0x73, 6, 0, MIP_SSIP, CSR_SIE));
    if (chance(g, 70))
        emit(g, enc_i(0x73, 6, 0, MSTATUS_SIE, CSR_SSTATUS));
    uint32_t f3 = chance(g, 70) ? 6 : 5;
    emit(g, enc_i(0x73, f3, reg(g), MIP_SSIP, CSR_SIP));
}

/* "The transmitter is empty" is always true: a UART interrupt whenever we
 * like. The PLIC hands source 10 to context 1, which is S-mode of hart 0. */
static void do_external_irq(struct gen *g)
{
    emit(g, LUI(5, PLIC_BASE));
    emit(g, ADDI(6, 0, 1));
    emit(g, SW(6, 5, 4 * UART_IRQ));
    emit(g, LUI(7, PLIC_BASE + 0x2000));
    emit(g, ADDI(6, 0, 1 << UART_IRQ));
    emit(g, SW(6, 7, 0x80));
    emit(g, LUI(7, UART_BASE));
    emit(g, ADDI(6, 0, 2));
    emit(g, enc_store(0, 7, 6, 1));
    li(g, 5, MIP_SEIP);
    emit(g, CSRRS(0, CSR_SIE, 5));
    emit(g, enc_i(0x73, 6, 0, chance(g, 70) ? MSTATUS_SIE : 0, CSR_SSTATUS));
    if (chance(g, 50)) {
        li(g, 7, PLIC_BASE + 0x201004);
        emit(g, LW(8, 7, 0)); /* claim */
        if (chance(g, 50))
            emit(g, SW(8, 7, 0)); /* complete */
    }
}

static void do_sbi(struct gen *g)
{
    static const uint32_t calls[][2] = {
        { SBI_EXT_BASE, 8 },
        { SBI_EXT_BASE, 8 },
        { SBI_EXT_TIME, 2 },
        { SBI_EXT_IPI, 2 },
        { SBI_EXT_RFNC, 4 },
        { SBI_EXT_DBCN, 4 },
        { SBI_EXT_HSM, 4 },
        { 1, 1 },
        { 2, 1 },
        { 3, 1 },
        { 4, 1 },
        { 5, 1 },
        { 6, 1 },
        { 7, 1 },
        { 0x0a004856, 15 },
        { 0x12345, 2 },
        { 9, 1 },
    };
    static const uint32_t args[] = {
        0, 1, 1, 2, 0xffffffff, SBI_EXT_TIME, PAGE_AT(PAGE_DATA), 64, PAGE_SIZE
    };
    const uint32_t *call = PICK(g, calls);
    uint32_t        function = below(g, call[1]);

    if (call[0] == SBI_EXT_HSM)
        function = SBI_HSM_STATUS;
    li(g, A7, call[0]);
    emit(g, ADDI(A6, 0, function));
    li(g, A0, call[0] >= 4 && call[0] <= 7 ? 0 : PICK(g, args));
    li(g, A1, PICK(g, args));
    li(g, A2, call[0] == SBI_EXT_DBCN && chance(g, 80) ? 0 : PICK(g, args));
    li(g, 13, PICK(g, args));
    emit(g, ECALL);
}

/* sret with chosen or random status, to the word behind it. */
static void do_sret(struct gen *g)
{
    uint32_t at = g->pc, status = rnd(g) & SSTATUS_MASK;

    g->pc += 16; /* ra and the target: known at the end */
    li(g, 7, status | MSTATUS_SPP);
    emit(g, CSRRW(0, CSR_SSTATUS, 7));
    emit(g, CSRRW(0, CSR_SEPC, 6));
    emit(g, SRET);
    put_li(g, at, RA, g->pc);
    put_li(g, at + 8, 6, g->pc | below(g, 4)); /* low bits are dropped */
}

typedef void (*piece)(struct gen *g);

static const piece user_pieces[] = {
    do_access, do_access, do_access,   do_arithmetic, do_constant,
    do_csr,    do_lr_sc,  do_odd_word, do_jump_away,  do_branch,
};

/* Into user mode, to the word behind; returns what leave_user() wants. */
static uint32_t enter_user(struct gen *g)
{
    uint32_t at = g->pc;
    uint32_t clear = chance(g, 50) ? MSTATUS_SPP : MSTATUS_SPP | MSTATUS_SUM;

    g->pc += 16; /* ra and the target: known later */
    li(g, 7, clear);
    emit(g, CSRRC(8, CSR_SSTATUS, 7));
    emit(g, CSRRW(0, CSR_SEPC, 6));
    emit(g, SRET);
    put_li(g, at + 8, 6, alias(g, g->pc, true));
    g->user = true;
    return at;
}

/* System call 0: back to kernel mode, to the word behind. */
static void leave_user(struct gen *g, uint32_t at)
{
    g->user = false;
    emit(g, ADDI(A7, 0, 0));
    emit(g, ECALL);
    put_li(g, at, RA, g->pc);
}

static void do_user(struct gen *g)
{
    uint32_t at = enter_user(g), n = 1 + below(g, 5);

    while (n--) {
        PICK(g, user_pieces)(g);
        if (chance(g, 15)) {
            emit(g, ADDI(A7, 0, 1));
            emit(g, ECALL);
        } else if (chance(g, 10)) {
            emit(g, PICK(g, ((const uint32_t[]){ SRET, WFI, SFENCE(0, 0) })));
        }
    }
    leave_user(g, at);
}

/* What a user program has touched is edited under it. */
static void do_edit_for_user(struct gen *g)
{
    uint32_t index = data_page(g), base = reg(g), n = below(g, 2);
    uint32_t va = PLAY(n) + PAGE_SIZE * index + 4 * below(g, 24);

    for (int again = 0; again < 2; again++) {
        uint32_t at = enter_user(g), accesses = 1 + below(g, 3);

        li(g, base, g->paging ? va : RAM_BASE + (va & (MEGAPAGE_SIZE - 1)));
        emit(g, LW(reg(g), base, 0));
        leave_user(g, at);
        if (again)
            break;
        while (accesses--)
            do_access(g);
        edit_leaf(g, PAGE_PLAY + below(g, 3), index);
    }
}

static const piece kernel_pieces[] = {
    do_access, do_access,     do_access,       do_edit,          do_edit,
    do_edit,   do_arithmetic, do_constant,     do_csr,           do_csr,
    do_satp,   do_fence,      do_sum_mxr,      do_sum_mxr,       do_stvec,
    do_timer,  do_wfi,        do_software_irq, do_external_irq,  do_sbi,
    do_sret,   do_user,       do_user,         do_user,          do_lr_sc,
    do_branch, do_odd_word,   do_jump_away,    do_edit_for_user,
};

void privgen_code(struct gen *g)
{
    uint32_t n = 8 + below(g, MAX_PIECES - 8);

    g->pc = PAGE_AT(PAGE_CODE);
    while (n-- && g->pc < PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT - 512)
        PICK(g, kernel_pieces)(g);
    emit(g, enc_jal(0, PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT - g->pc));
    g->pc = PAGE_AT(PAGE_CODE) + 4 * CODE_LIMIT;
    li(g, A7, chance(g, 50) ? SBI_LEGACY_SHUTDOWN : SBI_EXT_SRST);
    emit(g, ADDI(A6, 0, SBI_SRST_RESET));
    emit(g, ADDI(A0, 0, below(g, 3)));
    emit(g, ADDI(A1, 0, below(g, 2)));
    emit(g, ECALL);
    emit(g, enc_jal(0, 0)); /* still here: in user mode, say */
}
