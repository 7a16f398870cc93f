/* csr.h - the control and status registers of TRV32, by number.
 *
 * Constants only: C, guest assembly and the Python side all read this file.
 * A number that is not here is an illegal instruction on TRV32. Numbers and
 * field positions: RISC-V Privileged Specification 20240411, chapters 2-4 and
 * 18 (Hypervisor Extension). */
#ifndef HV_ABI_CSR_H
#define HV_ABI_CSR_H

/* Unprivileged counters, read-only. */
#define CSR_CYCLE    0xc00
#define CSR_TIME     0xc01
#define CSR_INSTRET  0xc02
#define CSR_CYCLEH   0xc80
#define CSR_TIMEH    0xc81
#define CSR_INSTRETH 0xc82

/* Supervisor. */
#define CSR_SSTATUS    0x100
#define CSR_SIE        0x104
#define CSR_STVEC      0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SSCRATCH   0x140
#define CSR_SEPC       0x141
#define CSR_SCAUSE     0x142
#define CSR_STVAL      0x143
#define CSR_SIP        0x144
#define CSR_SATP       0x180

/* Hypervisor, and the registers of the virtual supervisor: with extension H
 * alone. A vs register has the number of its s register, plus CSR_VS. */
#define CSR_VS          0x100
#define CSR_VSSTATUS    0x200
#define CSR_VSIE        0x204
#define CSR_VSTVEC      0x205
#define CSR_VSSCRATCH   0x240
#define CSR_VSEPC       0x241
#define CSR_VSCAUSE     0x242
#define CSR_VSTVAL      0x243
#define CSR_VSIP        0x244
#define CSR_VSATP       0x280
#define CSR_HSTATUS     0x600
#define CSR_HEDELEG     0x602
#define CSR_HIDELEG     0x603
#define CSR_HIE         0x604
#define CSR_HTIMEDELTA  0x605
#define CSR_HCOUNTEREN  0x606
#define CSR_HGEIE       0x607
#define CSR_HTIMEDELTAH 0x615
#define CSR_HTVAL       0x643
#define CSR_HIP         0x644
#define CSR_HVIP        0x645
#define CSR_HTINST      0x64a
#define CSR_HGATP       0x680
#define CSR_HGEIP       0xe12

/* Machine. */
#define CSR_MVENDORID  0xf11
#define CSR_MARCHID    0xf12
#define CSR_MIMPID     0xf13
#define CSR_MHARTID    0xf14
#define CSR_MSTATUS    0x300
#define CSR_MISA       0x301
#define CSR_MEDELEG    0x302
#define CSR_MIDELEG    0x303
#define CSR_MIE        0x304
#define CSR_MTVEC      0x305
#define CSR_MCOUNTEREN 0x306
#define CSR_MSTATUSH   0x310
#define CSR_MSCRATCH   0x340
#define CSR_MEPC       0x341
#define CSR_MCAUSE     0x342
#define CSR_MTVAL      0x343
#define CSR_MIP        0x344
#define CSR_MTINST     0x34a
#define CSR_MTVAL2     0x34b
#define CSR_MCYCLE     0xb00
#define CSR_MINSTRET   0xb02
#define CSR_MCYCLEH    0xb80
#define CSR_MINSTRETH  0xb82

/* misa: one bit for each letter. */
#define MISA_H (1 << 7)

/* mstatus and its window sstatus. */
#define MSTATUS_SIE       (1 << 1)
#define MSTATUS_MIE       (1 << 3)
#define MSTATUS_SPIE      (1 << 5)
#define MSTATUS_MPIE      (1 << 7)
#define MSTATUS_SPP       (1 << 8)
#define MSTATUS_MPP       (3 << 11)
#define MSTATUS_MPP_SHIFT 11
#define MSTATUS_MPRV      (1 << 17)
#define MSTATUS_SUM       (1 << 18)
#define MSTATUS_MXR       (1 << 19)
#define MSTATUS_TVM       (1 << 20)
#define MSTATUS_TW        (1 << 21)
#define MSTATUS_TSR       (1 << 22)

#define SSTATUS_MASK \
    (MSTATUS_SIE | MSTATUS_SPIE | MSTATUS_SPP | MSTATUS_SUM | MSTATUS_MXR)

/* mstatush, and hstatus. */
#define MSTATUSH_GVA (1 << 6)
#define MSTATUSH_MPV (1 << 7)
#define HSTATUS_GVA  (1 << 6)
#define HSTATUS_SPV  (1 << 7)
#define HSTATUS_SPVP (1 << 8)
#define HSTATUS_VTVM (1 << 20)
#define HSTATUS_VTW  (1 << 21)
#define HSTATUS_VTSR (1 << 22)

/* mip, mie, mideleg and their windows sip, sie. */
#define IRQ_SSI  1
#define IRQ_MSI  3
#define IRQ_STI  5
#define IRQ_MTI  7
#define IRQ_SEI  9
#define IRQ_MEI  11
#define MIP_SSIP (1 << IRQ_SSI)
#define MIP_MSIP (1 << IRQ_MSI)
#define MIP_STIP (1 << IRQ_STI)
#define MIP_MTIP (1 << IRQ_MTI)
#define MIP_SEIP (1 << IRQ_SEI)
#define MIP_MEIP (1 << IRQ_MEI)
#define SIP_MASK (MIP_SSIP | MIP_STIP | MIP_SEIP)

/* The virtual supervisor's: each one above the supervisor's, in hvip, hip, hie
 * and hideleg; in vsip and vsie they stand where sip and sie have them. */
#define IRQ_VSSI  2
#define IRQ_VSTI  6
#define IRQ_VSEI  10
#define MIP_VSSIP (1 << IRQ_VSSI)
#define MIP_VSTIP (1 << IRQ_VSTI)
#define MIP_VSEIP (1 << IRQ_VSEI)
#define HIP_MASK  (MIP_VSSIP | MIP_VSTIP | MIP_VSEIP)

/* satp (Sv32). */
#define SATP_MODE       0x80000000
#define SATP_ASID_SHIFT 22
#define SATP_ASID_MASK  0x1ff
#define SATP_PPN_MASK   0x003fffff

/* hgatp (Sv32x4): the root is four pages, at a multiple of 16 KiB. */
#define HGATP_MODE       0x80000000
#define HGATP_VMID_SHIFT 22
#define HGATP_VMID_MASK  0x7f
#define HGATP_PPN_MASK   0x003ffffc

/* What htinst and mtinst say of a guest-page fault of the walk itself: reading
 * an entry of the guest's tables, or writing its A or D. */
#define TINST_WALK_READ  0x00002000
#define TINST_WALK_WRITE 0x00002020

/* mcounteren, hcounteren and scounteren. */
#define COUNTEREN_CY   (1 << 0)
#define COUNTEREN_TM   (1 << 1)
#define COUNTEREN_IR   (1 << 2)
#define COUNTEREN_MASK 7

/* Privilege modes, as MPP encodes them. */
#define PRIV_U 0
#define PRIV_S 1
#define PRIV_M 3

#endif
