/* board.c - what a register of a device does: P13, P22.
 *
 * The board of abi/memmap.h, written from its register maps: that of a 16550
 * (National Semiconductor, PC16550D, 1995), of the RISC-V PLIC Specification
 * 1.0.0, 3 to 9, and of QEMU's test device; with what dev/uart.h, plic.h and
 * testdev.h choose where those leave a choice. It shares no code with csrc/dev,
 * of which it is to find the mistakes. */
#include "hvp/board.h"
#include "abi/memmap.h"
#include <string.h>

/* --- interrupts -------------------------------------------------------------- */

#define PRIORITIES 7u /* a mask */

static void raise_lines(struct hvp_irqs *irqs)
{
    irqs->pending |= irqs->lines & ~irqs->claimed;
}

static uint32_t claim(struct hvp_irqs *irqs, uint32_t context)
{
    uint32_t best = 0, most = 0;

    for (uint32_t i = 1; i < BOARD_SOURCES; i++)
        if ((irqs->pending & irqs->enable[context]) >> i & 1 &&
            irqs->priority[i] > most) {
            best = i;
            most = irqs->priority[i];
        }
    if (best) {
        irqs->pending &= ~(1u << best);
        irqs->claimed |= 1u << best;
    }
    return best;
}

static void complete(struct hvp_irqs *irqs, uint32_t context, uint32_t source)
{
    if (source == 0 || source >= BOARD_SOURCES ||
        !(irqs->enable[context] >> source & 1))
        return;
    irqs->claimed &= ~(1u << source);
    raise_lines(irqs);
}

/* A word that is stored and read back; NULL: there is no such register. */
static uint32_t *irq_word(struct hvp_irqs *irqs, uint32_t at, uint32_t *mask)
{
    *mask = PRIORITIES;
    if (at >= 4 && at < 4 * BOARD_SOURCES)
        return &irqs->priority[at / 4];
    if (at >= 0x2000 && at < 0x2000 + 0x80 * irqs->contexts && at % 0x80 == 0) {
        *mask = ~1u; /* there is no source 0 */
        return &irqs->enable[(at - 0x2000) / 0x80];
    }
    if (at >= 0x200000 && at < 0x200000 + 0x1000 * irqs->contexts &&
        at % 0x1000 == 0)
        return &irqs->threshold[(at - 0x200000) / 0x1000];
    return NULL;
}

static bool irqs_access(struct hvp_irqs *irqs, uint32_t at,
                        struct hvp_register *access)
{
    uint32_t  mask, context = (at - 0x200004) / 0x1000;
    uint32_t *word = irq_word(irqs, at, &mask);
    bool      claims = at >= 0x200004 && context < irqs->contexts &&
                       at % 0x1000 == 4;

    if (access->size != 4)
        return false;
    if (access->store) {
        if (word)
            *word = access->value & mask;
        else if (claims)
            complete(irqs, context, access->value);
        return true;
    }
    access->nothing = !word && !claims && at != 0x1000;
    access->value = word           ? *word
                    : claims       ? claim(irqs, context)
                    : at == 0x1000 ? irqs->pending
                                   : 0;
    return true;
}

/* --- the serial port --------------------------------------------------------- */

