/* format.h - printf's little brother, for the kernel and for programs. */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Write the text into to[size], cut if too long, always ended by a zero byte;
 * the result is its length. Understands %s %c %d %u %x and %08x. */
size_t format(char *to, size_t size, const char *form, va_list args);

#endif
