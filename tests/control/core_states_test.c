// SPDX-License-Identifier: BSD-2-Clause
/* Cores of processes in unusual states, cores that cannot be written, and very many mappings. */
#include "core_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "corefile/corefile.h"

#define PAGE 4096

static int new_file(const char *path, int flags)
{
	return (int)STS_SYS(open(path, O_CREAT | O_CLOEXEC | flags, 0600));
}

static off_t size_of(int fd)
{
	struct stat st;

	STS_SYS(fstat(fd, &st));
	return st.st_size;
}

/* ---- states ---- */

static void signal_case(const char *target)
{
	struct stasis_session *s;
	struct stasis_event ev;
	struct core_file core;
	const struct core_note *note;
	int32_t info[4];
	struct sts_pipe p;
	int fd;
	pid_t pid;

	sts_shared();
	sts_pipe_open(&p);
	s = sts_session();
	pid = sts_launch(s, target, "abort");
	sts_want(s, pid, STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL));
	sts_resume(s, pid);
	do {
		sts_expect_event(s, STASIS_EVENT_SIGNAL, &ev);
		if (ev.data.signal.info.si_signo != SIGABRT)
			sts_resume(s, pid);
	} while (ev.data.signal.info.si_signo != SIGABRT);
	fd = new_file("core.file", O_RDWR);
	STS_OK_S(s, stasis_core_write(s, pid, ev.tid, fd));
	close(fd);
	core_open(&core, "core.file");
	note = core_note(&core, NT_PRSTATUS, 0);
	ATF_REQUIRE_EQ(core_status_tid(&core, note), ev.tid);
	ATF_REQUIRE_EQ(core_status_signal(note), SIGABRT);
	ATF_REQUIRE_EQ(core_status_signal(core_note(&core, NT_PRSTATUS, 1)), 0);
	note = core_note(&core, NT_SIGINFO, 0);
	ATF_REQUIRE(note != NULL && note->size == 128);
	memcpy(info, note->desc, sizeof(info));
	ATF_REQUIRE_EQ(info[0], SIGABRT);
	ATF_REQUIRE_EQ(info[2], SI_TKILL);
	/* The sender follows, aligned as the ABI wants it. */
	memcpy(info, note->desc + (core.is_32bit ? 12 : 16), sizeof(*info));
	ATF_REQUIRE_EQ(info[0], pid);
	core_close(&core);
	STS_OK_S(s, stasis_kill(s, pid));
	sts_expect_event(s, STASIS_EVENT_KILLED, NULL);
	stasis_session_destroy(s);
	sts_pipe_close(&p);
}

STS_TC_BOTH(at_signal, 30, "the signal about to be delivered stands in the notes of its LWP, with its siginfo")
{
	signal_case("core");
}

STS_TC(at_signal_i386, 30, "the same of an i386 process")
{
	signal_case("core-32");
}

static const struct core_note *status_of(const struct core_file *core, pid_t tid)
{
	const struct core_note *note;

	for (unsigned i = 0; (note = core_note(core, NT_PRSTATUS, i)) != NULL; i++)
		if (core_status_tid(core, note) == tid)
			return note;
	atf_tc_fail("no status of LWP %d", (int)tid);
}

static void vfork_case(const char *target)
{
	struct core_scene scene;
	struct core_file core;
	const struct core_note *status;
	char path[64], *line;
	unsigned long long sp, pc;

	core_scene_begin(&scene, target, "vfork");
	core_scene_write(&scene, 0, "core.file");
	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)scene.pid);
	line = core_run(0, "awk '{ print $(NF - 1), $NF }' %s", path);
	ATF_REQUIRE_EQ(sscanf(line, "%llx %llx", &sp, &pc), 2);
	free(line);
	core_open(&core, "core.file");
	status = status_of(&core, scene.pid);
	ATF_REQUIRE(core_status_pc(&core, status) == pc && pc != 0);
	ATF_REQUIRE(core_status_sp(&core, status) == sp && sp != 0);
	/* Three LWPs have what the fourth cannot show. */
	ATF_REQUIRE(core_note(&core, NT_PRSTATUS, 3) != NULL && core_note(&core, NT_PRSTATUS, 4) == NULL);
	ATF_REQUIRE(core_note(&core, NT_FPREGSET, 2) != NULL && core_note(&core, NT_FPREGSET, 3) == NULL);
	core_close(&core);
	core_scene_end(&scene);
}

STS_TC(in_vfork, 30, "an LWP that the kernel holds in vfork is in the core with what is known of it")
{
	vfork_case("core");
}

STS_TC(in_vfork_i386, 30, "the same of an i386 process")
{
	vfork_case("core-32");
}

