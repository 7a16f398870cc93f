/* firmware_native.h - the SBI firmware as native M-mode of a machine.
 *
 * The caller's loop: firmware_power_on(), then hart_run() on each hart, and
 * firmware_serve() whenever it returns HART_TRAP_M. Needs a machine with
 * config.native_m. */
#ifndef HV_PORT_FIRMWARE_NATIVE_H
#define HV_PORT_FIRMWARE_NATIVE_H

#include <stdint.h>

struct firmware;
struct hart;
struct machine;

/* Hart 0 will enter S-mode at `entry` with a0 = 0 and a1 = dtb; the others
 * stay in reset until a supervisor starts them. */
void firmware_power_on(struct firmware *fw, struct machine *m, uint32_t entry,
                       uint32_t dtb);

/* Serve the trap to M that this hart has just taken, and return from it. */
void firmware_serve(struct firmware *fw, struct hart *hart);

#endif
