/* firmware.c - a small SBI firmware: what a kernel expects beneath it.
 *
 * It owns the timer and the inter-hart interrupts, which only M-mode can
 * reach, hands everything else to S-mode (delegation), and answers SBI calls.
 * It does not virtualize anything: a kernel on it runs "bare".
 *
 * Built twice, see firmware.h. Order of reading: fw_boot, fw_trap, sbi_call,
 * then the extensions; firmware_code.c is what only the machine code needs.
 *
 * Both callers of fw_trap look at the hart's status when it returns: a hart
 * that is now SBI_HSM_STOPPED does not go back to S-mode; it waits until its
 * status is SBI_HSM_START_PENDING, and then enters through fw_boot again. */
#include "port/firmware.h"

#define MSIP(id)     (CLINT_BASE + 4 * (id))
#define MTIMECMP(id) (CLINT_BASE + 0x4000 + 8 * (id))

/* 16550 registers: data, line status. */
#define UART_DATA      (UART_BASE + 0)
#define UART_LSR       (UART_BASE + 5)
#define UART_LSR_READY 0x01 /* a byte has arrived */
#define UART_LSR_EMPTY 0x20 /* room for a byte to send */

/* S-mode gets every exception that is its own business. It does not get the
 * ecall from S, which is how it calls us. */
#define DELEGATED_EXCEPTIONS                                                   \
    (1 << CAUSE_FETCH_MISALIGNED | 1 << CAUSE_FETCH_ACCESS |                   \
     1 << CAUSE_ILLEGAL | 1 << CAUSE_BREAKPOINT | 1 << CAUSE_LOAD_MISALIGNED | \
     1 << CAUSE_LOAD_ACCESS | 1 << CAUSE_STORE_MISALIGNED |                    \
     1 << CAUSE_STORE_ACCESS | 1 << CAUSE_ECALL_U | 1 << CAUSE_FETCH_PAGE |    \
     1 << CAUSE_LOAD_PAGE | 1 << CAUSE_STORE_PAGE)

struct sbi_ret {
    int32_t  error; /* SBI_ERR_x */
    uint32_t value;
};

static const struct sbi_ret sbi_ok = { SBI_SUCCESS, 0 };
static const struct sbi_ret sbi_unknown = { SBI_ERR_NOT_SUPPORTED, 0 };
static const struct sbi_ret sbi_invalid = { SBI_ERR_INVALID_PARAM, 0 };

static uint32_t hart_id(struct hart *hart)
{
    return FW_READ(hart, CSR_MHARTID);
}

/* Change pending bits of S-mode. SEIP reads as "the bit or the wire" and is
 * written as the bit: writing back what was read would turn an interrupt that
 * is there just now into one that stays for ever. */
static void pending_change(struct hart *hart, int clear, int set)
{
    uint32_t mip = FW_READ(hart, CSR_MIP) & ~(uint32_t)(MIP_SEIP | clear);

    FW_WRITE(hart, CSR_MIP, mip | (uint32_t)set);
}

void fw_boot(struct firmware *fw, struct hart *hart, struct regs *regs,
             uint32_t entry, uint32_t opaque)
{
    uint32_t id = hart_id(hart);

    fw_store(hart, MSIP(id), 4, 0);
    FW_WRITE(hart, CSR_MEDELEG, (uint32_t)DELEGATED_EXCEPTIONS);
    FW_WRITE(hart, CSR_MIDELEG, (uint32_t)SIP_MASK);
    FW_WRITE(hart, CSR_MCOUNTEREN, (uint32_t)COUNTEREN_MASK);
    FW_WRITE(hart, CSR_MIE, (uint32_t)MIP_MSIP);
    FW_WRITE(hart, CSR_SATP, 0u);
    FW_WRITE(hart, CSR_MSTATUS, (uint32_t)(PRIV_S << MSTATUS_MPP_SHIFT));
    FW_WRITE(hart, CSR_MEPC, entry);
    regs->x[REG_A0] = id;
    regs->x[REG_A1] = opaque;
    fw->hart[id].status = SBI_HSM_STARTED;
}

/* Console ------------------------------------------------------------------ */

static void console_put(struct hart *hart, uint32_t byte)
{
    while (!(fw_load(hart, UART_LSR, 1) & UART_LSR_EMPTY))
        ;
    fw_store(hart, UART_DATA, 1, byte & 0xff);
}

/* The next byte that arrived, or -1. */
static int32_t console_get(struct hart *hart)
{
    if (!(fw_load(hart, UART_LSR, 1) & UART_LSR_READY))
        return -1;
    return (int32_t)(fw_load(hart, UART_DATA, 1) & 0xff);
}

