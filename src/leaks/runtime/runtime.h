/* SPDX-License-Identifier: BSD-2-Clause */
/* When checks are made. */
#ifndef STS_LEAKS_RUNTIME_H
#define STS_LEAKS_RUNTIME_H

#include <stdbool.h>
#include <stdio.h>

#include <stasis/leaks.h>

/* Checking is switched off, by option or by the program. */
bool sts_turned_off(void);
/* Once: the one at the end of the program, which may end it with another status. */
void sts_check_at_end(void);
/* Before main. */
void sts_runtime_start(void);
/* In the child of a fork. */
void sts_runtime_after_fork(void);
/* daemon.c: checks while the program runs, by a thread of ours, if any are asked for. */
void sts_daemon_start(void);

#endif
