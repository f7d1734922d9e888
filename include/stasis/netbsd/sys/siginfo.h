/* SPDX-License-Identifier: BSD-2-Clause */
/** @file siginfo.h  siginfo_t and its codes, all of which <signal.h> has. */
#ifndef STASIS_NETBSD_SYS_SIGINFO_H
#define STASIS_NETBSD_SYS_SIGINFO_H
#include <signal.h>
#endif