static struct sbi_ret console_read(struct hart *hart, uint32_t pa, uint32_t len)
{
    struct sbi_ret ret = sbi_ok;
    int32_t        byte;

    while (ret.value < len && (byte = console_get(hart)) >= 0)
        fw_store(hart, pa + ret.value++, 1, (uint32_t)byte);
    return ret;
}

static struct sbi_ret ext_dbcn(struct hart *hart, const uint32_t *arg,
                               uint32_t function)
{
    uint32_t len = arg[0], pa = arg[1], pa_high = arg[2];

    if (function == SBI_DBCN_WRITE_BYTE) {
        console_put(hart, arg[0]);
        return sbi_ok;
    }
    if (function != SBI_DBCN_WRITE && function != SBI_DBCN_READ)
        return sbi_unknown;
    if (pa_high != 0 || !fw_is_ram(hart, pa, len))
        return sbi_invalid;
    if (function == SBI_DBCN_READ)
        return console_read(hart, pa, len);
    for (uint32_t i = 0; i < len; i++)
        console_put(hart, fw_load(hart, pa + i, 1));
    return (struct sbi_ret){ SBI_SUCCESS, len };
}

/* Time, and power ---------------------------------------------------------- */

/* The high half goes through its largest value, so that no half-written
 * comparison is in the past. */
static void timer_set(struct hart *hart, uint32_t low, uint32_t high)
{
    uint32_t at = MTIMECMP(hart_id(hart));

    fw_store(hart, at + 4, 4, UINT32_MAX);
    fw_store(hart, at, 4, low);
    fw_store(hart, at + 4, 4, high);
    pending_change(hart, MIP_STIP, 0);
    FW_WRITE(hart, CSR_MIE, FW_READ(hart, CSR_MIE) | (uint32_t)MIP_MTIP);
}

static struct sbi_ret ext_srst(struct hart *hart, const uint32_t *arg)
{
    uint32_t type = arg[0], reason = arg[1];
    uint32_t word;

    if (type > SBI_SRST_WARM_REBOOT || reason > SBI_SRST_REASON_FAILURE)
        return sbi_invalid;
    if (type != SBI_SRST_SHUTDOWN)
        word = TEST_RESET;
    else if (reason == SBI_SRST_REASON_NONE)
        word = TEST_PASS;
    else
        word = TEST_FAIL | 1 << 16;
    fw_store(hart, TEST_BASE, 4, word);
    return sbi_ok;
}

/* Other harts -------------------------------------------------------------- */

/* Is hart `id` named by an SBI hart mask? A base of all ones names all. */
static bool mask_names(uint32_t mask, uint32_t base, uint32_t id)
{
    if (base == UINT32_MAX)
        return true;
    return id >= base && id - base < 32 && (mask >> (id - base) & 1);
}

static bool mask_valid(const struct firmware *fw, uint32_t mask, uint32_t base)
{
    if (base == UINT32_MAX)
        return true;
    for (uint32_t bit = 0; bit < 32; bit++)
        if ((mask >> bit & 1) &&
            (bit >= fw->nr_harts || base >= fw->nr_harts - bit))
            return false;
    return true;
}

static struct sbi_ret send_ipi(struct firmware *fw, struct hart *hart,
                               uint32_t mask, uint32_t base)
{
    if (!mask_valid(fw, mask, base))
        return sbi_invalid;
    for (uint32_t id = 0; id < fw->nr_harts; id++)
        if (mask_names(mask, base, id) &&
            fw->hart[id].status == SBI_HSM_STARTED) {
            fw->hart[id].ipi = 1;
            fw_store(hart, MSIP(id), 4, 1);
        }
    return sbi_ok;
}

/* Carry out what other harts asked of this one by raising its msip. Requests
 * are taken before they are served: one that comes in between is served
 * twice rather than never. */
static void serve_requests(struct firmware *fw, struct hart *hart)
{
    uint32_t                       id = hart_id(hart);
    volatile struct fw_hart_state *self = &fw->hart[id];

    fw_store(hart, MSIP(id), 4, 0);
    if (self->ipi) {
        self->ipi = 0;
        pending_change(hart, 0, MIP_SSIP);
    }
    if (self->fence) {
        fw_fence_i(hart);
        fw_sfence(hart);
        self->fence = 0;
    }
}

/*
 * Make other harts fence, and wait until they did. Two harts may ask each
 * other at once, so the wait serves what others want of us.
 *
 * In the native build a call runs while every other hart stands still, so
 * there is nothing to wait for: the msip traps before the next instruction.
 */
