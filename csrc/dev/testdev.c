/* testdev.c - the register that switches the machine off. */
#include "dev/testdev.h"
#include "abi/memmap.h"

enum testdev_action testdev_store(uint32_t val, uint32_t *code)
{
    uint32_t failure = val >> 16;

    switch (val & 0xffff) {
    case TEST_PASS:
        *code = 0;
        return TESTDEV_OFF;
    case TEST_FAIL:
        *code = failure ? failure : 1;
        return TESTDEV_OFF;
    case TEST_RESET:
        *code = 0;
        return TESTDEV_RESET;
    default:
        return TESTDEV_NONE;
    }
}
