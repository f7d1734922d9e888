// SPDX-License-Identifier: BSD-2-Clause
/* Submits two entries to an io_uring, bare of any library: an IORING_OP_NOP and a write of a word to descriptor 1. */
#include "shared.h"

#include <linux/io_uring.h>
#include <sys/syscall.h>

int main(void)
{
	static char word[] = "written\n";
	struct io_uring_params p = {0};
	int fd = (int)syscall(__NR_io_uring_setup, 4, &p);

	if (fd < 0)
		return errno == ENOSYS || errno == EPERM ? 77 : STS_TARGET_BROKEN;
	char *ring = mmap(NULL, p.sq_off.array + p.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
			  fd, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqes = mmap(NULL, p.sq_entries * sizeof *sqes, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
	if (ring == MAP_FAILED || (void *)sqes == MAP_FAILED)
		sts_target_fail("mmap");
	sqes[0] = (struct io_uring_sqe){.opcode = IORING_OP_NOP, .user_data = 7};
	sqes[1] = (struct io_uring_sqe){
		.opcode = IORING_OP_WRITE, .fd = 1, .addr = (uintptr_t)word, .len = 8, .user_data = 8};
	unsigned *array = (unsigned *)(ring + p.sq_off.array);
	array[0] = 0;
	array[1] = 1;
	atomic_store((_Atomic unsigned *)(ring + p.sq_off.tail), 2);
	if (syscall(__NR_io_uring_enter, fd, 2, 2, IORING_ENTER_GETEVENTS, NULL, 8) != 2)
		return STS_TARGET_BROKEN;
	return 0;
}
