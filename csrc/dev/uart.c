/* uart.c - a 16550 serial port. */
#include "dev/uart.h"

void uart_reset(struct uart *uart)
{
    *uart = (struct uart){ .ier = 0 };
}

/* Without FIFOs there is one holding register, as in the older 16450. */
static uint32_t uart_capacity(const struct uart *uart)
{
    return uart->fcr & UART_FCR_ON ? UART_FIFO : 1;
}

bool uart_room(const struct uart *uart)
{
    return uart->rx_count < uart_capacity(uart);
}

bool uart_receive(struct uart *uart, uint8_t byte)
{
    if (!uart_room(uart))
        return false;
    uart->rx[(uart->rx_head + uart->rx_count) % UART_FIFO] = byte;
    uart->rx_count++;
    return true;
}

static uint8_t uart_take(struct uart *uart)
{
    uint8_t byte = 0;

    if (uart->rx_count) {
        byte = uart->rx[uart->rx_head];
        uart->rx_head = (uart->rx_head + 1) % UART_FIFO;
        uart->rx_count--;
    }
    return byte;
}

/* The interrupt that is to be served first. */
static uint8_t uart_irq(const struct uart *uart)
{
    if ((uart->ier & UART_IER_RX) && uart->rx_count)
        return UART_IIR_RX;
    if ((uart->ier & UART_IER_THRE) && uart->thre_irq)
        return UART_IIR_THRE;
    return UART_IIR_NONE;
}

bool uart_line(const struct uart *uart)
{
    return uart_irq(uart) != UART_IIR_NONE;
}

/* Reading IIR acknowledges "ready to send", if that is what it reports. */
static uint8_t uart_iir(struct uart *uart)
{
    uint8_t irq = uart_irq(uart);

    if (irq == UART_IIR_THRE)
        uart->thre_irq = false;
    return irq | (uart->fcr & UART_FCR_ON ? UART_IIR_FIFO : 0);
}

/* In loopback the outputs of MCR come back as the inputs of MSR. */
static uint8_t uart_msr(const struct uart *uart)
{
    uint8_t mcr = uart->mcr;

    if (!(mcr & UART_MCR_LOOP))
        return UART_MSR_LINE;
    return (uint8_t)((mcr & 0x0c) << 4 | (mcr & 0x01) << 5 | (mcr & 0x02) << 3);
}

static uint8_t uart_read(struct uart *uart, uint32_t offset)
{
    bool dlab = uart->lcr & UART_LCR_DLAB;

    switch (offset) {
    case UART_RBR:
        return dlab ? uart->dll : uart_take(uart);
    case UART_IER:
        return dlab ? uart->dlm : uart->ier;
    case UART_IIR:
        return uart_iir(uart);
    case UART_LCR:
        return uart->lcr;
    case UART_MCR:
        return uart->mcr;
    case UART_LSR:
        return UART_LSR_THRE | UART_LSR_TEMT |
               (uart->rx_count ? UART_LSR_DR : 0);
    case UART_MSR:
        return uart_msr(uart);
    case UART_SCR:
        return uart->scr;
    default:
        return 0;
    }
}

static struct uart_sent uart_send(struct uart *uart, uint8_t byte)
{
    uart->thre_irq = true; /* sent already, so ready again */
    if (uart->mcr & UART_MCR_LOOP) {
        uart_receive(uart, byte); /* overrun, as on the real thing, if full */
        return (struct uart_sent){ .any = false };
    }
    return (struct uart_sent){ .any = true, .byte = byte };
}

/* Turning the FIFOs on or off empties them. */
static void uart_write_fcr(struct uart *uart, uint8_t val)
{
    bool turned = (uart->fcr ^ val) & UART_FCR_ON;

    uart->fcr = val & UART_FCR_ON;
    if (turned || (val & UART_FCR_RX))
        uart->rx_count = 0;
}

/* Enabling "ready to send" raises it, since the port always is. */
static void uart_write_ier(struct uart *uart, uint8_t val)
{
    if ((val & UART_IER_THRE) && !(uart->ier & UART_IER_THRE))
        uart->thre_irq = true;
    uart->ier = val & 0x0f;
}

bool uart_load(struct uart *uart, uint32_t offset, uint32_t size, uint32_t *val)
{
    if (size != 1)
        return false;
    *val = uart_read(uart, offset);
    return true;
}

bool uart_store(struct uart *uart, uint32_t offset, uint32_t size, uint32_t val,
                struct uart_sent *sent)
{
    bool    dlab = uart->lcr & UART_LCR_DLAB;
    uint8_t byte = (uint8_t)val;

    *sent = (struct uart_sent){ .any = false };
    if (size != 1)
        return false;
    switch (offset) {
    case UART_THR:
        if (dlab)
            uart->dll = byte;
        else
            *sent = uart_send(uart, byte);
        break;
    case UART_IER:
        if (dlab)
            uart->dlm = byte;
        else
            uart_write_ier(uart, byte);
        break;
    case UART_FCR:
        uart_write_fcr(uart, byte);
        break;
    case UART_LCR:
        uart->lcr = byte;
        break;
    case UART_MCR:
        uart->mcr = byte & 0x1f;
        break;
    case UART_SCR:
        uart->scr = byte;
        break;
    default:
        break; /* read-only, or no register */
    }
    return true;
}
