/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same conclusions from a made-up /proc and /sys: Yama, which few machines
 * have at every level, security modules, and files as odd as they may get. The
 * caller is process 50, the target process 100.
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/linux/obstacle.h"

static const struct sts_obstacle_roots roots = {"proc", "sys", false};

#define PTRACE_CAPABILITY (UINT64_C(1) << STS_CAP_SYS_PTRACE)

/* ---- making the tree ---- */

struct task {
	const char *where; /* "100", "100/task/101", "thread-self" */
	int pid, tgid, parent, tracer;
	char state;
	unsigned uid, gid;
	uint64_t capabilities;
	unsigned flags;
	const char *name;
	const char *groups;
};

static void make_folders(const char *path)
{
	char part[256];

	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof(part), "%.*s", (int)i, path);
		ATF_REQUIRE_MSG(mkdir(part, 0755) == 0 || errno == EEXIST, "%s", part);
	}
}

__attribute__((format(printf, 2, 3))) static void make_file(const char *path, const char *format, ...)
{
	char folder[256];
	va_list ap;
	FILE *f;

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	make_folders(folder);
	f = fopen(path, "we");
	ATF_REQUIRE(f != NULL);
	va_start(ap, format);
	vfprintf(f, format, ap);
	va_end(ap);
	fclose(f);
}

static void make_link(const char *path, const char *text)
{
	char folder[256];

	snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	make_folders(folder);
	unlink(path);
	ATF_REQUIRE(symlink(text, path) == 0);
}

static void make_task(struct task t)
{
	char path[128];

	if (t.tgid == 0)
		t.tgid = t.pid;
	if (t.state == 0)
		t.state = 'S';
	if (t.name == NULL)
		t.name = "made-up";
	snprintf(path, sizeof(path), "proc/%s/status", t.where);
	make_file(path,
		  "Name:\t%s\nUmask:\t0022\nState:\t%c (whatever)\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\n"
		  "TracerPid:\t%d\nUid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t%s \n"
		  "CapInh:\t0000000000000000\nCapPrm:\t%016llx\nCapEff:\t%016llx\nSeccomp:\t0\nThreads:\t1\n",
		  t.name, t.state, t.tgid, t.pid, t.parent, t.tracer, t.uid, t.uid, t.uid, t.uid, t.gid, t.gid, t.gid,
		  t.gid, t.groups != NULL ? t.groups : "", (unsigned long long)t.capabilities,
		  (unsigned long long)t.capabilities);
	snprintf(path, sizeof(path), "proc/%s/stat", t.where);
	make_file(path, "%d (%s) %c %d 1 1 0 -1 %u 0 0 0\n", t.pid, t.name, t.state, t.parent, t.flags);
}

/* A process of one thread. */
static void make_process(struct task t)
{
	char own[16], thread[32];

	snprintf(own, sizeof(own), "%d", t.pid);
	snprintf(thread, sizeof(thread), "%d/task/%d", t.pid, t.pid);
	t.where = own;
	make_task(t);
	t.where = thread;
	make_task(t);
}

static void make_self(uint64_t capabilities)
{
	struct task self = {.pid = 50, .parent = 1, .uid = 1000, .gid = 1000, .capabilities = capabilities};

	make_process(self);
	self.where = "thread-self";
	make_task(self);
}

static struct task plain(void)
{
	return (struct task){.pid = 100, .parent = 1, .uid = 1000, .gid = 1000};
}

/* Caller without capabilities and a target like it, both children of 1. */
static void make_tree(void)
{
	make_process((struct task){.pid = 1});
	make_self(0);
	make_process(plain());
}

static void make_yama(const char *scope)
{
	make_file("proc/sys/kernel/yama/ptrace_scope", "%s\n", scope);
}

static int obstacle(struct stasis_error_info *info)
{
	return sts_os_obstacle_at(&roots, 100, info);
}

static void expect(int code)
{
	struct stasis_error_info info;
	int r = obstacle(&info);

	ATF_CHECK_MSG(r == code, "%s instead of %s: %s", stasis_error_name(r), stasis_error_name(code), info.cause);
	ATF_CHECK_EQ(r, info.error);
}

/* ---- Yama ---- */

STS_TC(yama_absent, 5, "no Yama, no obstacle")
{
	make_tree();
	expect(0);
}

STS_TC(yama_0, 5, "scope 0 forbids nothing")
{
	make_tree();
	make_yama("0");
	expect(0);
}

STS_TC(yama_1, 5, "scope 1 forbids what is no descendant, and the sentence says so")
{
	struct stasis_error_info info;

	make_tree();
	make_yama("1");
	expect(STASIS_E_PERM_YAMA);
	obstacle(&info);
	ATF_CHECK(strstr(info.cause, "ptrace_scope is 1") != NULL && strstr(info.cause, "descendant") != NULL);
	ATF_CHECK(strstr(info.remedy, "PR_SET_PTRACER") != NULL);
	ATF_CHECK_MSG(strlen(info.cause) < sizeof(info.cause) - 1 && strlen(info.remedy) < sizeof(info.remedy) - 1,
		      "cut off");
}

