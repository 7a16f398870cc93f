/* console.h - lines out, bytes in. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Messages of the kernel itself are wanted, or not. */
void console_set_quiet(bool quiet);

/* A line of the kernel that was asked for, quiet or not. */
void console_print(const char *form, ...) __attribute__((format(printf, 1, 2)));

/* Write what a program gives, in one piece; false if it is not its to give. */
bool console_write_user(uint32_t va, size_t len);

/* Get ready for input. */
void console_init(void);

/* Take what has arrived. From interrupt handlers. */
void console_poll(void);

/* As console_poll(), if no interrupt tells us when something arrives. */
void console_tick(void);

/* Wait for a line and take it with its end, or as much of it as there is room
 * for. 0 means that there will be no more, or that the process was killed. */
size_t console_read(char *to, size_t size);

#endif
