/* SPDX-License-Identifier: BSD-2-Clause */
/** @file specialreg.h  Of the control registers, what programs can see: the parts of the extended state. */
#ifndef STASIS_NETBSD_X86_SPECIALREG_H
#define STASIS_NETBSD_X86_SPECIALREG_H

#define XCR0_X87 0x00000001
#define XCR0_SSE 0x00000002
#define XCR0_YMM_Hi128 0x00000004
#define XCR0_BNDREGS 0x00000008
#define XCR0_BNDCSR 0x00000010
#define XCR0_Opmask 0x00000020
#define XCR0_ZMM_Hi256 0x00000040
#define XCR0_Hi16_ZMM 0x00000080
#define XCR0_PT 0x00000100
#define XCR0_PKRU 0x00000200

#endif
