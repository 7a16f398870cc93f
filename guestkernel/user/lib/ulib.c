/* ulib.c - the little that programs share. */
#include "lib/format.h"
#include "user/lib/user.h"

#define LINE_SIZE 160

const char *program_name;

_Noreturn void program_start(const char *name, const char *args);

/* First C code of a program, called by start.S. */
_Noreturn void program_start(const char *name, const char *args)
{
    program_name = name;
    exit(main(args));
}

static size_t format_all(char *to, size_t size, const char *form, ...)
{
    va_list args;
    size_t  len;

    va_start(args, form);
    len = format(to, size, form, args);
    va_end(args);
    return len;
}

/* One line goes out by one system call, so no other can break into it. */
static void say_line(const char *form, va_list args)
{
    char   line[LINE_SIZE];
    size_t len;

    len = format_all(line, sizeof(line), "[%d %s] ", getpid(), program_name);
    len += format(line + len, sizeof(line) - len - 1, form, args);
    line[len++] = '\n';
    write(line, len);
}

void say(const char *form, ...)
{
    va_list args;

    va_start(args, form);
    say_line(form, args);
    va_end(args);
}

_Noreturn void fail(const char *form, ...)
{
    va_list args;

    va_start(args, form);
    say_line(form, args);
    va_end(args);
    exit(1);
}

void say_checksum(uint32_t sum)
{
    say("%s: checksum %08x", program_name, sum);
}

uint32_t mix(uint32_t sum, uint32_t word)
{
    return ((sum << 5 | sum >> 27) ^ word) * 0x9e3779b1u;
}
