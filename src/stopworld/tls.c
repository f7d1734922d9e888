// SPDX-License-Identifier: BSD-2-Clause
/*
 * Both libcs for Linux keep the ABI's vector of blocks ("dtv") in the second word at the thread pointer.
 * glibc: pairs of words {block, what to free}; the pair before the first holds the vector's length, and a block not
 * yet made is -1. musl: words; the first is the length.
 */
#include <errno.h>
#include <features.h>

#include "stopworld/os.h"
#include "stopworld/tls.h"

#define WORD sizeof(void *)

#ifdef __GLIBC__
#define ENTRY (2 * WORD)
#define LENGTH_AT(dtv_) ((dtv_)-ENTRY)
#define UNALLOCATED ((uint64_t)UINTPTR_MAX)
#else
#define ENTRY WORD
#define LENGTH_AT(dtv_) (dtv_)
#define UNALLOCATED ((uint64_t)0)
#endif

int sts_tls_address(uint64_t thread_pointer, size_t module, uint64_t *ret)
{
	uint64_t dtv, length, block = UNALLOCATED;

	if (thread_pointer == 0 || module == 0 || sts_os_peek(thread_pointer + WORD, &dtv) < 0 || dtv == 0 ||
	    sts_os_peek(LENGTH_AT(dtv), &length) < 0)
		return -EFAULT;
	if (module <= length && sts_os_peek(dtv + module * ENTRY, &block) < 0)
		return -EFAULT;
	*ret = block == UNALLOCATED ? 0 : block;
	return 0;
}