STS_TC(yama_1_child, 5, "scope 1 permits children and children's children")
{
	struct task t = plain();

	make_tree();
	make_yama("1");
	t.parent = 50;
	make_process(t);
	expect(0);
	make_process((struct task){.pid = 70, .parent = 60, .uid = 1000, .gid = 1000});
	make_process((struct task){.pid = 60, .parent = 50, .uid = 1000, .gid = 1000});
	t.parent = 70;
	make_process(t);
	expect(0);
}

STS_TC(yama_1_ancestor, 5, "scope 1 forbids the parent, and survives parents that go round in circles")
{
	struct task t = plain();

	make_tree();
	make_yama("1");
	make_process((struct task){.pid = 60, .parent = 100, .uid = 1000, .gid = 1000});
	t.parent = 60;
	make_process(t);
	expect(STASIS_E_PERM_YAMA);
}

STS_TC(yama_1_capable, 5, "scope 1 permits all to CAP_SYS_PTRACE")
{
	make_tree();
	make_yama("1");
	make_self(PTRACE_CAPABILITY);
	expect(0);
}

STS_TC(yama_2, 5, "scope 2 forbids even children without CAP_SYS_PTRACE")
{
	struct task t = plain();

	make_tree();
	make_yama("2");
	t.parent = 50;
	make_process(t);
	expect(STASIS_E_PERM_YAMA);
	make_self(PTRACE_CAPABILITY);
	expect(0);
}

STS_TC(yama_3, 5, "scope 3 forbids all, and so does what may come after it")
{
	make_tree();
	make_self(UINT64_MAX);
	make_yama("3");
	expect(STASIS_E_PERM_YAMA);
	make_yama("4");
	expect(STASIS_E_PERM_YAMA);
}

STS_TC(yama_nonsense, 5, "an empty or senseless file is no Yama")
{
	make_tree();
	make_yama("");
	expect(0);
	make_yama("enforcing");
	expect(0);
}

/* ---- which reason goes first ---- */

STS_TC(order, 5, "what no privilege can change is told first, then ids, capabilities, Yama")
{
	struct task t = plain();

	make_tree();
	make_yama("1");
	t.uid = 7;
	t.capabilities = 1;
	t.tracer = 60;
	t.state = 'Z';
	make_process((struct task){.pid = 60, .parent = 1, .name = "other"});
	make_process(t);
	expect(STASIS_E_ZOMBIE);
	t.state = 'S';
	make_process(t);
	expect(STASIS_E_TRACED_ELSEWHERE);
	t.tracer = 0;
	make_process(t);
	expect(STASIS_E_PERM_CREDENTIALS);
	t.uid = 1000;
	make_process(t);
	expect(STASIS_E_PERM_CREDENTIALS); /* capabilities */
	t.capabilities = 0;
	make_process(t);
	expect(STASIS_E_PERM_YAMA);
}

/* ---- ids and namespaces ---- */

STS_TC(saved_uid, 5, "one foreign id of the three is enough, as for a set-id program")
{
	make_tree();
	make_file("proc/100/status",
		  "Name:\tsu\nState:\tS (sleeping)\nTgid:\t100\nPid:\t100\nPPid:\t1\nTracerPid:\t0\n"
		  "Uid:\t1000\t1000\t0\t1000\nGid:\t1000\t1000\t1000\t1000\nCapPrm:\t0\nCapEff:\t0\n");
	expect(STASIS_E_PERM_CREDENTIALS);
	make_self(PTRACE_CAPABILITY);
	expect(0);
}

STS_TC(namespace_by_link, 5, "another namespace by its link; a capability here does not count there")
{
	make_tree();
	make_link("proc/thread-self/ns/user", "user:[4026531837]");
	make_link("proc/100/ns/user", "user:[4026531837]");
	expect(0);
	make_link("proc/100/ns/user", "user:[4026532000]");
	expect(STASIS_E_PERM_NAMESPACE);
	make_self(PTRACE_CAPABILITY);
	expect(STASIS_E_PERM_NAMESPACE);
}

STS_TC(namespace_by_map, 5, "where the link is closed to us, different maps prove different namespaces")
{
	struct task t = plain();

	make_tree();
	t.uid = 65534;
	make_process(t);
	make_file("proc/thread-self/uid_map", "         0       1000          1\n");
	make_file("proc/100/uid_map", "         0       1000          1\n");
	expect(STASIS_E_PERM_CREDENTIALS);
	make_file("proc/100/uid_map", "         0 4294967295 4294967295\n");
	expect(STASIS_E_PERM_NAMESPACE);
}

STS_TC(initial_namespace, 5, "a capability in the initial namespace counts in all")
{
	make_tree();
	make_file("proc/thread-self/uid_map", "         0          0 4294967295\n");
	make_file("proc/100/uid_map", "         0     100000      65536\n");
	expect(STASIS_E_PERM_NAMESPACE);
	make_self(PTRACE_CAPABILITY);
	expect(0);
}

