/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that are many in one: futex, prctl, arch_prctl, ptrace, seccomp, landlock. */
#include <inttypes.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include "decode/show.h"

/* --- futex ----------------------------------------------------------------------------- */

static unsigned futex_command(const struct sts_walk *w)
{
	return (unsigned)w->values[1] & (unsigned)FUTEX_CMD_MASK;
}

void sts_show_futex_op(struct sts_walk *w, const struct sts_value *v)
{
	unsigned op = (unsigned)v->value, command = op & (unsigned)FUTEX_CMD_MASK;
	const char *name = sts_enum_name(&set_futex, command);
	const char *private_text = op & FUTEX_PRIVATE_FLAG ? "_PRIVATE" : "";
	const char *clock = op & FUTEX_CLOCK_REALTIME ? "|FUTEX_CLOCK_REALTIME" : "";

	if (name)
		sts_put_symbolf(w, v->name, op, "%s%s%s", name, private_text, clock);
	else
		sts_put_symbolf(w, v->name, op, "%#x /* FUTEX_??? */", op);
}

static bool futex_has(const struct sts_walk *w, uint64_t commands)
{
	return futex_command(w) > 13 || commands & UINT64_C(1) << futex_command(w);
}

#define BIT(command) (UINT64_C(1) << (command))
#define REQUEUES (BIT(FUTEX_REQUEUE) | BIT(FUTEX_CMP_REQUEUE) | BIT(FUTEX_CMP_REQUEUE_PI) | BIT(FUTEX_WAKE_OP))
#define TIMED (BIT(FUTEX_WAIT) | BIT(FUTEX_WAIT_BITSET) | BIT(FUTEX_LOCK_PI) | BIT(13) | BIT(FUTEX_WAIT_REQUEUE_PI))

void sts_show_futex_val(struct sts_walk *w, const struct sts_value *v)
{
	if (futex_has(w, ~(BIT(FUTEX_LOCK_PI) | BIT(FUTEX_UNLOCK_PI) | BIT(FUTEX_TRYLOCK_PI) | BIT(13))))
		sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, (uint32_t)v->value);
}

/* A timeout, or the second number of those that move waiters. */
void sts_show_futex_timeout(struct sts_walk *w, const struct sts_value *v)
{
	bool wide = strcmp(w->format->name, "futex_time64") == 0;

	if (futex_command(w) <= 13 && futex_has(w, TIMED))
		sts_show_struct_at(w, v->name, wide ? &struct_timespec64 : &struct_timespec, v->value, SIZE_MAX);
	else if (futex_command(w) <= 13 && futex_has(w, REQUEUES))
		sts_put_number(w, STASIS_DECODE_UNSIGNED, "val2", (uint32_t)v->value);
	else if (futex_command(w) > 13)
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}

void sts_show_futex_uaddr2(struct sts_walk *w, const struct sts_value *v)
{
	if (futex_has(w, REQUEUES | BIT(FUTEX_WAIT_REQUEUE_PI)))
		sts_put_address(w, v->name, v->value);
}

static void put_wake_op(struct sts_walk *w, const char *name, uint32_t value)
{
	static const char *const ops[] = {"FUTEX_OP_SET", "FUTEX_OP_ADD", "FUTEX_OP_OR", "FUTEX_OP_ANDN",
					  "FUTEX_OP_XOR"};
	static const char *const compares[] = {"FUTEX_OP_CMP_EQ", "FUTEX_OP_CMP_NE", "FUTEX_OP_CMP_LT",
					       "FUTEX_OP_CMP_LE", "FUTEX_OP_CMP_GT", "FUTEX_OP_CMP_GE"};
	unsigned op = value >> 28 & 7, compare = value >> 24 & 15;

	if (op > 4 || compare > 5) {
		sts_put_number(w, STASIS_DECODE_HEX, name, value);
		return;
	}
	sts_put_symbolf(w, name, value, "%s%s<<28|%#x<<12|%s<<24|%#x",
			value & 0x80000000u ? "FUTEX_OP_OPARG_SHIFT<<28|" : "", ops[op], value >> 12 & 0xfff,
			compares[compare], value & 0xfff);
}

