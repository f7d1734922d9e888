/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared by the Linux files only. */
#ifndef STS_LINUX_REQUEST_H
#define STS_LINUX_REQUEST_H

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

/* Raw ptrace request: 0 or -errno. */
int sts_ptrace(int request, pid_t tid, unsigned long addr, unsigned long data);

/* Each name in an open directory to fn, until that says other than 0; no memory is allocated. That, 0, or -errno. */
int sts_dir_each(int fd, int (*fn)(void *arg, const char *name), void *arg);

/* What our filter says with a stop, to be told from those of filters that programs install themselves. */
#define STS_FILTER_MARK 0x5354u

struct sts_filter {
	struct sock_fprog program;
	bool renounce; /* where the kernel asks for it, give up privileges for it */
	struct sock_filter insns[BPF_MAXINSNS];
};

#endif
