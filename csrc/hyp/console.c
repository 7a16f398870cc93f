/* console.c - bytes between a guest's memory and its console. */
#include "abi/pv.h"
#include "hyp/assert.h"
#include "hyp/call.h"
#include "hyp/hyp.h"

#define CHUNK 64 /* bytes on our stack at a time */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

struct sbi_ret console_write(struct vcpu *vcpu, gpa_t from, uint32_t len)
{
    struct vm *vm = vcpu->vm;
    uint32_t   total = smaller(len, PV_CONSOLE_MAX);
    uint8_t    bytes[CHUNK];

    if (!vm_spans(vm, from, len) || !vm_owns(vm, from, total))
        return (struct sbi_ret){ SBI_ERR_INVALID_ADDRESS, 0 };
    for (uint32_t at = 0; at < total; at += CHUNK) {
        uint32_t n = smaller(CHUNK, total - at);

        vm_read(vm, (gpa_t){ from.raw + at }, bytes, n);
        for (uint32_t i = 0; i < n; i++)
            hal_console_put(vm->hyp->hal, vm->id, bytes[i]);
    }
    hal_charge(vcpu->on, HAL_COST_word_copy, (total + 3) / 4);
    return (struct sbi_ret){ SBI_SUCCESS, total };
}

/* marker: lab-console-read */
struct sbi_ret console_read(struct vcpu *vcpu, gpa_t to, uint32_t len)
{
    struct vm *vm = vcpu->vm;
    uint32_t   total = smaller(len, PV_CONSOLE_MAX), n = 0;
    int        byte;

    if (!vm_spans(vm, to, len) || !vm_writable(vm, to, total))
        return (struct sbi_ret){ SBI_ERR_INVALID_ADDRESS, 0 };
    if (vm_ready(vm, vcpu->on, to, total) != P2M_OK)
        return (struct sbi_ret){ CALL_STARVED, 0 };
    /* Where stores are watched each costs time: fewer bytes may come. */
    while (n < total && !(n >= CHUNK && exit_enough(vcpu->on)) &&
           (byte = hal_console_get(vm->hyp->hal, vm->id)) >= 0) {
        uint8_t value = (uint8_t)byte;

        vm_write(vm, vcpu->on, (gpa_t){ to.raw + n }, &value, 1);
        n++;
    }
    hal_charge(vcpu->on, HAL_COST_word_copy, (n + 3) / 4);
    return (struct sbi_ret){ SBI_SUCCESS, n };
}
/* marker: end */
