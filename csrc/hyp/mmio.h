/* mmio.h - device registers that a guest believes to be at their addresses. */
#ifndef HV_HYP_MMIO_H
#define HV_HYP_MMIO_H

#include "hyp/style.h"
#include "hyp/walk.h"

struct vcpu;
struct vm;

/* Does a device answer anywhere in the page of this address? */
bool mmio_page_exists(gpa_t pa);

/*
 * Do by hand the load or store at the vCPU's pc, whose address va translates
 * to pa: a device register, or RAM that no shadow entry can give access to.
 */
enum trap_action mmio_emulate(struct vcpu *vcpu, gva_t va, enum access access,
                              gpa_t pa);

/* Is what the vCPU's pc points to a store that can be done by hand? AMO and SC
 * cannot. */
bool mmio_plain_store(struct vcpu *vcpu);

/* Input is there for the UART: take what fits. */
void mmio_uart_poll(struct vm *vm);

#endif
