/* uart.h - a 16550 serial port with a 16-byte receive FIFO.
 *
 * offset  read                        write                     DLAB = 1
 * 0       RBR received byte           THR byte to send          DLL
 * 1       IER interrupt enable        IER                       DLM
 * 2       IIR which interrupt         FCR FIFO control
 * 3       LCR line control (DLAB)     LCR
 * 4       MCR modem control           MCR
 * 5       LSR line status             ignored
 * 6       MSR modem status            ignored
 * 7       SCR scratch                 SCR
 *
 * A byte is sent the moment it is written: uart_store() hands it to the owner,
 * THRE and TEMT read 1 always, and what a guest sees does not depend on who
 * reads its output, or when. Line speed and parity are stored and mean nothing.
 * The receive interrupt comes from the first byte; there are no trigger
 * levels. Registers are bytes: another width is refused; offsets from 8 on
 * read 0 and ignore writes. */
#ifndef HV_DEV_UART_H
#define HV_DEV_UART_H

#include <stdbool.h>
#include <stdint.h>

#define UART_FIFO 16

#define UART_RBR 0
#define UART_THR 0
#define UART_DLL 0
#define UART_IER 1
#define UART_DLM 1
#define UART_IIR 2
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_MSR 6
#define UART_SCR 7

#define UART_IER_RX   0x01 /* received data available */
#define UART_IER_THRE 0x02 /* ready to send */
#define UART_IIR_NONE 0x01
#define UART_IIR_THRE 0x02
#define UART_IIR_RX   0x04
#define UART_IIR_FIFO 0xc0 /* FIFOs are on */
#define UART_FCR_ON   0x01
#define UART_FCR_RX   0x02 /* empty the receive FIFO */
#define UART_LCR_DLAB 0x80
#define UART_MCR_LOOP 0x10 /* what is sent is received */
#define UART_LSR_DR   0x01
#define UART_LSR_THRE 0x20
#define UART_LSR_TEMT 0x40
#define UART_MSR_LINE 0xb0 /* carrier, data set ready, clear to send */

struct uart {
    uint8_t  ier, fcr, lcr, mcr, scr, dll, dlm;
    bool     thre_irq; /* "ready to send" was not yet acknowledged */
    uint8_t  rx[UART_FIFO];
    uint32_t rx_head, rx_count;
};

/* What a store sent down the line, if anything. */
struct uart_sent {
    bool    any;
    uint8_t byte;
};

void uart_reset(struct uart *uart);

/* One access, `size` bytes at `offset`; false, and nothing done, if refused. */
bool uart_load(struct uart *uart, uint32_t offset, uint32_t size,
               uint32_t *val);
bool uart_store(struct uart *uart, uint32_t offset, uint32_t size, uint32_t val,
                struct uart_sent *sent);

/* Is there room for a byte? */
bool uart_room(const struct uart *uart);

/* A byte arrives; false, and nothing changed, if there is no room for it. */
bool uart_receive(struct uart *uart, uint8_t byte);

/* The interrupt line. */
bool uart_line(const struct uart *uart);

#endif