STS_TC(owner_of_files, 5, "files of root's in a folder of another's: not dumpable", .require_user = "root")
{
	make_tree();
	ATF_REQUIRE(chown("proc/100", 1000, 1000) == 0);
	expect(STASIS_E_PERM_DUMPABLE);
	ATF_REQUIRE(chown("proc/100/status", 1000, 1000) == 0);
	expect(0);
	ATF_REQUIRE(chown("proc/100/status", 1000, 0) == 0);
	expect(STASIS_E_PERM_DUMPABLE);
	make_self(PTRACE_CAPABILITY);
	expect(0);
}

/* ---- files as odd as they get ---- */

STS_TC(hostile_names, 5, "a name of parentheses, spaces and control characters misleads nobody")
{
	struct stasis_error_info info;
	struct task t = plain();

	make_tree();
	t.flags = 0x00200000;
	t.name = "a) S 1 1 0 -1 0 (b";
	make_process(t);
	expect(STASIS_E_KERNEL_THREAD);
	t.flags = 0x00400000;
	t.name = ") Z 1 1 1 0 -1 2097152 0";
	make_process(t);
	expect(0);
	t.name = "\x1b[31mred\x7f";
	t.uid = 7;
	make_process(t);
	expect(STASIS_E_PERM_CREDENTIALS);
	obstacle(&info);
	ATF_CHECK_MSG(strstr(info.cause, "(?[31mred?)") != NULL, "%s", info.cause);
	t.name = "Tgid:\\n5";
	make_process(t);
	expect(STASIS_E_PERM_CREDENTIALS);
}

STS_TC(many_groups, 10, "a line of 65536 groups does not hide those behind it")
{
	char *groups = malloc(65536 * 6 + 1);
	struct task t = plain();

	ATF_REQUIRE(groups != NULL);
	for (int i = 0; i < 65536; i++)
		memcpy(groups + 6 * i, "12345 ", 6);
	groups[65536 * 6] = '\0';
	make_tree();
	t.groups = groups;
	t.capabilities = UINT64_C(1) << 21;
	make_process(t);
	expect(STASIS_E_PERM_CREDENTIALS);
	t.capabilities = 0;
	make_process(t);
	expect(0);
	free(groups);
}

/* Lengths around that of the buffers, so that line ends fall on every place. */
STS_TC(any_length, 120, "lines of every length up to some buffers' are read or passed over whole")
{
	char groups[2300];
	struct task t = plain();

	make_tree();
	for (size_t n = 0; n < sizeof(groups); n++) {
		memset(groups, '7', n);
		groups[n] = '\0';
		t.groups = groups;
		t.capabilities = n % 2;
		make_process(t);
		expect(n % 2 != 0 ? STASIS_E_PERM_CREDENTIALS : 0);
	}
}

STS_TC(empty_status, 5, "an empty or foreign file is as good as none")
{
	make_tree();
	make_file("proc/100/status", "%s", "");
	expect(STASIS_E_NO_PROCESS);
	make_file("proc/100/status", "%s", "State of affairs\nTgid\n\n\n:\n");
	expect(STASIS_E_NO_PROCESS);
	make_file("proc/100/status", "%s", "Tgid:\t99999999999999999999\nState:\t\n");
	expect(STASIS_E_NO_PROCESS);
}

STS_TC(no_listing, 5, "without a listing of threads the process itself is judged")
{
	make_tree();
	ATF_REQUIRE(system("rm -r proc/100/task") == 0);
	expect(0);
}

/* ---- security modules ---- */

static void expect_modules(const char *list, const char *wanted)
{
	char buf[64];

	make_file("sys/kernel/security/lsm", "%s", list);
	sts_facts_modules(&roots, buf, sizeof(buf));
	ATF_CHECK_STREQ(wanted, buf);
}

STS_TC(modules, 5, "of the security modules those that can deny ptrace are named")
{
	char buf[64] = "x";

	sts_facts_modules(&roots, buf, sizeof(buf));
	ATF_CHECK_STREQ("", buf);
	expect_modules("lockdown,capability,landlock,yama,apparmor", "apparmor, landlock");
	expect_modules("capability,selinux\n", "selinux");
	expect_modules("capability,yama", "");
	expect_modules("xapparmor,smackdown,my-selinux", "");
	expect_modules("bpf", "bpf");
	expect_modules("", "");
}

STS_TC(labels, 5, "labels lose their line end, and the module with a folder of its own is asked second")
{
	char buf[64];

	sts_facts_label(&roots, "100", buf, sizeof(buf));
	ATF_CHECK_STREQ("", buf);
	make_file("proc/100/attr/apparmor/current", "docker-default (enforce)\n");
	sts_facts_label(&roots, "100", buf, sizeof(buf));
	ATF_CHECK_STREQ("docker-default (enforce)", buf);
	make_file("proc/100/attr/current", "system_u:system_r:init_t:s0");
	sts_facts_label(&roots, "100", buf, sizeof(buf));
	ATF_CHECK_STREQ("system_u:system_r:init_t:s0", buf);
	sts_facts_label(&roots, "100", buf, 9);
	ATF_CHECK_STREQ("system_u", buf);
}
