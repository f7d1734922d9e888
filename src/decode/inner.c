/* SPDX-License-Identifier: BSD-2-Clause */
/* i386's socketcall and ipc, each many calls in one: the first argument says which. */
#include <string.h>
#include "decode/decode.h"
#include "decode/tables.h"

static const char *const sockets[] = {NULL,	     "socket",	    "bind",	  "connect",	"listen",  "accept",
				      "getsockname", "getpeername", "socketpair", "send",	"recv",	   "sendto",
				      "recvfrom",    "shutdown",    "setsockopt", "getsockopt", "sendmsg", "recvmsg",
				      "accept4",     "recvmmsg",    "sendmmsg"};
static const char *const objects[] = {
	[1] = "semop",	 [2] = "semget",  [3] = "semctl", [4] = "semtimedop", [11] = "msgsnd", [12] = "msgrcv",
	[13] = "msgget", [14] = "msgctl", [21] = "shmat", [22] = "shmdt",     [23] = "shmget", [24] = "shmctl"};

static const struct {
	const char *name;
	const char *const *calls;
	unsigned n;
	uint32_t selector; /* the bits of the argument that say which */
} outer[STS_INNER_COUNT] = {
	[STS_INNER_SOCKET] = {"socketcall", sockets, sizeof sockets / sizeof *sockets, UINT32_MAX},
	[STS_INNER_IPC] = {"ipc", objects, sizeof objects / sizeof *objects, 0xffff},
};

const char *sts_inner_name(enum sts_inner kind, uint64_t which)
{
	return which < outer[kind].n ? outer[kind].calls[which] : NULL;
}

const char *sts_inner_outer(enum sts_inner kind)
{
	return outer[kind].name;
}

enum sts_inner sts_inner_of(enum stasis_abi abi, uint64_t number, uint64_t argument, unsigned *which_ret)
{
	if (abi != STASIS_ABI_I386)
		return STS_INNER_COUNT;
	const struct sts_call *call = sts_call_find(abi, number);
	for (enum sts_inner kind = 0; call && kind < STS_INNER_COUNT; kind++) {
		uint32_t which = (uint32_t)argument & outer[kind].selector;

		if (strcmp(call->name, outer[kind].name) == 0) {
			*which_ret = sts_inner_name(kind, which) ? which : 0;
			return kind;
		}
	}
	return STS_INNER_COUNT;
}

const char *sts_call_name(const struct stasis_event_syscall *call)
{
	unsigned which;
	enum sts_inner kind = sts_inner_of(call->abi, call->number, call->args[0], &which);
	const char *name = kind < STS_INNER_COUNT ? sts_inner_name(kind, which) : NULL;

	return name ? name : stasis_syscall_name(call->abi, call->number);
}