STS_TC(leader_gone, 30, "a process whose main thread has ended")
{
	struct core_scene scene;
	struct core_file core;
	char want[CORE_PATTERN_SIZE];
	const char *at;

	core_scene_begin(&scene, "core", "leave");
	ATF_REQUIRE_EQ(sts_proc_state(scene.pid, scene.pid), 'Z');
	core_scene_write(&scene, 0, "core.file");
	core_open(&core, "core.file");
	ATF_REQUIRE(core_note(&core, NT_PRSTATUS, 3) != NULL && core_note(&core, NT_PRSTATUS, 4) == NULL);
	ATF_REQUIRE(core_note(&core, NT_AUXV, 0)->size > 64);
	core_pattern_fill(want, sizeof(want), 9);
	at = core_at(&core, core_scene_counter(CORE_PATTERN), sizeof(want));
	ATF_REQUIRE(at != NULL && memcmp(at, want, sizeof(want)) == 0);
	core_close(&core);
	core_scene_end(&scene);
}

/* Memory whose pages this process says it will supply by itself; it has two that are near. NULL: not to be had. */
static char *user_faulted_memory(void)
{
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = {.api = UFFD_API};
	char *p = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = {.range = {.start = (uintptr_t)p, .len = 8 * PAGE},
				      .mode = UFFDIO_REGISTER_MODE_MISSING};

	memset(p + 3 * PAGE, 'u', PAGE);
	memset(p + 6 * PAGE, 'v', PAGE);
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) < 0 || ioctl(fd, UFFDIO_REGISTER, &reg) < 0)
		return NULL;
	return p;
}

STS_TC(user_faults, 30, "pages that the tracee's own threads would have to supply are not waited for")
{
	struct sts_pipe p;
	struct stasis_session *s;
	struct core_file core;
	uint64_t addr;
	pid_t pid;
	int fd;

	sts_shared();
	sts_pipe_open(&p);
	pid = sts_fork();
	if (pid == 0) {
		sts_pipe_child(&p);
		atomic_store(&sts_shared()->counter[0], (uintptr_t)user_faulted_memory());
		sts_pipe_send(&p, "ready");
		sts_pipe_await(&p, "go");
		_exit(0);
	}
	sts_pipe_await(&p, "ready");
	addr = core_scene_counter(0);
	if (addr == 0) {
		sts_kill_reap(pid);
		atf_tc_skip("userfaultfd(2) is not to be had");
	}
	s = sts_session();
	sts_attach(s, pid);
	fd = new_file("core.file", O_RDWR);
	STS_OK_S(s, stasis_core_write(s, pid, 0, fd));
	close(fd);
	STS_OK_S(s, stasis_detach(s, pid, 0));
	stasis_session_destroy(s);
	sts_pipe_send(&p, "go");
	sts_reap_exit(pid, 0);
	core_open(&core, "core.file");
	ATF_REQUIRE(core_at(&core, addr, 8 * PAGE) != NULL);
	ATF_REQUIRE_EQ(*core_at(&core, addr + 3 * PAGE, PAGE), 'u');
	ATF_REQUIRE_EQ(*core_at(&core, addr + 4 * PAGE, PAGE), 0);
	ATF_REQUIRE_EQ(*core_at(&core, addr + 6 * PAGE, PAGE), 'v');
	core_close(&core);
	sts_pipe_close(&p);
}

/* ---- errors ---- */

STS_TC_BOTH(errors, 30, "each misuse has its error, and the file is left alone")
{
	struct core_scene scene;
	struct stasis_session *s;
	struct stasis_error_info info;
	int fd, ends[2], wrong;

	core_scene_begin(&scene, "core", NULL);
	s = scene.session;
	fd = new_file("core.file", O_RDWR);
	STS_SYS(write(fd, "old", 3));
	STS_FAILS(STASIS_E_BAD_LWP, stasis_core_write(s, scene.pid, getpid(), fd));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_core_write(s, getpid(), 0, fd));
	STS_FAILS(-EBADF, stasis_core_write(s, scene.pid, 0, -1));
	wrong = (int)STS_SYS(open("core.file", O_RDONLY | O_CLOEXEC));
	STS_FAILS(-EBADF, stasis_core_write(s, scene.pid, 0, wrong));
	stasis_session_last_error(s, &info);
	ATF_REQUIRE_EQ(info.error, -EBADF);
	ATF_REQUIRE_EQ(info.sys_errno, EBADF);
	ATF_REQUIRE_EQ(info.pid, scene.pid);
	ATF_REQUIRE_STREQ("write core", info.operation);
	close(wrong);
	wrong = (int)STS_SYS(open("core.file", O_WRONLY | O_APPEND | O_CLOEXEC));
	STS_FAILS(-EBADF, stasis_core_write(s, scene.pid, 0, wrong));
	close(wrong);
	STS_SYS(pipe2(ends, O_CLOEXEC));
	STS_FAILS(-ESPIPE, stasis_core_write(s, scene.pid, 0, ends[1]));
	close(ends[0]);
	close(ends[1]);
	sts_resume(s, scene.pid);
	STS_FAILS(STASIS_E_RUNNING, stasis_core_write(s, scene.pid, 0, fd));
	STS_OK_S(s, stasis_interrupt(s, scene.pid));
	sts_expect_event(s, STASIS_EVENT_INTERRUPT, NULL);
	ATF_REQUIRE_EQ(size_of(fd), 3);
	core_scene_end(&scene);
	close(fd);
}