enum { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define DLAB     0x80u /* of LCR */
#define LOOP     0x10u /* of MCR */
#define FIFO_ON  1u    /* of FCR */
#define FIFO_END 2u

static bool room(const struct hvp_serial *serial)
{
    return serial->held < (serial->fcr & FIFO_ON ? BOARD_FIFO : 1);
}

/* What finds no room is lost. */
static void receive(struct hvp_serial *serial, uint32_t byte)
{
    if (room(serial))
        serial->byte[serial->held++] = byte;
}

/* The first of some, which is 0 if there is none. */
static uint32_t take(uint32_t *byte, uint32_t *count)
{
    uint32_t first = byte[0];

    if (*count == 0)
        return 0;
    memmove(byte, byte + 1, (BOARD_FIFO - 1) * sizeof(*byte));
    byte[BOARD_FIFO - 1] = 0;
    --*count;
    return first;
}

/* Input comes in, as far as there is room. */
static void poll(struct hvp_board *board)
{
    struct hvp_serial *serial = &board->serial;

    while (room(serial) && board->waiting)
        receive(serial, take(board->input, &board->waiting));
}

/* The number that IIR shows: received data, ready to send, nothing. */
static uint32_t reason(const struct hvp_serial *serial)
{
    if ((serial->ier & 1) && serial->held)
        return 4;
    return (serial->ier & 2) && serial->ready ? 2 : 1;
}

static void line(struct hvp_board *board)
{
    uint32_t bit = 1u << UART_IRQ;

    board->irqs.lines &= ~bit;
    if (reason(&board->serial) != 1)
        board->irqs.lines |= bit;
    raise_lines(&board->irqs);
}

static uint32_t serial_load(struct hvp_serial *serial, uint32_t at)
{
    bool     dlab = serial->lcr & DLAB;
    uint32_t mcr = serial->mcr, why = reason(serial);

    switch (at) {
    case DATA:
        return dlab ? serial->dll : take(serial->byte, &serial->held);
    case IER:
        return dlab ? serial->dlm : serial->ier;
    case IIR_FCR:
        if (why == 2)
            serial->ready = 0;
        return why | (serial->fcr & FIFO_ON ? 0xc0 : 0);
    case LCR:
        return serial->lcr;
    case MCR:
        return mcr;
    case LSR:
        return serial->held ? 0x61 : 0x60;
    case MSR: /* DTR, RTS, OUT1, OUT2 are DSR, CTS, RI, DCD in a loop */
        return mcr & LOOP ? (mcr & 1) << 5 | (mcr & 2) << 3 | (mcr & 12) << 4
                          : 0xb0;
    case SCR:
        return serial->scr;
    default:
        return 0;
    }
}

static void serial_store(struct hvp_serial *serial, uint32_t at, uint32_t byte)
{
    bool dlab = serial->lcr & DLAB;

    if (at == DATA && dlab) {
        serial->dll = byte;
    } else if (at == DATA) {
        serial->ready = 1;
        if (serial->mcr & LOOP)
            receive(serial, byte);
    } else if (at == IER && dlab) {
        serial->dlm = byte;
    } else if (at == IER) {
        if (byte & ~serial->ier & 2)
            serial->ready = 1;
        serial->ier = byte & 15;
    } else if (at == IIR_FCR) {
        if (((byte ^ serial->fcr) & FIFO_ON) || (byte & FIFO_END)) {
            serial->held = 0;
            memset(serial->byte, 0, sizeof(serial->byte));
        }
        serial->fcr = byte & FIFO_ON;
    } else if (at == LCR) {
        serial->lcr = byte;
    } else if (at == MCR) {
        serial->mcr = byte & 0x1f;
    } else if (at == SCR) {
        serial->scr = byte;
    }
}

/* Whoever touches the port sees the input that has come by then. */
static bool serial_access(struct hvp_board *board, uint32_t at,
                          struct hvp_register *access)
{
    bool byte = access->size == 1;

    if (access->store) {
        if (byte)
            serial_store(&board->serial, at, access->value & 0xff);
        poll(board);
    } else {
        access->nothing = at > SCR;
        poll(board);
        line(board);
        access->value = byte ? serial_load(&board->serial, at) : 0;
    }
    line(board);
    return byte;
}

/* --- all of them ------------------------------------------------------------- */

bool hvp_board_access(struct hvp_board *board, struct hvp_register *access)
{
    if (access->gpa - UART_BASE < UART_SIZE)
        return serial_access(board, access->gpa - UART_BASE, access);
    if (access->gpa - PLIC_BASE < PLIC_SIZE)
        return irqs_access(&board->irqs, access->gpa - PLIC_BASE, access);
    if (access->gpa - TEST_BASE >= TEST_SIZE)
        return false;
    access->nothing = true;
    if (!access->store)
        access->value = 0;
    return true;
}
