/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the Linux files only. */
#ifndef STS_LINUX_REQUEST_H
#define STS_LINUX_REQUEST_H

#include <sys/types.h>

/* Raw ptrace request: 0 or -errno. */
int sts_ptrace(int request, pid_t tid, unsigned long addr, unsigned long data);

#endif
