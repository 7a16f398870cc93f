/* operand.h - what operand.c and operand_address.c share. */
#ifndef HV_HVP_OPERAND_H
#define HV_HVP_OPERAND_H

#include "hvp/run.h"

/* Handle n, modulo those that are remembered; false: none is. */
bool hvp_past_get(const struct hvp_past *past, uint32_t n, uint32_t *handle);
/* In the VM's tables as they are: the n-th page of the window with V. */
uint32_t hvp_window_page(struct hvp_run *run, const struct hvp_vm *vm,
                         uint32_t n);
/* In a page, by five bits: mostly of words, also such that an access crosses its
 * end, or is not aligned. */
uint32_t hvp_offset(uint32_t n);
uint32_t hvp_gva(struct hvp_run *run, const struct hvp_vm *vm, uint16_t arg);
uint32_t hvp_gfn(const struct hvp_vm *vm, uint16_t arg);
uint32_t hvp_gpa(const struct hvp_vm *vm, uint16_t arg);
uint32_t hvp_gfn_edge(const struct hvp_vm *vm, uint32_t n);

#endif
