/* SPDX-License-Identifier: BSD-2-Clause */
/** @file exec_elf.h  ELF structures: the C library's <elf.h>, and NetBSD's notes in core files. */
#ifndef STASIS_NETBSD_SYS_EXEC_ELF_H
#define STASIS_NETBSD_SYS_EXEC_ELF_H

#include <elf.h>
#include <stdint.h>
#include <sys/types.h>

/* Notes of the process have this name, those of an LWP the same with "@" and its number. */
#define ELF_NOTE_NETBSD_CORE_NAME "NetBSD-CORE"

/* Types of the process's notes. An LWP's are the requests that get the registers: PT_GETREGS and so on. */
#define ELF_NOTE_NETBSD_CORE_PROCINFO 1
#define ELF_NOTE_NETBSD_CORE_AUXV 2
#define ELF_NOTE_NETBSD_CORE_LWPSTATUS 24

#define NETBSD_ELFCORE_PROCINFO_VERSION 1

/** What ELF_NOTE_NETBSD_CORE_PROCINFO holds. */
struct netbsd_elfcore_procinfo {
	uint32_t cpi_version;
	uint32_t cpi_cpisize;
	uint32_t cpi_signo; /* that stopped it, and its code */
	uint32_t cpi_sigcode;
	uint32_t cpi_sigpend[4];
	uint32_t cpi_sigmask[4];
	uint32_t cpi_sigignore[4];
	uint32_t cpi_sigcatch[4];
	int32_t cpi_pid;
	int32_t cpi_ppid;
	int32_t cpi_pgrp;
	int32_t cpi_sid;
	uint32_t cpi_ruid;
	uint32_t cpi_euid;
	uint32_t cpi_svuid;
	uint32_t cpi_rgid;
	uint32_t cpi_egid;
	uint32_t cpi_svgid;
	uint32_t cpi_nlwps;
	int8_t cpi_name[32];
	int32_t cpi_siglwp; /* the signal was for this one */
};

STASIS_NETBSD_BEGIN

/**
 * Whether core files of PT_DUMPCORE have these notes besides Linux's own. A
 * program that includes this header wants them; others get files that Linux's
 * debuggers can read.
 */
void stasis_netbsd_core_notes(int wanted) STASIS_NETBSD_NAME(core_notes);

#ifndef STASIS_NETBSD_BUILD
__attribute__((__constructor__)) static void stasis_netbsd_includes_exec_elf(void)
{
	stasis_netbsd_core_notes(1);
}
#endif

STASIS_NETBSD_END

#endif