void sts_show_futex_val3(struct sts_walk *w, const struct sts_value *v)
{
	uint32_t value = (uint32_t)v->value;

	if (futex_command(w) == FUTEX_WAKE_OP)
		put_wake_op(w, v->name, value);
	else if (futex_command(w) > 13)
		sts_put_number(w, STASIS_DECODE_HEX, v->name, value);
	else if (futex_has(w, BIT(FUTEX_CMP_REQUEUE) | BIT(FUTEX_CMP_REQUEUE_PI)))
		sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, value);
	else if (futex_has(w, BIT(FUTEX_WAIT_BITSET) | BIT(FUTEX_WAKE_BITSET))) {
		if (value == UINT32_MAX)
			sts_put_symbol(w, v->name, value, "FUTEX_BITSET_MATCH_ANY");
		else
			sts_put_number(w, STASIS_DECODE_HEX, v->name, value);
	}
}

/* --- prctl ------------------------------------------------------------------------------------ */

enum prctl_kind { P_HEX, P_DECIMAL, P_SIGNAL, P_SIGNAL_BOX, P_INT_BOX, P_STRING, P_NAME_OUT, P_CAP, P_SET, P_SET_BITS };

/* What the second argument is, and how many of the four there are. */
static const struct prctl {
	int option;
	int n;
	enum prctl_kind kind;
	const struct sts_set *set;
} prctls[] = {
	{PR_SET_PDEATHSIG, 1, P_SIGNAL, NULL},
	{PR_GET_PDEATHSIG, 1, P_SIGNAL_BOX, NULL},
	{PR_GET_DUMPABLE, 0, P_HEX, NULL},
	{PR_SET_DUMPABLE, 1, P_SET, &set_dumpable},
	{PR_GET_KEEPCAPS, 0, P_HEX, NULL},
	{PR_SET_KEEPCAPS, 1, P_DECIMAL, NULL},
	{PR_SET_NAME, 1, P_STRING, NULL},
	{PR_GET_NAME, 1, P_NAME_OUT, NULL},
	{PR_GET_SECCOMP, 0, P_HEX, NULL},
	{PR_SET_SECCOMP, 2, P_SET, &set_seccomp_mode},
	{PR_CAPBSET_READ, 1, P_CAP, NULL},
	{PR_CAPBSET_DROP, 1, P_CAP, NULL},
	{PR_GET_SECUREBITS, 0, P_HEX, NULL},
	{PR_SET_SECUREBITS, 1, P_SET_BITS, &set_securebits},
	{PR_SET_TIMERSLACK, 1, P_DECIMAL, NULL},
	{PR_GET_TIMERSLACK, 0, P_HEX, NULL},
	{PR_SET_CHILD_SUBREAPER, 1, P_DECIMAL, NULL},
	{PR_GET_CHILD_SUBREAPER, 1, P_INT_BOX, NULL},
	{PR_SET_NO_NEW_PRIVS, 4, P_DECIMAL, NULL},
	{PR_GET_NO_NEW_PRIVS, 4, P_DECIMAL, NULL},
	{PR_SET_THP_DISABLE, 4, P_DECIMAL, NULL},
	{PR_GET_THP_DISABLE, 4, P_DECIMAL, NULL},
	{PR_SET_MM, 4, P_SET, &set_pr_mm},
	{PR_CAP_AMBIENT, 4, P_SET, &set_pr_cap_ambient},
	{0x53564d41 /* PR_SET_VMA */, 4, P_SET, &set_pr_vma},
};

static const struct prctl *find_prctl(const struct sts_walk *w)
{
	for (size_t i = 0; i < sizeof prctls / sizeof *prctls; i++)
		if ((uint32_t)prctls[i].option == (uint32_t)w->values[0])
			return &prctls[i];
	return NULL;
}

static void put_capability(struct sts_walk *w, const char *name, uint64_t value)
{
	sts_show_enum(w, name, &set_cap, value);
}

static void show_signal_box(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t signal;

	if (sts_failed(w) || !sts_read_uint(w, v->value, 4, &signal)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	sts_show_signal(w, NULL, (int)signal);
	sts_end(w);
}

static void show_prctl_value(struct sts_walk *w, const struct sts_value *v, const struct prctl *p)
{
	switch (p->kind) {
	case P_DECIMAL:
		sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, v->value);
		break;
	case P_SIGNAL:
		sts_show_signal(w, v->name, (int)v->value);
		break;
	case P_SIGNAL_BOX:
		show_signal_box(w, v);
		break;
	case P_INT_BOX:
		sts_show_boxed(w, v->name, sts_failed(w) ? 0 : v->value, 4, STASIS_DECODE_SIGNED);
		break;
	case P_STRING:
		sts_show_string_at(w, v->name, v->value, 15);
		break;
	case P_NAME_OUT:
		if (sts_failed(w))
			sts_put_address(w, v->name, v->value);
		else
			sts_show_string_at(w, v->name, v->value, 16);
		break;
	case P_CAP:
		put_capability(w, v->name, v->value);
		break;
	case P_SET:
		sts_show_enum(w, v->name, p->set, v->value);
		break;
	case P_SET_BITS:
		sts_show_flags(w, v->name, p->set, v->value);
		break;
	default:
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
	}
}

