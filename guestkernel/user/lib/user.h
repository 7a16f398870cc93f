/* user.h - what a program is written with.
 *
 * A program has a main(), told its arguments as one string of words. What it
 * prints does not depend on when it runs or how often it is interrupted. */
#ifndef USER_USER_H
#define USER_USER_H

#include "lib/string.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int main(const char *args);

extern const char *program_name;

/* System calls (lib/syscalls.def). */
_Noreturn void exit(int status);
int fork(int held);
int exec(const char *name, const char *args);
int wait(int *status);
int kill(int pid);
int getpid(void);
int write(const void *bytes, size_t len);
int read(void *bytes, size_t len);
void *sbrk(int delta); /* SBRK_FAILED if there is no memory */
int flip(void *a, void *b, unsigned pages);
int thread(void (*entry)(void *arg), void *arg, void *stack);
int tally(unsigned n);
int yield(void);
int sleep(unsigned ticks);
unsigned uptime(void);
int initrd(void *bytes, size_t offset, size_t len);
_Noreturn void poweroff(int status);

#define SBRK_FAILED ((void *)-1)

/* What wait reports for a child that was not let end by itself. */
#define STATUS_FAULT 128 /* plus the cause of its trap */

/* Print one line: "[pid name] ..." */
void say(const char *form, ...) __attribute__((format(printf, 1, 2)));

/* Print why it cannot go on, and exit with status 1. */
_Noreturn void fail(const char *form, ...)
    __attribute__((format(printf, 1, 2)));

/* The line by which two runs of a program are compared. */
void say_checksum(uint32_t sum);

/* Mix a word into a checksum; start with 0. The order of words matters. */
uint32_t mix(uint32_t sum, uint32_t word);

#endif
