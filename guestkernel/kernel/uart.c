/* uart.c - the serial port: a 16550, each register one byte. */
#include "kernel/kernel.h"
#include "kernel/native.h"

#define DATA 0 /* received byte; byte to send */
#define IER  1 /* interrupt enable */
#define LSR  5 /* line status */

#define IER_RECEIVED 0x01
#define LSR_RECEIVED 0x01
#define LSR_CAN_SEND 0x20

static volatile uint8_t *reg(uint32_t nr)
{
    return (volatile uint8_t *)device_at(boot_info.uart + nr);
}

bool uart_present(void)
{
    return boot_info.uart != 0;
}

/* The FIFO stays off: switching it on would lose what has arrived already. */
bool uart_start(void)
{
    *reg(IER) = IER_RECEIVED;
    return boot_info.uart_irq != 0;
}

void uart_put(char byte)
{
    while (!(*reg(LSR) & LSR_CAN_SEND))
        ;
    *reg(DATA) = (uint8_t)byte;
}

int uart_get(void)
{
    return *reg(LSR) & LSR_RECEIVED ? *reg(DATA) : -1;
}