void sts_show_prctl2(struct sts_walk *w, const struct sts_value *v)
{
	const struct prctl *p = find_prctl(w);

	if (!p)
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
	else if (p->n >= 1)
		show_prctl_value(w, v, p);
}

void sts_show_prctl3(struct sts_walk *w, const struct sts_value *v)
{
	const struct prctl *p = find_prctl(w);

	if (p && p->n < 2)
		return;
	if (p && p->option == PR_SET_SECCOMP && w->values[1] == 2)
		sts_show_struct_at(w, v->name, &struct_sock_fprog, v->value, SIZE_MAX);
	else if (p && p->option == PR_CAP_AMBIENT && w->values[1] != PR_CAP_AMBIENT_CLEAR_ALL)
		put_capability(w, v->name, v->value);
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}

void sts_show_prctl4(struct sts_walk *w, const struct sts_value *v)
{
	const struct prctl *p = find_prctl(w);

	if (!p || p->n >= 3)
		sts_put_number(w, p && p->option == 0x53564d41 ? STASIS_DECODE_UNSIGNED : STASIS_DECODE_HEX, v->name,
			       v->value);
}

void sts_show_prctl5(struct sts_walk *w, const struct sts_value *v)
{
	const struct prctl *p = find_prctl(w);

	if (p && p->n < 4)
		return;
	if (p && p->option == 0x53564d41)
		sts_show_string_at(w, v->name, v->value, sts_limit(w));
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}

void sts_show_result_prctl(struct sts_walk *w, const struct sts_value *v)
{
	uint32_t option = (uint32_t)w->values[0];

	sts_begin_result(w, option == PR_GET_SECUREBITS ? "%#" PRIx64 : "%" PRId64, v->value);
	if (option == PR_GET_DUMPABLE)
		sts_show_enum(w, NULL, &set_dumpable, v->value);
	else if (option == PR_GET_SECCOMP && v->value)
		sts_show_enum(w, NULL, &set_seccomp_mode, v->value);
	else if (option == PR_GET_SECUREBITS && v->value)
		sts_show_flags(w, NULL, &set_securebits, v->value);
	sts_end(w);
}

void sts_show_arch_prctl_arg(struct sts_walk *w, const struct sts_value *v)
{
	enum { GET_FS = 0x1003, GET_GS = 0x1004 };
	uint64_t option = (uint32_t)sts_reference(w);

	if ((option == GET_FS || option == GET_GS) && !sts_failed(w))
		sts_show_boxed(w, v->name, v->value, 8, STASIS_DECODE_ADDRESS);
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}

/* --- ptrace ------------------------------------------------------------------------------------- */

static bool takes_nothing(uint64_t request)
{
	return request == PTRACE_TRACEME || request == PTRACE_ATTACH || request == PTRACE_KILL;
}

/* Who asks to be traced names nobody. */
void sts_show_ptrace_pid(struct sts_walk *w, const struct sts_value *v)
{
	if ((uint32_t)w->values[0] != PTRACE_TRACEME)
		sts_put_number(w, STASIS_DECODE_SIGNED, v->name, (uint64_t)(int64_t)(int32_t)v->value);
}

/* An offset in struct user: "8*RIP" for a register's, or the number. */
static void put_user_offset(struct sts_walk *w, const struct sts_value *v)
{
	static const char *const wide[] = {"R15",     "R14",	  "R13", "R12", "RBP",	  "RBX", "R11",
					   "R10",     "R9",	  "R8",	 "RAX", "RCX",	  "RDX", "RSI",
					   "RDI",     "ORIG_RAX", "RIP", "CS",	"EFLAGS", "RSP", "SS",
					   "FS_BASE", "GS_BASE",  "DS",	 "ES",	"FS",	  "GS"},
				 *const narrow[] = {"EBX", "ECX", "EDX",      "ESI", "EDI", "EBP", "EAX",  "XDS", "XES",
						    "XFS", "XGS", "ORIG_EAX", "EIP", "XCS", "EFL", "UESP", "XSS"};
	bool is_narrow = w->abi == STS_ABI_32;
	const char *const *names = is_narrow ? narrow : wide;
	size_t n = is_narrow ? sizeof narrow / sizeof *narrow : sizeof wide / sizeof *wide;
	unsigned size = sts_long_size(w);

	if (v->value % size == 0 && v->value / size < n)
		sts_put_symbolf(w, v->name, v->value, "%u*%s", size, names[v->value / size]);
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}

