/* SPDX-License-Identifier: BSD-2-Clause */
/* What the machine, the container and the limits around this process allow. */
#include "cli/doctor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

/* --- readers ------------------------------------------------------------------------------ */

bool sts_doctor_line(const char *path, char *buf, size_t cap)
{
	FILE *f = fopen(path, "re");
	bool ok = f != NULL && fgets(buf, (int)cap, f) != NULL;

	if (f != NULL)
		fclose(f);
	if (!ok)
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	return ok;
}

bool sts_doctor_status_value(const char *key, char *buf, size_t cap)
{
	FILE *f = fopen("/proc/self/status", "re");
	char *line = NULL;
	size_t room = 0;
	bool found = false;

	buf[0] = '\0';
	while (f != NULL && !found && getline(&line, &room, f) > 0) {
		size_t len = strlen(key);

		found = strncmp(line, key, len) == 0 && line[len] == ':';
		if (found)
			snprintf(buf, cap, "%s", line + len + 1 + strspn(line + len + 1, " \t"));
	}
	buf[strcspn(buf, "\n")] = '\0';
	free(line);
	if (f != NULL)
		fclose(f);
	return found;
}

static int status_number(const char *key)
{
	char text[32];

	return sts_doctor_status_value(key, text, sizeof(text)) ? atoi(text) : -1;
}

/* --- kernel and /proc -------------------------------------------------------------------------- */

static void check_kernel(struct doctor_report *r)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	sscanf(u.release, "%d.%d", &major, &minor);
	if (strcmp(u.machine, "x86_64") != 0)
		sts_doctor_add(r, "kernel", DOCTOR_NO, "use an x86-64 machine", "Linux %s on %s", u.release, u.machine);
	else if (major < 5 || (major == 5 && minor < 3))
		sts_doctor_add(r, "kernel", DOCTOR_LIMITED, "use Linux 5.3 or newer",
			       "Linux %s, %s: too old for system calls", u.release, u.machine);
	else
		sts_doctor_add(r, "kernel", DOCTOR_OK, "", "Linux %s, %s", u.release, u.machine);
}

/* The super options of what is mounted at /proc, "" if nothing is. The last line for it counts. */
static void proc_options(char *buf, size_t cap)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t room = 0;

	buf[0] = '\0';
	while (f != NULL && getline(&line, &room, f) > 0) {
		char point[256];
		char *options = strstr(line, " - proc ");

		if (options == NULL || sscanf(line, "%*s %*s %*s %*s %255s", point) != 1 || strcmp(point, "/proc") != 0)
			continue;
		options = strrchr(options, ' ');
		options[strcspn(options, "\n")] = '\0';
		snprintf(buf, cap, "%s", options + 1);
	}
	free(line);
	if (f != NULL)
		fclose(f);
}

static bool has_option(const char *options, const char *option)
{
	size_t len = strlen(option);

	for (const char *p = options; (p = strstr(p, option)) != NULL; p += len)
		if ((p == options || p[-1] == ',') && (p[len] == ',' || p[len] == '\0' || p[len] == '='))
			return true;
	return false;
}

static void check_proc(struct doctor_report *r)
{
	char options[256], self[32] = "";
	struct statfs fs;

	if (statfs("/proc", &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
		sts_doctor_add(r, "proc", DOCTOR_NO, "mount -t proc proc /proc", "/proc is not mounted");
		return;
	}
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0 || atoi(self) != getpid()) {
		sts_doctor_add(r, "proc", DOCTOR_NO, "mount -t proc proc /proc",
			       "/proc belongs to another pid namespace");
		return;
	}
	proc_options(options, sizeof(options));
	if (has_option(options, "hidepid") && !has_option(options, "hidepid=0") && !has_option(options, "hidepid=off"))
		sts_doctor_add(r, "proc", DOCTOR_LIMITED, "mount -o remount,hidepid=0 /proc, or run as root",
			       "mounted with %s: processes of others are hidden", options);
	else
		sts_doctor_add(r, "proc", DOCTOR_OK, "", "mounted, %s",
			       options[0] != '\0' ? options : "options unknown");
}

/* --- permissions ---------------------------------------------------------------------------------- */

static void check_yama(struct doctor_report *r, bool capable)
{
	char text[16];
	int scope;

	if (!sts_doctor_line("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text))) {
		sts_doctor_add(r, "yama", DOCTOR_OK, "", "not in this kernel");
		return;
	}
	scope = atoi(text);
	if (scope == 0 || (capable && scope <= 2))
		sts_doctor_add(r, "yama", DOCTOR_OK, "", "ptrace_scope is %d%s", scope,
			       scope > 0 ? ", which CAP_SYS_PTRACE overrides" : "");
	else if (scope == 1)
		sts_doctor_add(r, "yama", DOCTOR_LIMITED, "sysctl kernel.yama.ptrace_scope=0, or run as root",
			       "ptrace_scope is 1: only descendants, and who names us with prctl(PR_SET_PTRACER)");
	else if (scope == 2)
		sts_doctor_add(r, "yama", DOCTOR_NO, "run as root, or sysctl kernel.yama.ptrace_scope=1 or 0",
			       "ptrace_scope is 2: only with CAP_SYS_PTRACE");
	else
		sts_doctor_add(r, "yama", DOCTOR_NO, "change it in /etc/sysctl.d and restart the machine",
			       "ptrace_scope is %d: nobody may trace until the next start", scope);
}

/* clang-format off */
static const char *const capability_names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
};
/* clang-format on */

