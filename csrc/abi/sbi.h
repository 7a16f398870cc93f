/* sbi.h - the Supervisor Binary Interface, as far as hv speaks it.
 *
 * Extension id in a7, function in a6, arguments in a0-a5; error comes back in
 * a0, value in a1, everything else is preserved. Numbers: RISC-V SBI
 * Specification 2.0. The legacy extensions (ids 0-8) return in a0 alone. */
#ifndef HV_ABI_SBI_H
#define HV_ABI_SBI_H

#define SBI_SUCCESS               0
#define SBI_ERR_FAILED            -1
#define SBI_ERR_NOT_SUPPORTED     -2
#define SBI_ERR_INVALID_PARAM     -3
#define SBI_ERR_DENIED            -4
#define SBI_ERR_INVALID_ADDRESS   -5
#define SBI_ERR_ALREADY_AVAILABLE -6
#define SBI_ERR_ALREADY_STARTED   -7
#define SBI_ERR_ALREADY_STOPPED   -8
#define SBI_ERR_NO_SHMEM          -9

#define SBI_LEGACY_SET_TIMER   0
#define SBI_LEGACY_PUTCHAR     1
#define SBI_LEGACY_GETCHAR     2
#define SBI_LEGACY_CLEAR_IPI   3
#define SBI_LEGACY_SEND_IPI    4
#define SBI_LEGACY_FENCE_I     5
#define SBI_LEGACY_SFENCE      6
#define SBI_LEGACY_SFENCE_ASID 7
#define SBI_LEGACY_SHUTDOWN    8

#define SBI_EXT_BASE          0x10
#define SBI_BASE_SPEC_VERSION 0
#define SBI_BASE_IMPL_ID      1
#define SBI_BASE_IMPL_VERSION 2
#define SBI_BASE_PROBE        3
#define SBI_BASE_MVENDORID    4
#define SBI_BASE_MARCHID      5
#define SBI_BASE_MIMPID       6
#define SBI_SPEC_VERSION      0x02000000

#define SBI_EXT_TIME 0x54494d45
#define SBI_TIME_SET 0

#define SBI_EXT_IPI  0x735049
#define SBI_IPI_SEND 0

#define SBI_EXT_RFNC         0x52464e43
#define SBI_RFNC_FENCE_I     0
#define SBI_RFNC_SFENCE      1
#define SBI_RFNC_SFENCE_ASID 2

#define SBI_EXT_HSM           0x48534d
#define SBI_HSM_START         0
#define SBI_HSM_STOP          1
#define SBI_HSM_STATUS        2
#define SBI_HSM_SUSPEND       3
#define SBI_HSM_STARTED       0
#define SBI_HSM_STOPPED       1
#define SBI_HSM_START_PENDING 2
#define SBI_HSM_SUSPENDED     4

#define SBI_EXT_SRST            0x53525354
#define SBI_SRST_RESET          0
#define SBI_SRST_SHUTDOWN       0
#define SBI_SRST_COLD_REBOOT    1
#define SBI_SRST_WARM_REBOOT    2
#define SBI_SRST_REASON_NONE    0
#define SBI_SRST_REASON_FAILURE 1

#define SBI_EXT_DBCN        0x4442434e
#define SBI_DBCN_WRITE      0
#define SBI_DBCN_READ       1
#define SBI_DBCN_WRITE_BYTE 2

/* Steal time (chapter 16). The shared memory is 64 bytes, aligned to as many. */
#define SBI_EXT_STA       0x535441
#define SBI_STA_SET_SHMEM 0
#define STA_SIZE          64
#define STA_SEQUENCE      0 /* odd while the rest is being written */
#define STA_FLAGS         4
#define STA_STEAL         8  /* nanoseconds that others took (lo, hi) */
#define STA_PREEMPTED     16 /* 1: it could run, but does not */

/* hv's own calls: in the firmware-specific range, "HV" in the low bytes.
 * Their functions are in hypercalls.def. */
#define SBI_EXT_HV 0x0a004856
/* What SBI_BASE_IMPL_ID answers; not registered, above the list's numbers. */
#define SBI_IMPL_HV 0x4856

#endif
