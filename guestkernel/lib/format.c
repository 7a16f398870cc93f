/* format.c - numbers and strings into a line of text. */
#include "lib/format.h"
#include <stdint.h>

struct line {
    char  *to;
    size_t size, used;
};

static void put(struct line *line, char c)
{
    if (line->used + 1 < line->size)
        line->to[line->used++] = c;
}

static void put_text(struct line *line, const char *text)
{
    while (*text != '\0')
        put(line, *text++);
}

static void put_number(struct line *line, uint32_t number, uint32_t base,
                       int digits)
{
    char text[10];
    int  n = 0;

    do {
        text[n++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    for (int i = n; i < digits; i++)
        put(line, '0');
    while (n > 0)
        put(line, text[--n]);
}

static void put_signed(struct line *line, int32_t number)
{
    if (number < 0)
        put(line, '-');
    put_number(line, number < 0 ? 0 - (uint32_t)number : (uint32_t)number, 10,
               1);
}

size_t format(char *to, size_t size, const char *form, va_list args)
{
    struct line line = { to, size, 0 };

    for (; *form != '\0'; form++) {
        int digits = 1;

        if (*form != '%') {
            put(&line, *form);
            continue;
        }
        form++;
        if (form[0] == '0' && form[1] == '8') {
            digits = 8;
            form += 2;
        }
        switch (*form) {
        case 's':
            put_text(&line, va_arg(args, const char *));
            break;
        case 'c':
            put(&line, (char)va_arg(args, int));
            break;
        case 'd':
            put_signed(&line, va_arg(args, int32_t));
            break;
        case 'u':
            put_number(&line, va_arg(args, uint32_t), 10, digits);
            break;
        case 'x':
            put_number(&line, va_arg(args, uint32_t), 16, digits);
            break;
        default: /* %% and mistakes print as they are */
            put(&line, *form);
            break;
        }
    }
    to[line.used] = '\0';
    return line.used;
}
