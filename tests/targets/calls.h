/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef STS_TARGET_CALLS_H
#define STS_TARGET_CALLS_H

#include "shared.h"

#include <signal.h>
#include <sys/syscall.h>

#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Wnonnull"
#pragma GCC diagnostic ignored "-Wdiscarded-qualifiers"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Warray-bounds"

void calls_files(void);
void calls_processes(void);
void calls_net(void);

#endif