STS_TC(killed, 30, "a tracee killed while it was stopped is gone")
{
	struct core_scene scene;
	int fd;

	core_scene_begin(&scene, "core", NULL);
	fd = new_file("core.file", O_RDWR);
	STS_SYS(kill(scene.pid, SIGKILL));
	sts_await_state(scene.pid, scene.pid, "Z");
	STS_FAILS(STASIS_E_GONE, stasis_core_write(scene.session, scene.pid, 0, fd));
	ATF_REQUIRE_EQ(size_of(fd), 0);
	sts_expect_event(scene.session, STASIS_EVENT_KILLED, NULL);
	stasis_session_destroy(scene.session);
	sts_pipe_close(&scene.pipe);
	close(fd);
}

static void spin_us(uint64_t us)
{
	struct timespec t;
	uint64_t start = 0, now;

	do {
		clock_gettime(CLOCK_MONOTONIC, &t);
		now = t.tv_sec * UINT64_C(1000000) + t.tv_nsec / 1000;
		start = start ? start : now;
	} while (now - start < us);
}

static void killed_meanwhile(uint64_t delay_us, unsigned *gone)
{
	struct core_scene scene;
	pid_t killer;
	int fd, r;

	core_scene_begin(&scene, "core", NULL);
	fd = new_file("core.file", O_RDWR | O_TRUNC);
	killer = sts_fork();
	if (killer == 0) {
		spin_us(delay_us);
		kill(scene.pid, SIGKILL);
		_exit(0);
	}
	r = stasis_core_write(scene.session, scene.pid, 0, fd);
	if (r != 0) {
		ATF_REQUIRE_EQ_MSG(r, STASIS_E_GONE, "%s", stasis_error_name(r));
		ATF_REQUIRE_EQ(size_of(fd), 0);
		(*gone)++;
	}
	sts_expect_event(scene.session, STASIS_EVENT_KILLED, NULL);
	stasis_session_destroy(scene.session);
	sts_reap_exit(killer, 0);
	sts_pipe_close(&scene.pipe);
	close(fd);
}

STS_TC(killed_while_dumped, 120, "a tracee killed during the dump is gone, or the core is whole")
{
	unsigned rounds = sts_rounds(400, 40), gone = 0;
	uint64_t seed = sts_seed();

	for (unsigned i = 0; i < rounds; i++)
		killed_meanwhile(sts_random(&seed) % 8000, &gone);
	printf("%u of %u gone\n", gone, rounds);
}

STS_TC_BOTH(file_size_limit, 30, "a file beyond RLIMIT_FSIZE is an error and no signal")
{
	const struct rlimit small = {1 << 20, RLIM_INFINITY};
	struct core_scene scene;
	struct rlimit old;
	sigset_t pending, mask;
	int fd;

	core_scene_begin(&scene, "core", NULL);
	fd = new_file("core.file", O_RDWR);
	STS_SYS(getrlimit(RLIMIT_FSIZE, &old));
	STS_SYS(setrlimit(RLIMIT_FSIZE, &small));
	STS_FAILS(-EFBIG, stasis_core_write(scene.session, scene.pid, 0, fd));
	STS_SYS(setrlimit(RLIMIT_FSIZE, &old));
	STS_SYS(sigpending(&pending));
	STS_SYS(sigprocmask(SIG_BLOCK, NULL, &mask));
	ATF_REQUIRE(!sigismember(&pending, SIGXFSZ));
	ATF_REQUIRE(!sigismember(&mask, SIGXFSZ));
	ATF_REQUIRE_EQ(size_of(fd), 0);
	close(fd);
	core_scene_end(&scene);
}

