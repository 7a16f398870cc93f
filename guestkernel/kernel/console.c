/* console.c - lines out, bytes in.
 *
 * Output is written at once and, under a lock, in one piece: the line of one
 * process cannot break into that of another. Input arrives by interrupt into a
 * ring, from which processes read. */
#include "kernel/console.h"
#include "kernel/kernel.h"
#include "kernel/lock.h"
#include "kernel/priv.h"
#include "kernel/proc.h"
#include "kernel/user.h"
#include "lib/format.h"

#define LINE_SIZE    160
#define PIECE        256 /* what is copied at a time; fits on a kernel stack */
#define RING_SIZE    256 /* a power of two */
#define END_OF_INPUT 4   /* control-D */

static struct lock output_lock = { .rank = LOCK_CONSOLE };
static struct lock input_lock = { .rank = LOCK_INPUT };

static bool is_quiet, interrupts;

/* Bytes [taken, put) have arrived and were not read, `lines` of them are ends
 * of lines, all with input_lock. A full ring loses what arrives, but for one
 * byte of it, so that it can be ended. */
static char     ring[RING_SIZE];
static uint32_t put, taken, lines;

void console_set_quiet(bool quiet)
{
    is_quiet = quiet;
}

static void print(const char *form, va_list args)
{
    char line[LINE_SIZE];

    priv_console_write(line, format(line, sizeof(line), form, args));
    priv_console_write("\n", 1);
}

static void print_own(const char *form, va_list args)
{
    lock_take(&output_lock);
    priv_console_write("kernel: ", 8);
    print(form, args);
    lock_drop(&output_lock);
}

void console_print(const char *form, ...)
{
    va_list args;

    va_start(args, form);
    print_own(form, args);
    va_end(args);
}

void say(const char *form, ...)
{
    va_list args;

    va_start(args, form);
    if (!is_quiet)
        print_own(form, args);
    va_end(args);
}

/* Without the lock: who has it may be the one that panics. */
_Noreturn void panic(const char *form, ...)
{
    va_list args;

    va_start(args, form);
    priv_console_write("panic: ", 7);
    print(form, args);
    va_end(args);
    priv_power_off(PANIC_STATUS);
}

bool console_write_user(uint32_t va, size_t len)
{
    char   piece[PIECE];
    size_t part;
    bool   fine = true;

    lock_take(&output_lock);
    for (size_t done = 0; fine && done < len; done += part) {
        part = len - done < PIECE ? len - done : PIECE;
        fine = user_read(piece, va + done, part);
        if (fine)
            priv_console_write(piece, part);
    }
    lock_drop(&output_lock);
    return fine;
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
    bool came = false;
    int  byte;

    lock_take(&input_lock);
    while ((byte = priv_console_read()) >= 0) {
        keep(byte == '\r' ? '\n' : (char)byte);
        came = true;
    }
    lock_drop(&input_lock);
    if (came)
        proc_wake(ring);
}

void console_tick(void)
{
    if (!interrupts)
        console_poll();
}

size_t console_read(char *to, size_t size)
{
    bool   on = lock_take_irq(&input_lock), waiting = true;
    size_t len = 0;

    while (waiting && lines == 0)
        waiting = proc_sleep(ring, &input_lock);
    while (waiting && len < size) {
        char byte = ring[taken++ % RING_SIZE];

        if (byte != END_OF_INPUT)
            to[len++] = byte;
        if (ends_line(byte)) {
            lines--;
            break;
        }
    }
    lock_drop_irq(&input_lock, on);
    return len;
}