void sts_show_ptrace_addr(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t request = (uint32_t)w->values[0];

	if (takes_nothing(request))
		return;
	if (request == PTRACE_GETREGSET || request == PTRACE_SETREGSET)
		sts_show_enum(w, v->name, &set_regset, (uint32_t)v->value);
	else if (request == PTRACE_PEEKUSER || request == PTRACE_POKEUSER)
		put_user_offset(w, v);
	else
		sts_put_address(w, v->name, v->value);
}

static bool takes_signal(uint64_t request)
{
	return request == PTRACE_CONT || request == PTRACE_SYSCALL || request == PTRACE_SINGLESTEP ||
	       request == PTRACE_DETACH || request == PTRACE_LISTEN;
}

void sts_show_ptrace_data(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t request = (uint32_t)w->values[0];

	if (takes_nothing(request))
		return;
	if (takes_signal(request) && v->value)
		sts_show_signal(w, v->name, (int)v->value);
	else if (takes_signal(request))
		sts_put_number(w, STASIS_DECODE_SIGNED, v->name, 0);
	else if (request == PTRACE_SETOPTIONS || request == PTRACE_SEIZE)
		sts_show_flags(w, v->name, &set_ptrace_options, (uint32_t)v->value);
	else if (request == PTRACE_GETSIGINFO && !sts_failed(w))
		sts_show_siginfo(w, v);
	else if ((request == PTRACE_PEEKDATA || request == PTRACE_PEEKTEXT || request == PTRACE_PEEKUSER ||
		  request == PTRACE_GETEVENTMSG) &&
		 !sts_failed(w))
		sts_show_boxed(w, v->name, v->value, sts_long_size(w), STASIS_DECODE_HEX);
	else if (request == PTRACE_GETREGSET || request == PTRACE_SETREGSET)
		sts_show_iovec_ptr(w, v);
	else
		sts_put_address(w, v->name, v->value);
}

void sts_show_result_ptrace(struct sts_walk *w, const struct sts_value *v)
{
	sts_begin_result(w, v->value < 4096 ? "%" PRId64 : "%#" PRIx64, v->value);
	sts_end(w);
}

/* --- membarrier, reboot ------------------------------------------------------------ */

void sts_show_result_membarrier(struct sts_walk *w, const struct sts_value *v)
{
	if (w->values[0] != 0 || v->value == 0) { /* only a query tells what there is */
		sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	} else {
		sts_begin_result(w, "%#" PRIx64, v->value);
		sts_show_flags(w, NULL, &set_membarrier, v->value);
	}
	sts_end(w);
}

void sts_show_reboot_arg(struct sts_walk *w, const struct sts_value *v)
{
	if ((uint32_t)sts_reference(w) == 0xa1b2c3d4) /* LINUX_REBOOT_CMD_RESTART2 */
		sts_show_string_at(w, v->name, v->value, sts_limit(w));
}

/* --- seccomp, landlock -------------------------------------------------------------------------------- */

void sts_show_seccomp_arg(struct sts_walk *w, const struct sts_value *v)
{
	enum { SET_FILTER = 1, ACTION_AVAILABLE = 2, NOTIF_SIZES = 3 };
	uint64_t op = (uint32_t)sts_reference(w), action;

	if (op == SET_FILTER) {
		sts_show_struct_at(w, v->name, &struct_sock_fprog, v->value, SIZE_MAX);
	} else if (op == ACTION_AVAILABLE && sts_read_uint(w, v->value, 4, &action)) {
		sts_begin(w, STASIS_DECODE_ARRAY, v->name);
		sts_show_enum(w, NULL, &set_seccomp_ret, action);
		sts_end(w);
	} else {
		sts_put_address(w, v->name, v->value);
	}
}

void sts_show_landlock_rule(struct sts_walk *w, const struct sts_value *v)
{
	enum { PATH_BENEATH = 1, NET_PORT = 2 };
	uint64_t type = (uint32_t)sts_reference(w);

	if (type == PATH_BENEATH)
		sts_show_struct_at(w, v->name, &struct_landlock_path, v->value, SIZE_MAX);
	else if (type == NET_PORT)
		sts_show_struct_at(w, v->name, &struct_landlock_port, v->value, SIZE_MAX);
	else
		sts_put_address(w, v->name, v->value);
}
