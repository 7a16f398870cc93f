/* exec.h - starting programs. */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include <stdint.h>

#define ARGS_SIZE 128 /* of a program's arguments, with the zero at the end */

/* The programs that are part of the image (programs.S), and a row with no
 * name. */
struct program {
    const char    *name;
    const uint8_t *elf, *end;
};
extern const struct program programs[];

/* Make the current process run the program `name` from its start, in a new
 * address space. The result is its first a0, where a system call's result
 * goes; or negative if it was not possible: then nothing changed. */
int32_t exec_program(const char *name, const char *args);

#endif
