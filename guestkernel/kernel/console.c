/* console.c - lines out, bytes in.
 *
 * Output is written at once and in one piece: the kernel is not preempted, so
 * the line of one process cannot break into that of another. Input arrives by
 * interrupt into a ring, from which processes read. */
#include "kernel/console.h"
#include "kernel/kernel.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "lib/format.h"

#define LINE_SIZE    160
#define RING_SIZE    256 /* a power of two */
#define END_OF_INPUT 4   /* control-D */

static bool is_quiet, interrupts;

/* Bytes [taken, put) have arrived and were not read, `lines` of them are ends
 * of lines. Changed with interrupts off. A full ring loses what arrives, but
 * for one byte of it, so that it can be ended. */
static char     ring[RING_SIZE];
static uint32_t put, taken, lines;

void console_set_quiet(bool quiet)
{
    is_quiet = quiet;
}

void say(const char *form, ...)
{
    char    line[LINE_SIZE];
    va_list args;

    if (is_quiet)
        return;
    va_start(args, form);
    priv_console_write("kernel: ", 8);
    priv_console_write(line, format(line, sizeof(line), form, args));
    priv_console_write("\n", 1);
    va_end(args);
}

_Noreturn void panic(const char *form, ...)
{
    char    line[LINE_SIZE];
    va_list args;

    va_start(args, form);
    priv_console_write("panic: ", 7);
    priv_console_write(line, format(line, sizeof(line), form, args));
    priv_console_write("\n", 1);
    va_end(args);
    priv_power_off(PANIC_STATUS);
}

void console_init(void)
{
    interrupts = priv_console_start();
}

static bool ends_line(char byte)
{
    return byte == '\n' || byte == END_OF_INPUT;
}

static void keep(char byte)
{
    uint32_t room = ends_line(byte) ? RING_SIZE : RING_SIZE - 1;

    if (put - taken >= room)
        return;
    ring[put++ % RING_SIZE] = byte;
    lines += ends_line(byte);
}

void console_poll(void)
{
    int byte;

    while ((byte = priv_console_read()) >= 0)
        keep(byte == '\r' ? '\n' : (char)byte);
    proc_wake(ring);
}

void console_tick(void)
{
    if (!interrupts)
        console_poll();
}

size_t console_read(char *to, size_t size)
{
    bool   on = priv_irq_off(), waiting = true;
    size_t len = 0;

    while (waiting && lines == 0)
        waiting = proc_sleep(ring);
    while (waiting && len < size) {
        char byte = ring[taken++ % RING_SIZE];

        if (byte != END_OF_INPUT)
            to[len++] = byte;
        if (ends_line(byte)) {
            lines--;
            break;
        }
    }
    priv_irq_restore(on);
    return len;
}
