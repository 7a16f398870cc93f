/* serial.c - the receive FIFO, from every state it can be in, against a queue
 * that is shifted by hand; and every register's reads and writes. */
#include "dev/uart.c"
#include "leaf_check.h"

/* The same 16550, the plain way. */
struct queue16 {
    uint8_t  byte[16];
    uint32_t len;
    bool     fifo;
};

static bool put(struct queue16 *q, uint8_t byte)
{
    if (q->len >= (q->fifo ? 16u : 1u))
        return false;
    q->byte[q->len++] = byte;
    return true;
}

static uint8_t take(struct queue16 *q)
{
    uint8_t first = q->len ? q->byte[0] : 0;

    for (uint32_t i = 1; i < q->len; i++)
        q->byte[i - 1] = q->byte[i];
    q->len -= q->len > 0;
    return first;
}

static void control(struct queue16 *q, uint8_t fcr)
{
    if ((fcr & 1) != q->fifo || fcr & 2)
        q->len = 0;
    q->fifo = fcr & 1;
}

/* 0-3: arrives, read, FIFO control, sent in loopback. */
static bool step(struct leaf *out, struct uart *uart, struct queue16 *q,
                 uint32_t op, uint8_t byte)
{
    struct uart_sent sent;
    uint32_t         val = 0;

    switch (op) {
    case 0:
        SAME("receive", put(q, byte), uart_receive(uart, byte), op, byte,
             q->len, 0);
        break;
    case 1:
        uart_load(uart, 0, 1, &val);
        SAME("read", take(q), val, op, byte, q->len, 0);
        break;
    case 2:
        control(q, byte);
        uart_store(uart, 2, 1, byte, &sent);
        break;
    default:
        put(q, byte);
        uart_store(uart, 0, 1, byte, &sent);
        SAME("loopback sends nothing", false, sent.any, op, byte, 0, 0);
    }
    uart_load(uart, 5, 1, &val);
    SAME("line status", 0x60 | (q->len > 0), val, op, byte, q->len, 0);
    SAME("there is room", q->len < (q->fifo ? 16u : 1u), uart_room(uart), op,
         byte, q->len, 0);
    return true;
}

/* FIFO at this place with so many bytes; then any four steps. */
static bool check_from(struct leaf *out, uint32_t head, uint32_t count)
{
    static const uint8_t fcr[] = { 0, 1, 2, 3 };

    for (uint32_t n = 0; n < 7 * 7 * 7 * 7; n++) {
        struct uart    uart;
        struct queue16 q = { .len = 0 };

        uart_reset(&uart);
        uart.mcr = 0x10;
        control(&q, 1);
        uart.fcr = 1;
        uart.rx_head = head;
        for (uint32_t i = 0; i < count; i++)
            if (!step(out, &uart, &q, 0, (uint8_t)(0x40 + i)))
                return false;
        for (uint32_t i = 0, rest = n; i < 4; i++, rest /= 7) {
            uint32_t op = rest % 7 < 4 ? 2 : rest % 7 - 4;
            uint8_t  byte = rest % 7 < 4 ? fcr[rest % 7] : (uint8_t)(0x80 + i);

            if (op == 2 && rest % 7 >= 4)
                op = 3;
            if (!step(out, &uart, &q, op, byte))
                return false;
        }
    }
    return true;
}

/* Every offset and width: bytes alone, and nothing past the registers. */
static bool check_offsets(struct leaf *out)
{
    for (uint32_t offset = 0; offset < 0x200; offset++)
        for (uint32_t size = 1; size <= 4; size *= 2) {
            struct uart      uart;
            struct uart_sent sent;
            uint32_t         val = 0;

            uart_reset(&uart);
            SAME("load", size == 1, uart_load(&uart, offset, size, &val),
                 offset, size, 0, 0);
            SAME("store", size == 1,
                 uart_store(&uart, offset, size, 0x5a, &sent), offset, size, 0,
                 0);
            SAME("sends", size == 1 && offset == 0, sent.any, offset, size, 0,
                 0);
            if (offset >= 8)
                SAME("no register", 0, val, offset, size, 0, 0);
        }
    return true;
}

bool leaf_serial(struct leaf *out)
{
    for (uint32_t head = 0; head < 16; head++)
        for (uint32_t count = 0; count <= 16; count++)
            if (!check_from(out, head, count))
                return false;
    return check_offsets(out);
}
