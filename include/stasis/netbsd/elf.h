/* SPDX-License-Identifier: BSD-2-Clause */
/** @file elf.h  The C library's header, and NetBSD's name for an entry of the auxiliary vector. */
#include_next <elf.h>

#ifndef STASIS_NETBSD_ELF_H
#define STASIS_NETBSD_ELF_H

#include <stdint.h>

/** As PIOD_READ_AUXV gives it, of a 64-bit program; the types are Linux's AT_*. */
typedef struct {
	uint64_t a_type;
	uint64_t a_v;
} Aux64Info;
typedef Aux64Info AuxInfo;

/** Of a 32-bit program. */
typedef struct {
	uint32_t a_type;
	uint32_t a_v;
} Aux32Info;

#endif