static struct sbi_ret ext_rfnc(struct firmware *fw, struct hart *hart,
                               const uint32_t *arg, uint32_t function)
{
    uint32_t self = hart_id(hart);

    if (function > SBI_RFNC_SFENCE_ASID)
        return sbi_unknown;
    if (!mask_valid(fw, arg[0], arg[1]))
        return sbi_invalid;
    for (uint32_t id = 0; id < fw->nr_harts; id++) {
        volatile struct fw_hart_state *other = &fw->hart[id];

        if (!mask_names(arg[0], arg[1], id) || other->status != SBI_HSM_STARTED)
            continue;
        other->fence = 1;
        if (id == self) {
            serve_requests(fw, hart);
            continue;
        }
        fw_store(hart, MSIP(id), 4, 1);
#ifndef FW_NATIVE
        while (other->fence)
            serve_requests(fw, hart);
#endif
    }
    return sbi_ok;
}

static struct sbi_ret hsm_start(struct firmware *fw, struct hart *hart,
                                const uint32_t *arg)
{
    uint32_t id = arg[0];

    if (id >= fw->nr_harts)
        return sbi_invalid;
    if (!fw_is_ram(hart, arg[1], 4))
        return (struct sbi_ret){ SBI_ERR_INVALID_ADDRESS, 0 };
    if (fw->hart[id].status != SBI_HSM_STOPPED)
        return (struct sbi_ret){ SBI_ERR_ALREADY_AVAILABLE, 0 };
    fw->hart[id].start_pc = arg[1];
    fw->hart[id].opaque = arg[2];
    fw->hart[id].status = SBI_HSM_START_PENDING;
    fw_store(hart, MSIP(id), 4, 1);
    return sbi_ok;
}

static struct sbi_ret ext_hsm(struct firmware *fw, struct hart *hart,
                              const uint32_t *arg, uint32_t function)
{
    switch (function) {
    case SBI_HSM_START:
        return hsm_start(fw, hart, arg);
    case SBI_HSM_STOP: /* the caller of fw_trap acts on the status */
        fw->hart[hart_id(hart)].status = SBI_HSM_STOPPED;
        return sbi_ok;
    case SBI_HSM_STATUS:
        if (arg[0] >= fw->nr_harts)
            return sbi_invalid;
        return (struct sbi_ret){ SBI_SUCCESS, fw->hart[arg[0]].status };
    default:
        return sbi_unknown;
    }
}

/* The legacy calls name harts by a mask in memory, at a virtual address: one
 * word is enough for our eight harts. Returns false if it is not mapped. */
static bool legacy_mask(struct firmware *fw, struct hart *hart, uint32_t va,
                        uint32_t *mask)
{
    uint32_t satp = FW_READ(hart, CSR_SATP);
    uint32_t table = satp << 12, pte;

    if (va == 0) { /* means all of them */
        *mask = (1u << fw->nr_harts) - 1;
        return true;
    }
    if (va & 3)
        return false;
    for (uint32_t shift = 22; (satp & SATP_MODE) && table; shift -= 10) {
        uint32_t slot = table + 4 * (va >> shift & 0x3ff);
        uint32_t below = (1u << shift) - 1;

        if (!fw_is_ram(hart, slot, 4))
            return false;
        pte = fw_load(hart, slot, 4);
        table = pte >> 10 << 12;
        if (!(pte & 1) || (shift == 12 && !(pte & 0xe)))
            return false;
        if (pte & 0xe) {
            va = (table & ~below) | (va & below);
            break;
        }
    }
    if (!fw_is_ram(hart, va, 4))
        return false;
    *mask = fw_load(hart, va, 4) & ((1u << fw->nr_harts) - 1);
    return true;
}

/* The calls --------------------------------------------------------------- */

static struct sbi_ret ext_base(struct hart *hart, const uint32_t *arg,
                               uint32_t function)
{
    struct sbi_ret ret = sbi_ok;

    switch (function) {
    case SBI_BASE_SPEC_VERSION:
        ret.value = SBI_SPEC_VERSION;
        break;
    case SBI_BASE_IMPL_ID:
        ret.value = SBI_IMPL_HV;
        break;
    case SBI_BASE_IMPL_VERSION:
        ret.value = 1;
        break;
    case SBI_BASE_PROBE:
        ret.value = arg[0] <= SBI_LEGACY_SHUTDOWN || arg[0] == SBI_EXT_BASE ||
                    arg[0] == SBI_EXT_TIME || arg[0] == SBI_EXT_IPI ||
                    arg[0] == SBI_EXT_RFNC || arg[0] == SBI_EXT_HSM ||
                    arg[0] == SBI_EXT_SRST || arg[0] == SBI_EXT_DBCN;
        break;
    case SBI_BASE_MVENDORID:
        ret.value = FW_READ(hart, CSR_MVENDORID);
        break;
    case SBI_BASE_MARCHID:
        ret.value = FW_READ(hart, CSR_MARCHID);
        break;
    case SBI_BASE_MIMPID:
        ret.value = FW_READ(hart, CSR_MIMPID);
        break;
    default:
        return sbi_unknown;
    }
    return ret;
}