static void list_capabilities(uint64_t set, char *buf, size_t cap)
{
	size_t used = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < 64 && used < cap; i++) {
		if (!(set >> i & 1))
			continue;
		if (i < sizeof(capability_names) / sizeof(capability_names[0]))
			used += (size_t)snprintf(buf + used, cap - used, "%s%s", used > 0 ? " " : "",
						 capability_names[i]);
		else
			used += (size_t)snprintf(buf + used, cap - used, "%s%u", used > 0 ? " " : "", i);
	}
}

/* "all", "none", "all but x y" or a list, whichever is shortest. */
static void describe_capabilities(uint64_t set, char *buf, size_t cap)
{
	char last[16], list[256];
	uint64_t all;

	sts_doctor_line("/proc/sys/kernel/cap_last_cap", last, sizeof(last));
	all = last[0] != '\0' ? (UINT64_C(2) << atoi(last)) - 1 : (UINT64_C(2) << CAP_LAST_CAP) - 1;
	if (set == 0 || set == all) {
		snprintf(buf, cap, "%s", set == 0 ? "none" : "all");
	} else if (__builtin_popcountll(set) > __builtin_popcountll(all) / 2) {
		list_capabilities(all & ~set, list, sizeof(list));
		snprintf(buf, cap, "all but %s", list);
	} else {
		list_capabilities(set, list, sizeof(list));
		snprintf(buf, cap, "%s", list);
	}
}