STS_TC_BOTH(disk_full, 30, "a full file system is -ENOSPC, and no half core stays on it", .require_user = "root")
{
	struct core_scene scene;
	int fd;

	STS_SYS(unshare(CLONE_NEWNS));
	STS_SYS(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	STS_SYS(mkdir("small", 0700));
	STS_SYS(mount("none", "small", "tmpfs", 0, "size=96k"));
	core_scene_begin(&scene, "core", NULL);
	fd = new_file("small/core", O_RDWR);
	STS_FAILS(-ENOSPC, stasis_core_write(scene.session, scene.pid, 0, fd));
	ATF_REQUIRE_EQ(size_of(fd), 0);
	close(fd);
	fd = new_file("core.file", O_RDWR);
	STS_OK_S(scene.session, stasis_core_write(scene.session, scene.pid, 0, fd));
	close(fd);
	core_scene_end(&scene);
	STS_SYS(umount("small"));
}

/* ---- the largest of cores ---- */

static const struct sts_core_abi *abi(bool is_32bit)
{
	return sts_core_abi_find(is_32bit ? STASIS_ABI_I386 : STASIS_ABI_X86_64);
}

static void vmas_make(struct sts_core_vmas *vmas, size_t n, uint64_t dump)
{
	static char none[] = "";

	vmas->list = calloc(n, sizeof(*vmas->list));
	ATF_REQUIRE(vmas->list != NULL);
	vmas->n = n;
	for (size_t i = 0; i < n; i++)
		vmas->list[i] = (struct sts_core_vma){.start = (2 * i + 1) * PAGE,
						      .end = (2 * i + 1) * PAGE + (dump > PAGE ? dump : PAGE),
						      .dump = dump,
						      .readable = true,
						      .path = none};
}

static void many_case(bool is_32bit, size_t n)
{
	struct sts_core_vmas vmas = {0};
	struct sts_core_buf headers = {0}, section = {0}, notes = {0};
	struct sts_core_layout layout;
	struct sts_core_out out;
	struct core_file core;
	char *text, want[64];
	int fd = new_file("core.many", O_RDWR | O_TRUNC);

	vmas_make(&vmas, n, 0);
	sts_core_note_add(&notes, "CORE", NT_AUXV, NULL, 16);
	STS_OK(sts_core_layout_plan(abi(is_32bit), &vmas, notes.len, &layout));
	STS_OK(sts_core_headers_build(abi(is_32bit), &vmas, notes.len, &layout, &headers));
	ATF_REQUIRE_EQ(headers.len, layout.notes_at);
	STS_OK(sts_core_out_begin(&out, fd, layout.size));
	STS_OK(sts_core_out_write(&out, headers.data, headers.len, 0));
	STS_OK(sts_core_out_write(&out, notes.data, notes.len, layout.notes_at));
	if (layout.sections_at) {
		STS_OK(sts_core_section_build(abi(is_32bit), &vmas, &section));
		STS_OK(sts_core_out_write(&out, section.data, section.len, layout.sections_at));
	}
	STS_OK(sts_core_out_end(&out, 0));
	core_open(&core, "core.many");
	ATF_REQUIRE_EQ(core.header.e_phnum == PN_XNUM, n + 1 >= PN_XNUM);
	ATF_REQUIRE_EQ(core.n_segments, n + 1);
	ATF_REQUIRE_EQ(core.segments[n].p_vaddr, (2 * n - 1) * PAGE);
	ATF_REQUIRE(core_note(&core, NT_AUXV, 0) != NULL);
	core_close(&core);
	text = core_run(0, "eu-readelf -l core.many | grep -c LOAD");
	snprintf(want, sizeof(want), "%zu\n", n);
	ATF_REQUIRE_STREQ(want, text);
	free(text);
	close(fd);
	free(vmas.list);
	free(headers.data);
	free(section.data);
	free(notes.data);
}

STS_TC(many_mappings, 60, "more mappings than an ELF header can count", .require_progs = "eu-readelf")
{
	many_case(false, PN_XNUM - 2);
	many_case(false, PN_XNUM - 1);
	many_case(false, 70000);
	many_case(true, PN_XNUM - 1);
	many_case(true, 70000);
}

STS_TC(too_big, 30, "an i386 core ends at 4 GiB, and no file is longer than a signed offset")
{
	struct sts_core_vmas vmas = {0};
	struct sts_core_layout layout;

	vmas_make(&vmas, 3, UINT64_C(1) << 30);
	STS_OK(sts_core_layout_plan(abi(true), &vmas, 100, &layout));
	ATF_REQUIRE(layout.size > UINT64_C(3) << 30);
	free(vmas.list);
	vmas_make(&vmas, 4, UINT64_C(1) << 30);
	STS_FAILS(-EFBIG, sts_core_layout_plan(abi(true), &vmas, 100, &layout));
	STS_OK(sts_core_layout_plan(abi(false), &vmas, 100, &layout));
	free(vmas.list);
	vmas_make(&vmas, 2, UINT64_C(1) << 62);
	STS_FAILS(-EFBIG, sts_core_layout_plan(abi(false), &vmas, 100, &layout));
	free(vmas.list);
}
