/* testdev.h - the register that switches the machine off.
 *
 * offset 0, write:  5555           off, success
 *                   code << 16 | 3333  off, failure with this code
 *                   7777           reset
 * Any other value and any other offset does nothing; reads are 0. */
#ifndef HV_DEV_TESTDEV_H
#define HV_DEV_TESTDEV_H

#include <stdint.h>

enum testdev_action { TESTDEV_NONE, TESTDEV_OFF, TESTDEV_RESET };

/* What a write asks for. *code becomes 0 on success, else the code of the
 * failure, or 1 if that was 0: a failure is never a success. */
enum testdev_action testdev_store(uint32_t val, uint32_t *code);

#endif
