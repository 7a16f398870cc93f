/* draw.h - records at random: what the generator and the mutator share. */
#ifndef HV_HVP_DRAW_H
#define HV_HVP_DRAW_H

#include "hvp/format.h"
#include "hvp/random.h"
#include "include/hvpgen.h"

/* What a record is drawn from. */
struct hvp_taste {
    uint32_t features; /* of enum hvp_feature: operations that may come */
    uint32_t vms;
    bool     build;   /* only operations that build a state */
    bool     handles; /* operands name handles: g3 and above */
};

uint16_t hvp_operand(enum hvp_form form, uint32_t number);
/* The number by which an operand of this kind names handle `n` of its own:
 * addresses have an offset below it. */
uint32_t hvp_handle(enum hvp_kind kind, uint32_t n);
/* The same slot, about, among those of a root. */
uint16_t hvp_root_slot(uint16_t slot);
/* The edge of an address that is some register of a device. */
uint32_t hvp_draw_register(struct hvp_random *random);
uint16_t hvp_draw_operand(struct hvp_random *random, enum hvp_kind kind,
                          bool handles);
uint8_t hvp_draw_actor(struct hvp_random *random, uint32_t vms);
struct hvp_record hvp_draw_record(struct hvp_random      *random,
                                  const struct hvp_taste *taste);

/* Bytes of a record, which are at `at`. */
void hvp_put(uint8_t *at, struct hvp_record record);
void hvp_put_half(uint8_t *at, uint32_t value);

/* idioms.c: write one of the sequences that this taste allows, of `room`
 * records at most; how many. 0: none fits. */
uint32_t hvp_draw_idiom(struct hvp_random      *random,
                        const struct hvp_taste *taste, uint8_t *to,
                        uint32_t room);

#endif
