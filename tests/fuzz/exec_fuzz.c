// SPDX-License-Identifier: BSD-2-Clause
/* Why a file cannot be executed, told from its first bytes: any file gets an answer, one of two. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <stdio.h>

#include "os/os.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("exec", MFD_CLOEXEC), r;
	char path[40];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = sts_os_exec_error(path);
	if (r != STASIS_E_NOT_EXECUTABLE && r != STASIS_E_WRONG_MACHINE)
		abort();
	close(fd);
	return 0;
}
