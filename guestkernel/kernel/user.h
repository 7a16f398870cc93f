/* user.h - a program's memory, as its kernel reaches it. */
#ifndef KERNEL_USER_H
#define KERNEL_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Copy from and to the current process. False if it may not read or write
 * all of that memory itself; then part of it may have been copied. */
bool user_read(void *to, uint32_t va, size_t len);
bool user_write(uint32_t va, const void *from, size_t len);

/* Copy a string of less than `size` bytes with the zero that ends it. */
bool user_read_string(char *to, uint32_t va, size_t size);

#endif