static uint64_t effective_capabilities(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static bool check_capabilities(struct doctor_report *r)
{
	uint64_t set = effective_capabilities();
	char text[300];

	describe_capabilities(set, text, sizeof(text));
	if (set >> CAP_SYS_PTRACE & 1)
		sts_doctor_add(r, "capabilities", DOCTOR_OK, "", "effective: %s", text);
	else
		sts_doctor_add(r, "capabilities", DOCTOR_LIMITED,
			       "run as root, or give the program the capability sys_ptrace",
			       "effective: %s; without sys_ptrace only dumpable processes of uid %u can be traced",
			       text, getuid());
	return set >> CAP_SYS_PTRACE & 1;
}

static void check_seccomp(struct doctor_report *r)
{
	int mode = status_number("Seccomp"), filters = status_number("Seccomp_filters");

	if (mode < 0)
		sts_doctor_add(r, "seccomp", DOCTOR_OK, "", "cannot be told");
	else if (mode == 0)
		sts_doctor_add(r, "seccomp", DOCTOR_OK, "", "no filter on this process");
	else
		sts_doctor_add(r, "seccomp", DOCTOR_OK, "", "%d filter%s on this process; what they deny shows below",
			       filters < 1 ? 1 : filters, filters > 1 ? "s" : "");
}

static bool selinux_denies_ptrace(void)
{
	char text[16];

	return sts_doctor_line("/sys/fs/selinux/booleans/deny_ptrace", text, sizeof(text)) && text[0] == '1';
}

static void check_security_modules(struct doctor_report *r)
{
	char list[128], label[128];

	if (!sts_doctor_line("/sys/kernel/security/lsm", list, sizeof(list)))
		snprintf(list, sizeof(list), "list not readable");
	if (!sts_doctor_line("/proc/self/attr/current", label, sizeof(label)))
		sts_doctor_line("/proc/self/attr/apparmor/current", label, sizeof(label));
	if (selinux_denies_ptrace())
		sts_doctor_add(r, "security-modules", DOCTOR_NO, "setsebool deny_ptrace 0",
			       "SELinux denies ptrace (deny_ptrace)");
	else if (label[0] != '\0' && strstr(label, "unconfined") == NULL)
		sts_doctor_add(r, "security-modules", DOCTOR_LIMITED,
			       "run it unconfined, or allow ptrace in that profile",
			       "%s; this process is confined as '%s'", list, label);
	else
		sts_doctor_add(r, "security-modules", DOCTOR_OK, "", "%s", list);
}

/* --- namespaces and containers ---------------------------------------------------------------------- */

/* Is it the namespace whose number the kernel reserves for the first one? False also if that cannot be told. */
static bool is_initial(const char *link, const char *initial, bool *known)
{
	char text[64] = "";

	*known = readlink(link, text, sizeof(text) - 1) > 0;
	return *known && strcmp(text, initial) == 0;
}

/* Runs of white space become single spaces. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++) {
		bool space = *from == ' ' || *from == '\t';

		if (!space)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	*to = '\0';
}

static void check_namespaces(struct doctor_report *r)
{
	const char *remedy = "trace processes outside from outside";
	char map[64], pids[128];
	bool known;

	sts_doctor_line("/proc/self/uid_map", map, sizeof(map));
	squeeze(map);
	if (is_initial("/proc/self/ns/user", "user:[4026531837]", &known) || !known)
		sts_doctor_add(r, "user-namespace", DOCTOR_OK, "", known ? "the initial one" : "cannot be told");
	else
		sts_doctor_add(r, "user-namespace", DOCTOR_LIMITED, remedy,
			       "not the initial one (uid_map: %s): processes outside of it cannot be traced", map);
	sts_doctor_status_value("NSpid", pids, sizeof(pids));
	squeeze(pids);
	if (is_initial("/proc/self/ns/pid", "pid:[4026531836]", &known) || !known)
		sts_doctor_add(r, "pid-namespace", DOCTOR_OK, "", known ? "the initial one" : "cannot be told");
	else
		sts_doctor_add(r, "pid-namespace", DOCTOR_LIMITED, remedy,
			       "not the initial one (our pids: %s): processes outside of it cannot be seen", pids);
}

static const char *container(void)
{
	char groups[256];

	if (access("/.dockerenv", F_OK) == 0)
		return "docker";
	if (access("/run/.containerenv", F_OK) == 0)
		return "podman";
	if (getenv("KUBERNETES_SERVICE_HOST") != NULL)
		return "kubernetes";
	if (access("/proc/vz", F_OK) == 0 && access("/proc/bc", F_OK) != 0)
		return "openvz";
	if (getenv("container") != NULL)
		return getenv("container");
	if (sts_doctor_line("/proc/1/cgroup", groups, sizeof(groups)) && strstr(groups, "lxc") != NULL)
		return "lxc";
	return NULL;
}

static void check_container(struct doctor_report *r)
{
	const char *name = container();

	sts_doctor_add(r, "container", DOCTOR_OK, "", "%s%s", name != NULL ? "looks like one: " : "no sign of one",
		       name != NULL ? name : "");
}

static void check_freezer(struct doctor_report *r)
{
	bool v1 = access("/sys/fs/cgroup/freezer", F_OK) == 0;
	bool v2 = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ||
		  access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0;

	if (v1)
		sts_doctor_add(r, "freezer", DOCTOR_OK, "thaw such processes before attaching",
			       "cgroup v1%s: what its freezer holds answers no tracer", v2 ? " and v2" : "");
	else
		sts_doctor_add(r, "freezer", DOCTOR_OK, "", v2 ? "cgroup v2: frozen processes can be traced" : "none");
}

/* --- limits -------------------------------------------------------------------------------------------- */

static void check_limit(struct doctor_report *r, const char *id, int resource, rlim_t enough, const char *remedy,
			const char *what)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return;
	if (limit.rlim_cur == RLIM_INFINITY)
		sts_doctor_add(r, id, DOCTOR_OK, "", "no limit of %s", what);
	else if (limit.rlim_cur < enough)
		sts_doctor_add(r, id, DOCTOR_LIMITED, remedy, "at most %llu %s", (unsigned long long)limit.rlim_cur,
			       what);
	else
		sts_doctor_add(r, id, DOCTOR_OK, "", "at most %llu %s", (unsigned long long)limit.rlim_cur, what);
}

static void check_core(struct doctor_report *r)
{
	struct rlimit limit = {0, 0};
	char pattern[160];

	sts_doctor_line("/proc/sys/kernel/core_pattern", pattern, sizeof(pattern));
	getrlimit(RLIMIT_CORE, &limit);
	if (limit.rlim_cur == RLIM_INFINITY)
		sts_doctor_add(r, "kernel-cores", DOCTOR_OK, "", "go to '%s', no limit of size", pattern);
	else
		sts_doctor_add(r, "kernel-cores", DOCTOR_OK, "", "go to '%s', at most %llu bytes", pattern,
			       (unsigned long long)limit.rlim_cur);
}

static void check_perf(struct doctor_report *r)
{
	char text[16];

	if (sts_doctor_line("/proc/sys/kernel/perf_event_paranoid", text, sizeof(text)))
		sts_doctor_add(r, "perf-events", DOCTOR_OK, "", "perf_event_paranoid is %s (stasis needs none)", text);
	else
		sts_doctor_add(r, "perf-events", DOCTOR_OK, "", "not in this kernel (stasis needs none)");
}

void sts_doctor_system(struct doctor_report *r)
{
	bool capable;

	r->heading = "This machine and this process's standing on it";
	check_kernel(r);
	check_proc(r);
	capable = check_capabilities(r);
	check_yama(r, capable);
	check_seccomp(r);
	check_security_modules(r);
	check_namespaces(r);
	check_container(r);
	check_freezer(r);
	check_limit(r, "open-files", RLIMIT_NOFILE, 64, "raise it (ulimit -n)", "open files");
	check_limit(r, "processes", RLIMIT_NPROC, 64, "raise it (ulimit -u)", "processes and threads of this user");
	check_core(r);
	check_perf(r);
}
