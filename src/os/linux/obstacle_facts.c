/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the file systems of the kernel tell of a task's right to be traced. All
 * of it is read below roots that tests can replace.
 */
#include "os/linux/obstacle.h"
#include "os/linux/request.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "util/cleanup.h"

#define PATH_CAP 512

/* --- files -------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static int open_at(const char *format, ...)
{
	char path[PATH_CAP];
	va_list ap;
	int n, fd;

	va_start(ap, format);
	n = vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* The whole of a small file as text, trailing white space cut. 0 or -errno; on failure the text is empty. */
static int read_text(int fd_or_error, char *buf, size_t cap)
{
	_cleanup_close_ int fd = fd_or_error;
	size_t len = 0;
	ssize_t n = 1;

	buf[0] = '\0';
	if (fd < 0)
		return fd;
	while (len < cap - 1 && n > 0) {
		n = read(fd, buf + len, cap - 1 - len);
		if (n > 0)
			len += (size_t)n;
		else if (n < 0 && errno == EINTR)
			n = 1;
	}
	buf[n < 0 ? 0 : len] = '\0';
	if (n < 0)
		return -errno;
	while (len > 0 && strchr(" \n\t", buf[len - 1]) != NULL)
		buf[--len] = '\0';
	return 0;
}

static int read_link(const struct sts_obstacle_roots *roots, const char *who, const char *what, char *buf, size_t cap)
{
	char path[PATH_CAP];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s/%s", roots->proc, who, what);
	n = readlink(path, buf, cap - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return 0;
}

/* --- status ------------------------------------------------------------------- */

enum field_kind { TEXT, LETTER, NUMBER, IDS, MASK };

/* clang-format off */
#define FIELD(key_, kind_, member_) {key_ ":\t", kind_, offsetof(struct sts_facts, member_)}
/* clang-format on */

static const struct field {
	const char *key;
	enum field_kind kind;
	size_t offset;
} fields[] = {
	FIELD("Name", TEXT, name),
	FIELD("State", LETTER, state),
	FIELD("Tgid", NUMBER, tgid),
	FIELD("Pid", NUMBER, pid),
	FIELD("PPid", NUMBER, parent),
	FIELD("TracerPid", NUMBER, tracer),
	FIELD("Uid", IDS, uid),
	FIELD("Gid", IDS, gid),
	FIELD("CapPrm", MASK, cap_permitted),
	FIELD("CapEff", MASK, cap_effective),
	FIELD("Seccomp", NUMBER, seccomp),
};

_Static_assert(sizeof(pid_t) == sizeof(int) && sizeof(uid_t) == sizeof(unsigned), "NUMBER and IDS fit");

/* The kernel leaves control characters in names as they are; ours go to terminals. */
static void name_set(char *name, size_t cap, const char *value)
{
	size_t i;

	for (i = 0; i < cap - 1 && value[i] != '\0'; i++)
		name[i] = (unsigned char)value[i] < ' ' || value[i] == 0x7f ? '?' : value[i];
	name[i] = '\0';
}

static void field_set(const struct field *f, const char *value, struct sts_facts *facts)
{
	void *member = (char *)facts + f->offset;
	char *end = (char *)value;

	switch (f->kind) {
	case TEXT:
		name_set(member, sizeof(facts->name), value);
		break;
	case LETTER:
		*(char *)member = value[0];
		break;
	case NUMBER:
		*(int *)member = (int)strtol(value, NULL, 10);
		break;
	case MASK:
		*(uint64_t *)member = strtoull(value, NULL, 16);
		break;
	case IDS:
		for (int i = 0; i < 3; i++)
			((unsigned *)member)[i] = (unsigned)strtoul(end, &end, 10);
		break;
	}
}

static void line_parse(const char *line, struct sts_facts *facts)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		size_t len = strlen(fields[i].key);

		if (strncmp(line, fields[i].key, len) == 0)
			field_set(&fields[i], line + len, facts);
	}
}

/* Lines too long for us (65536 groups, say) are none that we want. */
static int lines_parse(int fd, struct sts_facts *facts)
{
	char line[256];
	char buf[1024];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != '\n') {
				if (len < sizeof(line) - 1)
					line[len] = buf[i];
				len++;
				continue;
			}
			if (len < sizeof(line) - 1) {
				line[len] = '\0';
				line_parse(line, facts);
			}
			len = 0;
		}
	}
	return 0;
}

int sts_facts_read(const struct sts_obstacle_roots *roots, const char *who, struct sts_facts *ret)
{
	struct sts_facts facts = {0};
	_cleanup_close_ int fd = open_at("%s/%s/status", roots->proc, who);
	int r;

	if (fd < 0)
		return fd;
	r = lines_parse(fd, &facts);
	if (r < 0)
		return r;
	if (facts.tgid <= 0 || facts.state == '\0')
		return -EBADMSG;
	*ret = facts;
	return 0;
}