/* The legacy extensions answer in a0 alone. */
static uint32_t sbi_legacy(struct firmware *fw, struct hart *hart,
                           const uint32_t *arg, uint32_t extension)
{
    const uint32_t off[2] = { SBI_SRST_SHUTDOWN, SBI_SRST_REASON_NONE };
    uint32_t       fence[2] = { 0, 0 };
    struct sbi_ret ret = sbi_ok;

    switch (extension) {
    case SBI_LEGACY_SET_TIMER:
        timer_set(hart, arg[0], arg[1]);
        break;
    case SBI_LEGACY_PUTCHAR:
        console_put(hart, arg[0]);
        break;
    case SBI_LEGACY_GETCHAR:
        return (uint32_t)console_get(hart);
    case SBI_LEGACY_CLEAR_IPI:
        pending_change(hart, MIP_SSIP, 0);
        break;
    case SBI_LEGACY_SHUTDOWN:
        ret = ext_srst(hart, off);
        break;
    default: /* send_ipi and the fences: all take a mask in memory */
        if (!legacy_mask(fw, hart, arg[0], &fence[0]))
            return (uint32_t)SBI_ERR_INVALID_ADDRESS;
        if (extension == SBI_LEGACY_SEND_IPI)
            ret = send_ipi(fw, hart, fence[0], 0);
        else
            ret = ext_rfnc(fw, hart, fence, SBI_RFNC_SFENCE);
        break;
    }
    return (uint32_t)ret.error;
}

static void sbi_call(struct firmware *fw, struct hart *hart, struct regs *regs)
{
    const uint32_t *arg = &regs->x[REG_A0];
    uint32_t        extension = regs->x[REG_A7];
    uint32_t        function = regs->x[REG_A6];
    struct sbi_ret  ret = sbi_unknown;

    if (extension <= SBI_LEGACY_SHUTDOWN) {
        regs->x[REG_A0] = sbi_legacy(fw, hart, arg, extension);
        return;
    }
    switch (extension) {
    case SBI_EXT_BASE:
        ret = ext_base(hart, arg, function);
        break;
    case SBI_EXT_TIME:
        if (function == SBI_TIME_SET) {
            timer_set(hart, arg[0], arg[1]);
            ret = sbi_ok;
        }
        break;
    case SBI_EXT_IPI:
        if (function == SBI_IPI_SEND)
            ret = send_ipi(fw, hart, arg[0], arg[1]);
        break;
    case SBI_EXT_RFNC:
        ret = ext_rfnc(fw, hart, arg, function);
        break;
    case SBI_EXT_HSM:
        ret = ext_hsm(fw, hart, arg, function);
        break;
    case SBI_EXT_SRST:
        if (function == SBI_SRST_RESET)
            ret = ext_srst(hart, arg);
        break;
    case SBI_EXT_DBCN:
        ret = ext_dbcn(hart, arg, function);
        break;
    default:
        break;
    }
    regs->x[REG_A0] = (uint32_t)ret.error;
    regs->x[REG_A1] = ret.value;
}

void fw_trap(struct firmware *fw, struct hart *hart, struct regs *regs)
{
    uint32_t cause = FW_READ(hart, CSR_MCAUSE);

    switch (cause) {
    case CAUSE_INTERRUPT | IRQ_MTI: /* ours until S-mode sets a new time */
        FW_WRITE(hart, CSR_MIE, FW_READ(hart, CSR_MIE) & ~(uint32_t)MIP_MTIP);
        pending_change(hart, 0, MIP_STIP);
        break;
    case CAUSE_INTERRUPT | IRQ_MSI:
        serve_requests(fw, hart);
        break;
    case CAUSE_ECALL_S:
        FW_WRITE(hart, CSR_MEPC, FW_READ(hart, CSR_MEPC) + 4);
        sbi_call(fw, hart, regs);
        break;
    default: /* nothing else comes here: all of it was delegated */
        fw_store(hart, TEST_BASE, 4, TEST_FAIL | cause << 16);
        break;
    }
}
