/* firmware_code.h - how the firmware reaches CSRs and memory as machine code.
 *
 * The same names as the native build's in firmware.h. Here M-mode is where we
 * run, so each is one or two instructions, and `hart` is not needed. */
#ifndef HV_PORT_FIRMWARE_CODE_H
#define HV_PORT_FIRMWARE_CODE_H

/* The frame in which firmware_entry.S saves registers, and its stacks. */
#define FW_FRAME_SIZE 144 /* REGS_SIZE, rounded up to keep sp aligned */
#define FW_STACK_SIZE 2048

#ifndef __ASSEMBLER__

struct firmware;
struct hart;

_Static_assert(FW_FRAME_SIZE >= REGS_SIZE && FW_FRAME_SIZE % 16 == 0, "frame");

/* A CSR's number is part of the instruction, so these must be macros. */
#define FW_READ(hart, csr)                                            \
    ({                                                                \
        uint32_t fw_value_;                                           \
        (void)(hart);                                                 \
        __asm__ volatile("csrr %0, %1" : "=r"(fw_value_) : "i"(csr)); \
        fw_value_;                                                    \
    })
#define FW_WRITE(hart, csr, val)                                          \
    ((void)(hart), ({                                                     \
         __asm__ volatile("csrw %0, %1" ::"i"(csr), "r"(val) : "memory"); \
     }))

/* First byte past the firmware's own memory: linker script. */
extern char fw_end[];

static inline uint32_t fw_load(struct hart *hart, uint32_t pa, uint32_t size)
{
    (void)hart;
    switch (size) {
    case 1:
        return *(volatile uint8_t *)pa;
    case 2:
        return *(volatile uint16_t *)pa;
    default:
        return *(volatile uint32_t *)pa;
    }
}

static inline void fw_store(struct hart *hart, uint32_t pa, uint32_t size,
                            uint32_t val)
{
    (void)hart;
    switch (size) {
    case 1:
        *(volatile uint8_t *)pa = (uint8_t)val;
        break;
    case 2:
        *(volatile uint16_t *)pa = (uint16_t)val;
        break;
    default:
        *(volatile uint32_t *)pa = val;
        break;
    }
}

/* We do not know where RAM ends: a supervisor that names memory beyond it
 * stops the machine with a failure (firmware_entry.S), as its own bug. */
static inline bool fw_is_ram(struct hart *hart, uint32_t pa, uint32_t len)
{
    (void)hart;
    return pa >= (uint32_t)fw_end && len <= UINT32_MAX - pa;
}

static inline void fw_fence_i(struct hart *hart)
{
    (void)hart;
    __asm__ volatile("fence.i" ::: "memory");
}

static inline void fw_sfence(struct hart *hart)
{
    (void)hart;
    __asm__ volatile("sfence.vma" ::: "memory");
}

#endif
#endif
