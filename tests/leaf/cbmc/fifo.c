/* fifo.c - whatever is done to the serial port, in whatever order: its indices
 * stay inside the FIFO. One step from any state that has that property. */
#include "dev/uart.c"
#include "prove.h"

void prove_fifo(void);

static bool well_formed(const struct uart *uart)
{
    return uart->rx_head < UART_FIFO && uart->rx_count <= UART_FIFO &&
           (uart->rx_count <= 1 || (uart->fcr & UART_FCR_ON));
}

void prove_fifo(void)
{
    static struct uart uart;
    struct uart_sent   sent;
    uint32_t           regs = any_u32(), offset = any_u32(), size = any_u32();
    uint32_t           val = any_u32();

    uart.mcr = regs & 0x1f;
    uart.fcr = regs >> 8 & UART_FCR_ON;
    uart.lcr = (uint8_t)(regs >> 16);
    uart.ier = regs >> 24 & 0x0f;
    uart.rx_head = any_u32();
    uart.rx_count = any_u32();
    ASSUME(well_formed(&uart));
    uint32_t before = uart.rx_count;
    switch (any_u32() % 3) {
    case 0:
        PROVE(uart_room(&uart) == uart_receive(&uart, (uint8_t)val));
        PROVE(uart.rx_count - before <= 1);
        break;
    case 1:
        PROVE(uart_load(&uart, offset, size, &val) == (size == 1));
        PROVE(before - uart.rx_count <= 1);
        break;
    default:
        PROVE(uart_store(&uart, offset, size, val, &sent) == (size == 1));
        PROVE(!sent.any || (size == 1 && offset == UART_THR));
    }
    PROVE(well_formed(&uart));
}
