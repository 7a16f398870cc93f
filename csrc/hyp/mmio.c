/* mmio.c - loads and stores done by hand.
 *
 * No shadow entry ever maps a device, so touching one faults. The instruction
 * is read from guest memory, decoded, and carried out on the VM's own device
 * models: the same code (csrc/dev) that the machine's bus uses. */
#include "hyp/mmio.h"
#include "abi/cause.h"
#include "abi/memmap.h"
#include "dev/testdev.h"
#include "hyp/hyp.h"

#define OPCODE_LOAD  0x03
#define OPCODE_STORE 0x23

/* A load or store, decoded. */
struct transfer {
    bool     store;
    bool     sign;
    uint32_t size; /* 1, 2, 4; 0: not a plain load or store */
    uint32_t reg;  /* destination, or source of the store */
};

/* LR reads like LW. That its reservation is lost is allowed, and happens only
 * where no SC could follow: on a page without W. No device answers it. */
static bool is_load_reserved(uint32_t insn)
{
    return (insn & 0xf9f0707f) == 0x1000202f;
}

static struct transfer decode(uint32_t insn)
{
    uint32_t        f3 = insn >> 12 & 7;
    struct transfer t = { .store = (insn & 0x7f) == OPCODE_STORE };

    if (!t.store && (insn & 0x7f) != OPCODE_LOAD)
        return t;
    if ((f3 & 3) == 3 || f3 > 5 || (t.store && f3 > 2))
        return t;
    t.size = 1u << (f3 & 3);
    t.sign = f3 < 2;
    t.reg = t.store ? insn >> 20 & 31 : insn >> 7 & 31;
    return t;
}

bool mmio_page_exists(gpa_t pa)
{
    uint32_t page = pa.raw & ~(uint32_t)PAGE_MASK;

    return page == TEST_BASE || page == UART_BASE ||
           page - PLIC_BASE < PLIC_SIZE;
}

/* The line of the UART, and with it perhaps a vCPU's external interrupt. */
static void uart_changed(struct vm *vm)
{
    plic_set_line(&vm->plic, UART_IRQ, uart_line(&vm->uart));
    for (uint32_t i = 0; i < vm->config.nr_vcpus; i++)
        vcpu_kick(&vm->vcpu[i]);
}

void mmio_uart_poll(struct vm *vm)
{
    int byte;

    while (uart_room(&vm->uart) &&
           (byte = hal_console_get(vm->hyp->hal, vm->id)) >= 0)
        uart_receive(&vm->uart, (uint8_t)byte);
    uart_changed(vm);
}

static bool device_load(struct vm *vm, gpa_t pa, uint32_t size, uint32_t *val)
{
    if (pa.raw - UART_BASE < UART_SIZE) {
        mmio_uart_poll(vm);
        bool ok = uart_load(&vm->uart, pa.raw - UART_BASE, size, val);
        uart_changed(vm);
        return ok;
    }
    if (pa.raw - PLIC_BASE < PLIC_SIZE)
        return plic_load(&vm->plic, pa.raw - PLIC_BASE, size, val);
    *val = 0;
    return pa.raw - TEST_BASE < TEST_SIZE;
}

static bool test_store(struct vm *vm, uint32_t offset, uint32_t val)
{
    uint32_t code = 0;

    switch (offset == 0 ? testdev_store(val, &code) : TESTDEV_NONE) {
    case TESTDEV_OFF:
        vm_off(vm, code, false);
        break;
    case TESTDEV_RESET:
        vm_off(vm, code, true);
        break;
    case TESTDEV_NONE:
        break;
    }
    return true;
}

static bool device_store(struct vm *vm, gpa_t pa, uint32_t size, uint32_t val)
{
    if (pa.raw - UART_BASE < UART_SIZE) {
        struct uart_sent sent = { .any = false };
        bool ok = uart_store(&vm->uart, pa.raw - UART_BASE, size, val, &sent);

        if (sent.any)
            hal_console_put(vm->hyp->hal, vm->id, sent.byte);
        mmio_uart_poll(vm);
        return ok;
    }
    if (pa.raw - PLIC_BASE < PLIC_SIZE)
        return plic_store(&vm->plic, pa.raw - PLIC_BASE, size, val);
    return pa.raw - TEST_BASE < TEST_SIZE &&
           test_store(vm, pa.raw - TEST_BASE, val);
}

static uint32_t extend(struct transfer t, uint32_t val)
{
    uint32_t shift = 32 - 8 * t.size;

    val = val << shift >> shift;
    if (t.sign && val >> (8 * t.size - 1) & 1)
        val |= (uint32_t)(0xffffffffull << (8 * t.size));
    return val;
}

static bool load(struct vm *vm, gpa_t pa, struct transfer t, uint32_t *val)
{
    *val = 0;
    if (vm_owns(vm, pa, t.size))
        return vm_read(vm, pa, val, t.size);
    return device_load(vm, pa, t.size, val);
}

static bool store(struct vcpu *vcpu, gpa_t pa, struct transfer t, uint32_t val)
{
    if (vm_owns(vcpu->vm, pa, t.size))
        return vm_write(vcpu->vm, vcpu->on, pa, &val, t.size);
    if (t.size < 4) /* a device sees the bytes that were stored, no more */
        val &= (1u << 8 * t.size) - 1;
    return device_store(vcpu->vm, pa, t.size, val);
}

static bool transfer(struct vcpu *vcpu, gpa_t pa, struct transfer t)
{
    struct regs *regs = vcpu_regs(vcpu);
    uint32_t     val;

    if (t.store)
        return store(vcpu, pa, t, regs->x[t.reg]);
    if (!load(vcpu->vm, pa, t, &val))
        return false;
    if (t.reg != 0)
        regs->x[t.reg] = extend(t, val);
    return true;
}

bool mmio_plain_store(struct vcpu *vcpu)
{
    struct walk code = walk_guest(vcpu, (gva_t){ vcpu_regs(vcpu)->pc },
                                  ACCESS_FETCH);
    uint32_t    insn;

    if (code.status != WALK_OK || !vm_read32(vcpu->vm, code.pa, &insn))
        return false;
    struct transfer t = decode(insn);
    return t.store && t.size != 0;
}

enum trap_action mmio_emulate(struct vcpu *vcpu, gva_t va, enum access access,
                              gpa_t pa)
{
    gva_t       pc = { vcpu_regs(vcpu)->pc };
    struct walk code = walk_guest(vcpu, pc, ACCESS_FETCH);
    uint32_t    insn = 0;

    hal_charge(vcpu->on, HAL_COST_emulate, 1);
    /* The tables may have changed since the instruction was fetched, without
     * a fence; then the guest sees what a fresh fetch would see. */
    if (code.status != WALK_OK || !vm_read32(vcpu->vm, code.pa, &insn))
        return vcpu_fault(vcpu, walk_cause(code.status, ACCESS_FETCH), pc.raw);
    struct transfer t = decode(insn);

    if (is_load_reserved(insn) && vm_owns(vcpu->vm, pa, 4))
        t = (struct transfer){ .size = 4, .reg = insn >> 7 & 31 };
    /* No device here answers an AMO; and the word may have been rewritten. */
    if (t.size == 0 || t.store != (access == ACCESS_STORE) ||
        pa.raw % t.size != 0 || !transfer(vcpu, pa, t))
        return vcpu_fault(vcpu, walk_cause(WALK_OUTSIDE, access), va.raw);
    vcpu->vm->count.emulated++;
    vcpu_retire(vcpu);
    return TRAP_RESUME;
}