int sts_facts_read_pid(const struct sts_obstacle_roots *roots, pid_t pid, struct sts_facts *ret)
{
	char who[16];

	snprintf(who, sizeof(who), "%d", pid);
	return sts_facts_read(roots, who, ret);
}

bool sts_facts_kernel_thread(const struct sts_obstacle_roots *roots, pid_t pid)
{
	const unsigned pf_kthread = 0x00200000;
	unsigned flags = 0;
	char text[512];
	const char *p;

	if (read_text(open_at("%s/%d/stat", roots->proc, pid), text, sizeof(text)) < 0)
		return false;
	/* The name, in parentheses, may itself hold parentheses and spaces. */
	p = strrchr(text, ')');
	if (p == NULL || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
		return false;
	return (flags & pf_kthread) != 0;
}

/* --- threads ------------------------------------------------------------------ */

static void thread_note(const struct sts_facts *thread, struct sts_thread_facts *facts)
{
	if (thread->state == 'Z' || thread->state == 'X')
		return;
	if (facts->living == 0 || thread->pid == thread->tgid)
		facts->living = thread->pid;
	/* A tracer outside our pid namespace reads as 0, but it shows when it has stopped its tracee. */
	if (facts->traced == 0 && (thread->tracer != 0 || thread->state == 't')) {
		facts->traced = thread->pid;
		facts->tracer = thread->tracer;
	}
}

struct thread_look {
	const struct sts_obstacle_roots *roots;
	pid_t pid;
	struct sts_thread_facts *facts;
};

static int thread_look(void *arg, const char *name)
{
	struct thread_look *look = arg;
	struct sts_facts thread;
	char who[PATH_CAP];

	snprintf(who, sizeof(who), "%d/task/%s", look->pid, name);
	if (name[0] != '.' && sts_facts_read(look->roots, who, &thread) == 0)
		thread_note(&thread, look->facts);
	return 0;
}

void sts_facts_threads(const struct sts_obstacle_roots *roots, pid_t pid, struct sts_thread_facts *ret)
{
	struct thread_look look = {roots, pid, ret};

	memset(ret, 0, sizeof(*ret));
	_cleanup_close_ int fd = open_at("%s/%d/task", roots->proc, pid);
	if (fd >= 0)
		(void)!sts_dir_each(fd, thread_look, &look);
}

/* --- relations between the caller and the target ------------------------------- */

bool sts_facts_proc_usable(const struct sts_obstacle_roots *roots)
{
	char path[PATH_CAP];
	char link[32];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/self", roots->proc);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return false;
	link[n] = '\0';
	return atoi(link) == getpid();
}

bool sts_facts_descends(const struct sts_obstacle_roots *roots, pid_t pid, pid_t ancestor)
{
	struct sts_facts facts;

	/* Parents change while we look, so a loop is conceivable; no real chain is that long. */
	for (int depth = 0; depth < 4096 && pid > 0; depth++) {
		if (pid == ancestor)
			return true;
		if (sts_facts_read_pid(roots, pid, &facts) < 0)
			return false;
		pid = facts.parent;
	}
	return false;
}

static enum sts_answer same_text(int a_error, const char *a, int b_error, const char *b)
{
	if (a_error < 0 || b_error < 0)
		return STS_UNKNOWN;
	return strcmp(a, b) == 0 ? STS_YES : STS_NO;
}

enum sts_answer sts_facts_same_userns(const struct sts_obstacle_roots *roots, pid_t pid)
{
	char who[16], ours[256], its[256];
	enum sts_answer answer;
	int a, b;

	snprintf(who, sizeof(who), "%d", pid);
	a = read_link(roots, "thread-self", "ns/user", ours, sizeof(ours));
	b = read_link(roots, who, "ns/user", its, sizeof(its));
	answer = same_text(a, ours, b, its);
	if (answer != STS_UNKNOWN)
		return answer;
	/* The link is closed to those who may not trace; the map is open to all. Equal maps prove nothing. */
	a = read_text(open_at("%s/thread-self/uid_map", roots->proc), ours, sizeof(ours));
	b = read_text(open_at("%s/%d/uid_map", roots->proc, pid), its, sizeof(its));
	return same_text(a, ours, b, its) == STS_NO ? STS_NO : STS_UNKNOWN;
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 && sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* Rights in a namespace flow down from its ancestors: by capability there, or to the owner from the parent. */
static enum sts_answer capable_below(int own_fd, const struct sts_facts *self, int ns_fd)
{
	_cleanup_close_ int fd = ns_fd;

	for (int depth = 0; depth < 64; depth++) { /* the kernel allows 33 levels */
		int parent = ioctl(fd, NS_GET_PARENT);
		uid_t owner;

		if (parent < 0) /* EPERM: it lies outside of ours */
			return errno == EPERM ? STS_NO : STS_UNKNOWN;
		if (same_file(parent, own_fd)) {
			close(parent);
			if (self->cap_effective >> STS_CAP_SYS_PTRACE & 1)
				return STS_YES;
			if (ioctl(fd, NS_GET_OWNER_UID, &owner) < 0)
				return STS_UNKNOWN;
			return owner == self->uid[1] ? STS_YES : STS_NO;
		}
		close(fd);
		fd = parent;
	}
	return STS_UNKNOWN;
}

enum sts_answer sts_facts_ptrace_capable(const struct sts_obstacle_roots *roots, const struct sts_facts *self,
					 pid_t pid)
{
	bool have = self->cap_effective >> STS_CAP_SYS_PTRACE & 1;
	_cleanup_close_ int own = -1;
	char map[64];
	int fd;

	if (sts_facts_same_userns(roots, pid) != STS_NO)
		return have ? STS_YES : STS_NO;
	own = open_at("%s/thread-self/ns/user", roots->proc);
	fd = open_at("%s/%d/ns/user", roots->proc, pid);
	if (own >= 0 && fd >= 0)
		return capable_below(own, self, fd);
	if (fd >= 0)
		close(fd);
	/* From the initial namespace (it maps all ids to themselves) every other one lies below. */
	if (have && read_text(open_at("%s/thread-self/uid_map", roots->proc), map, sizeof(map)) == 0) {
		unsigned first, lower, count;

		if (sscanf(map, "%u %u %u", &first, &lower, &count) == 3 && first == 0 && lower == 0 &&
		    count == UINT32_MAX)
			return STS_YES;
	}
	return STS_NO;
}

/*
 * The kernel gives the files of a process that is not dumpable to root; the
 * folder itself always belongs to the effective ids of the process.
 */
enum sts_answer sts_facts_dumpable(const struct sts_obstacle_roots *roots, pid_t pid)
{
	char path[PATH_CAP];
	struct stat dir, file;

	snprintf(path, sizeof(path), "%s/%d", roots->proc, pid);
	if (stat(path, &dir) < 0)
		return STS_UNKNOWN;
	snprintf(path, sizeof(path), "%s/%d/status", roots->proc, pid);
	if (stat(path, &file) < 0)
		return STS_UNKNOWN;
	if (dir.st_uid != file.st_uid || dir.st_gid != file.st_gid)
		return STS_NO;
	return file.st_uid == 0 ? STS_UNKNOWN : STS_YES;
}

bool sts_facts_readable(const struct sts_obstacle_roots *roots, pid_t pid)
{
	char who[16], target[16];

	/* A link that is there and may be read, however long: the buffer only has to exist. */
	snprintf(who, sizeof(who), "%d", pid);
	return read_link(roots, who, "exe", target, sizeof(target)) == 0;
}

/* --- security modules ------------------------------------------------------------ */

void sts_facts_label(const struct sts_obstacle_roots *roots, const char *who, char *buf, size_t cap)
{
	char text[128];

	/* "current" belongs to whichever module is the first; AppArmor has one of its own beside. */
	if (read_text(open_at("%s/%s/attr/current", roots->proc, who), text, sizeof(text)) < 0 || text[0] == '\0')
		(void)read_text(open_at("%s/%s/attr/apparmor/current", roots->proc, who), text, sizeof(text));
	name_set(buf, cap, text);
}

static bool list_has(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; (p = strstr(p, word)) != NULL; p += len)
		if ((p == list || p[-1] == ',') && (p[len] == ',' || p[len] == '\0'))
			return true;
	return false;
}

void sts_facts_modules(const struct sts_obstacle_roots *roots, char *buf, size_t cap)
{
	static const char *const with_ptrace_hook[] = {"selinux", "apparmor", "smack", "landlock", "bpf"};
	char list[256];
	size_t used = 0;

	buf[0] = '\0';
	if (read_text(open_at("%s/kernel/security/lsm", roots->sys), list, sizeof(list)) < 0)
		return;
	for (size_t i = 0; i < sizeof(with_ptrace_hook) / sizeof(with_ptrace_hook[0]); i++)
		if (list_has(list, with_ptrace_hook[i]) && used < cap)
			used += (size_t)snprintf(buf + used, cap - used, "%s%s", used > 0 ? ", " : "",
						 with_ptrace_hook[i]);
}

int sts_facts_yama(const struct sts_obstacle_roots *roots)
{
	char text[16];

	if (read_text(open_at("%s/sys/kernel/yama/ptrace_scope", roots->proc), text, sizeof(text)) < 0)
		return 0;
	return atoi(text);
}
