/* SPDX-License-Identifier: BSD-2-Clause */
/** @file exec_elf.h  ELF structures: the C library's <elf.h>. */
#ifndef STASIS_NETBSD_SYS_EXEC_ELF_H
#define STASIS_NETBSD_SYS_EXEC_ELF_H
#include <elf.h>
#endif
