// SPDX-License-Identifier: BSD-2-Clause
/* i386's calls that make others: socketcall and ipc, and one of those calls directly. On x86-64: x32's calls. */
#include <sys/syscall.h>
#include <unistd.h>

#ifdef SYS_socketcall
int main(void)
{
	unsigned long socket_args[] = {1, 1, 0}, listen_args[] = {(unsigned long)-1, 5};

	syscall(SYS_socketcall, 1, socket_args);
	syscall(SYS_socketcall, 4, listen_args);
	syscall(SYS_socketcall, 77, 0);
	syscall(SYS_ipc, 2, 0, -1, 0, 0, 0);
	syscall(SYS_ipc, 24, -1, 0, 0, 0, 0);
	syscall(SYS_socket, 77, 1, 0);
	return 0;
}
#else
/* x32's numbers are refused by most kernels, which is as good. */
#define X32 0x40000000L
int main(void)
{
	syscall(X32 + SYS_write, -1, "hello", 5);
	syscall(X32 + 514, -1, 0x5401, 0); /* its ioctl */
	syscall(SYS_write, -1, "x", 1);
	return 0;
}
#endif
