/* native.h - what only the native kernel is made of. */
#ifndef KERNEL_NATIVE_H
#define KERNEL_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#define CSR_READ(csr)                                                  \
    ({                                                                 \
        uint32_t csr_value_;                                           \
        __asm__ volatile("csrr %0, %1" : "=r"(csr_value_) : "i"(csr)); \
        csr_value_;                                                    \
    })
#define CSR_WRITE(csr, val) \
    __asm__ volatile("csrw %0, %1" ::"i"(csr), "r"(val) : "memory")

/* Where a device register is now: it moves when translation is turned on. */
extern uint32_t device_offset;
static inline volatile uint32_t *device_at(uint32_t pa)
{
    return (volatile uint32_t *)(pa + device_offset);
}

/* priv_native.S */
extern char native_trap_vector[];
bool native_sret_works(void);

/* sbi.c: the firmware below us. Calls that it does not know do nothing. */
void sbi_set_timer(uint64_t when);
void sbi_put(char byte);
int sbi_get(void); /* -1: nothing there */
void sbi_power_off(bool failed);

/* uart.c: the serial port */
bool uart_present(void);
bool uart_start(void); /* interrupt on input; false: it cannot */
void uart_put(char byte);
int uart_get(void); /* -1: nothing there */

/* plic.c: which device wants attention */
bool plic_start(void); /* false: there is none */
void plic_acknowledge(void);

#endif
