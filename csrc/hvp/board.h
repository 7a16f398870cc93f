/* board.h - the devices of a VM, as far as its guest can tell: see board.c. */
#ifndef HV_HVP_BOARD_H
#define HV_HVP_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#define BOARD_FIFO     16
#define BOARD_SOURCES  32 /* with number 0, which is none */
#define BOARD_CONTEXTS 16

/* Words alone, without holes: two boards can be compared as bytes. */
struct hvp_board {
    struct hvp_serial {
        uint32_t ier, fcr, lcr, mcr, scr, dll, dlm;
        uint32_t ready; /* "ready to send" was not yet acknowledged */
        uint32_t held, byte[BOARD_FIFO]; /* received, the oldest first */
    } serial;
    struct hvp_irqs {
        uint32_t contexts, lines, pending, claimed;
        uint32_t priority[BOARD_SOURCES];
        uint32_t enable[BOARD_CONTEXTS], threshold[BOARD_CONTEXTS];
    } irqs;
    /* Input that nobody has taken yet; what does not fit here cannot matter. */
    uint32_t waiting, input[BOARD_FIFO];
};

/* One access of a guest: what it asks, and what is to come of it. */
struct hvp_register {
    uint32_t gpa, size, value; /* stored; or what a load must give */
    bool     store;
    bool     nothing; /* no register is there: a load gives 0 */
};

/* Make the access. False: it must be refused. */
bool hvp_board_access(struct hvp_board *board, struct hvp_register *access);

#endif
