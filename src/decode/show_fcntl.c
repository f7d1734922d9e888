/* SPDX-License-Identifier: BSD-2-Clause */
/* fcntl(2) and ioctl(2). */
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include "decode/show.h"

/* glibc gives some of these other values. */
enum { GETLK = 5, SETLK = 6, SETLKW = 7, GETLK64 = 12, SETLK64 = 13, SETLKW64 = 14 };

/* Who holds it is told by the kernel only. */
static bool hide_pid(const struct sts_field *field, const void *arg)
{
	const bool *asked = arg;

	return !*asked && strcmp(field->name, "l_pid") == 0;
}

static void show_lock(struct sts_walk *w, const struct sts_value *v, bool wide, bool asked)
{
	const struct sts_struct *s = wide ? &struct_flock64 : &struct_flock;
	uint8_t buf[STS_STRUCT_MAX];

	if (!sts_read_struct(w, s, v->value, buf)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_show_fields(w, s, v->value, buf, sts_struct_size(w, s), hide_pid, &asked);
	sts_end(w);
}

static bool takes_nothing(uint64_t command)
{
	return command == F_GETFD || command == F_GETFL || command == F_GETOWN || command == F_GETSIG ||
	       command == F_GETLEASE || command == F_GETPIPE_SZ || command == F_GET_SEALS;
}

static void show_by_command(struct sts_walk *w, const struct sts_value *v, uint64_t command)
{
	switch (command) {
	case F_SETFD:
		sts_show_flags(w, v->name, &set_fdflags, v->value);
		break;
	case F_SETFL:
		sts_show_flags(w, v->name, &set_open, (uint32_t)v->value);
		break;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETOWN:
	case F_SETPIPE_SZ:
		sts_put_number(w, STASIS_DECODE_SIGNED, v->name, (uint64_t)(int64_t)(int32_t)v->value);
		break;
	case F_SETSIG:
		sts_show_signal(w, v->name, (int)v->value);
		break;
	case F_SETLEASE:
		sts_show_enum(w, v->name, &set_lease, v->value);
		break;
	case F_NOTIFY:
		sts_show_flags(w, v->name, &set_notify, (uint32_t)v->value);
		break;
	case F_ADD_SEALS:
		sts_show_flags(w, v->name, &set_seals, (uint32_t)v->value);
		break;
	case F_GETOWN_EX:
	case F_SETOWN_EX:
		sts_show_struct_at(w, v->name, &struct_f_owner_ex, v->value, SIZE_MAX);
		break;
	default:
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
	}
}

void sts_show_fcntl_arg(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t command = (uint32_t)sts_reference(w);
	bool reads_back = command == GETLK || command == GETLK64 || command == F_OFD_GETLK || command == F_GETOWN_EX;

	if (takes_nothing(command))
		return;
	if (reads_back && sts_failed(w))
		sts_put_address(w, v->name, v->value);
	else if (command >= GETLK && command <= SETLKW)
		show_lock(w, v, false, reads_back);
	else if ((command >= GETLK64 && command <= SETLKW64) || (command >= F_OFD_GETLK && command <= F_OFD_SETLKW))
		show_lock(w, v, true, reads_back);
	else
		show_by_command(w, v, command);
}

static void put_flags_result(struct sts_walk *w, const char *name, const struct sts_set *set)
{
	sts_begin_result(w, "%#" PRIx64, w->call->result);
	sts_show_flags(w, name, set, (uint64_t)w->call->result);
	sts_end(w);
}

void sts_show_result_fcntl(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t command = (uint32_t)w->values[1];

	if (command == F_GETFL) {
		put_flags_result(w, "flags", &set_open);
	} else if (command == F_GETFD && v->value) {
		put_flags_result(w, "flags", &set_fdflags);
	} else if (command == F_GET_SEALS && v->value) {
		put_flags_result(w, "seals", &set_seals);
	} else if (command == F_GETLEASE) {
		sts_begin_result(w, "%#" PRIx64, v->value);
		sts_show_enum(w, NULL, &set_lease, v->value);
		sts_end(w);
	} else if (command == F_GETSIG && v->value) {
		sts_begin_result(w, "%" PRId64, (int64_t)v->value);
		sts_show_signal(w, NULL, (int)v->value);
		sts_end(w);
	} else if (command == F_DUPFD || command == F_DUPFD_CLOEXEC) {
		sts_begin_fd_result(w, (int)v->value);
		sts_end(w);
	} else {
		sts_begin_result(w, "%" PRId64, (int64_t)v->value);
		sts_end(w);
	}
}

/* --- ioctl ------------------------------------------------------------------------------ */

static int by_number(const void *key, const void *entry)
{
	uint32_t a = *(const uint32_t *)key, b = ((const struct sts_ioctl *)entry)->number;

	return a < b ? -1 : a > b;
}

static const struct sts_ioctl *find_ioctl(uint64_t request)
{
	uint32_t number = (uint32_t)request;

	return bsearch(&number, sts_ioctls, sts_ioctls_count, sizeof *sts_ioctls, by_number);
}

void sts_show_ioctl(struct sts_walk *w, const struct sts_value *v)
{
	static const char *const directions[] = {"_IOC_NONE", "_IOC_WRITE", "_IOC_READ", "_IOC_READ|_IOC_WRITE"};
	const struct sts_ioctl *known = find_ioctl(v->value);
	uint32_t request = (uint32_t)v->value;

	if (known)
		sts_put_symbol(w, v->name, request, known->name);
	else
		sts_put_symbolf(w, v->name, request, "_IOC(%s, %#x, %#x, %#x)", directions[_IOC_DIR(request)],
				_IOC_TYPE(request), _IOC_NR(request), _IOC_SIZE(request));
}

void sts_show_ioctl_arg(struct sts_walk *w, const struct sts_value *v)
{
	const struct sts_ioctl *known = find_ioctl(sts_reference(w));

	if (known && known->arg)
		sts_show_arg(w, known->arg, v->name, v->value);
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}
