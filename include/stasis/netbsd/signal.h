/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file signal.h  The C library's header, and what NetBSD has besides.
 *
 * SIGINFO and SIGEMT stand on signals that Linux never sends by itself and
 * programs hardly use: the stack fault of a coprocessor, and the last but one
 * real-time signal.
 */
#include_next <signal.h>

#ifndef STASIS_NETBSD_SIGNAL_H
#define STASIS_NETBSD_SIGNAL_H

#include <sys/types.h>

#ifndef SIGINFO
#define SIGINFO 16
#endif
#ifndef SIGEMT
#define SIGEMT 63
#endif

/* si_code of SIGTRAP. TRAP_BRKPT (1) and TRAP_TRACE (2) may be the C library's, with the same values. */
#ifndef TRAP_BRKPT
#define TRAP_BRKPT 1
#endif
#ifndef TRAP_TRACE
#define TRAP_TRACE 2
#endif
#define TRAP_EXEC 3
#define TRAP_CHLD 4
#define TRAP_LWP 5
#define TRAP_DBREG 6
#define TRAP_SCE 7
#define TRAP_SCX 8

/* Sent to one LWP, as by _lwp_kill() and raise(): Linux's SI_TKILL. */
#ifndef SI_LWP
#define SI_LWP (-6)
#endif
#ifndef SI_NOINFO
#define SI_NOINFO 32767
#endif

#endif
