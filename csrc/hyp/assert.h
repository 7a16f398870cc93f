/* assert.h - our own mistakes, as opposed to a guest's.
 *
 * Two failure words, never mixed: a guest that breaks a rule is killed or gets
 * an error (vm_kill); an invariant of ours that does not hold stops the host.
 * The headline property of hv: no guest can reach an HV_ASSERT. */
#ifndef HV_HYP_ASSERT_H
#define HV_HYP_ASSERT_H

#include "hyp/hal.h"

#define HV_STRING_(x) #x
#define HV_STRING(x)  HV_STRING_(x)

#define HV_ASSERT(hal, cond) \
    ((cond) ? (void)0        \
            : hal_halt((hal), __FILE__ ":" HV_STRING(__LINE__) ": " #cond))

#endif
