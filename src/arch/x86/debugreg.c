/* SPDX-License-Identifier: BSD-2-Clause */
/* Debug registers: Intel SDM volume 3, "Debug, Branch Profile..." (DR6, DR7). */
#include "arch/arch.h"

#define ENABLE(slot) (UINT64_C(1) << (2 * (slot)))         /* L0 to L3 */
#define BOTH(slot) (UINT64_C(3) << (2 * (slot)))           /* and G0 to G3 */
#define CONDITION_SHIFT(slot) (16 + 4 * (slot))            /* R/W and LEN */
#define SINGLE_STEP (UINT64_C(1) << 14)

bool sts_arch_watch_valid(enum stasis_watch_kind kind, uint64_t addr, size_t len)
{
	if (kind == STASIS_WATCH_EXECUTE)
		return len == 1;
	if (kind != STASIS_WATCH_WRITE && kind != STASIS_WATCH_READ_WRITE)
		return false;
	return (len == 1 || len == 2 || len == 4 || len == 8) && addr % len == 0;
}

static uint64_t condition(enum stasis_watch_kind kind, size_t len)
{
	static const uint8_t access[] = {
		[STASIS_WATCH_EXECUTE] = 0,
		[STASIS_WATCH_WRITE] = 1,
		[STASIS_WATCH_READ_WRITE] = 3,
	};
	uint64_t length = len == 8 ? 2 : len - 1; /* 1, 2, 8, 4 bytes are 0, 1, 2, 3 */

	return access[kind] | length << 2;
}

uint64_t sts_arch_watch_control_clear(uint64_t dr7, int slot)
{
	return dr7 & ~BOTH(slot) & ~(UINT64_C(0xf) << CONDITION_SHIFT(slot));
}

uint64_t sts_arch_watch_control_set(uint64_t dr7, int slot, enum stasis_watch_kind kind, size_t len)
{
	return sts_arch_watch_control_clear(dr7, slot) | ENABLE(slot) | condition(kind, len) << CONDITION_SHIFT(slot);
}

int sts_arch_watch_hit(uint64_t dr6)
{
	for (int slot = 0; slot < STS_ARCH_WATCH_SLOTS; slot++)
		if (dr6 & UINT64_C(1) << slot)
			return slot;
	return -1;
}

bool sts_arch_step_hit(uint64_t dr6)
{
	return dr6 & SINGLE_STEP;
}
