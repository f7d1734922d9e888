// SPDX-License-Identifier: BSD-2-Clause
/*
 * The kernel as oracle: at the signal that kills it a tracee's core is written,
 * then the kernel writes its own of the very same state.
 */
#include "core_scene.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096
/* Not in every <elf.h>. */
#define NOTE_TLS_386 0x200
#define NOTE_IOPERM_386 0x201
#define NOTE_SHADOW_STACK 0x204
#define NOTE_XSAVE_LAYOUT 0x205

/* Whether the kernel writes a plain file into the working directory. */
static void need_kernel_cores(void)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	FILE *file = fopen("/proc/sys/kernel/core_pattern", "re");
	struct rlimit limit;
	char pattern[256] = "";

	if (file == NULL || fgets(pattern, sizeof(pattern), file) == NULL)
		atf_tc_skip("no core_pattern");
	fclose(file);
	if (strncmp(pattern, "core", 4) != 0 || strchr(pattern, '/') != NULL)
		atf_tc_skip("the kernel's cores do not go into the working directory");
	STS_SYS(getrlimit(RLIMIT_CORE, &limit));
	if (limit.rlim_max != RLIM_INFINITY && geteuid() != 0)
		atf_tc_skip("RLIMIT_CORE is too low");
	STS_SYS(setrlimit(RLIMIT_CORE, &all));
}

/* ---- notes ---- */

/* Kinds that say what this interface cannot see, or that older kernels do not write. */
static bool is_extra(const struct core_file *kernel, const struct core_note *note)
{
	return note->type == NOTE_TLS_386 || note->type == NOTE_IOPERM_386 || note->type == NOTE_SHADOW_STACK ||
	       (note->type == NOTE_XSAVE_LAYOUT && core_note(kernel, NOTE_XSAVE_LAYOUT, 0) == NULL);
}

static void check_bytes(const struct core_note *a, const struct core_note *b, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (a->desc[i] != b->desc[i])
			atf_tc_fail("note %s/%#x: byte %zu is %#x, the kernel's %#x", a->name, a->type, i,
				    (uint8_t)a->desc[i], (uint8_t)b->desc[i]);
}

/* All but the times, which go on, and the pending signals, among which is the SIGKILL that made the others stop. */
static void check_status(const struct core_file *core, const struct core_note *a, const struct core_note *b, bool first)
{
	size_t word = core->is_32bit ? 4 : 8, hold = core->is_32bit ? 20 : 24, size;
	size_t registers = core_status_registers(core, a, &size) - a->desc;

	if (first)
		check_bytes(a, b, 0, 14);
	check_bytes(a, b, hold, hold + word);
	check_bytes(a, b, hold + word, hold + word + 16);
	check_bytes(a, b, registers, registers + size + 4);
}

static void check_note(const struct core_file *core, const struct core_note *a, const struct core_note *b, bool first)
{
	ATF_REQUIRE_STREQ(b->name, a->name);
	ATF_REQUIRE_EQ_MSG(a->type, b->type, "%#x, the kernel's %#x", a->type, b->type);
	ATF_REQUIRE_EQ_MSG(a->size, b->size, "note %#x has %zu bytes, the kernel's %zu", a->type, a->size, b->size);
	switch (a->type) {
	case NT_PRSTATUS:
		check_status(core, a, b, first);
		return;
	case NT_PRPSINFO: /* state and flags differ: one is stopped, one dies */
		check_bytes(a, b, 3, 4);
		check_bytes(a, b, core->is_32bit ? 8 : 16, a->size);
		return;
	default:
		check_bytes(a, b, 0, a->size);
	}
}

static const struct core_note *next_note(const struct core_file *core, const struct core_file *kernel, size_t *i)
{
	while (*i < core->n_notes && is_extra(kernel, &core->notes[*i]))
		(*i)++;
	return *i < core->n_notes ? &core->notes[(*i)++] : NULL;
}

/*
 * The same notes in the same order, but the order of threads is the kernel's
 * own: status and registers are looked up by LWP.
 */
static unsigned compare_notes(const struct core_file *ours, const struct core_file *kernel)
{
	const struct core_note *a, *b;
	unsigned threads = 0;
	size_t i = 0, j = 0;

	while ((b = next_note(kernel, kernel, &j)) != NULL) {
		bool status = b->type == NT_PRSTATUS;

		if (status) {
			int tid = core_status_tid(kernel, b);

			if (threads > 0)
				for (i = 0; i < ours->n_notes; i++)
					if (ours->notes[i].type == NT_PRSTATUS &&
					    core_status_tid(ours, &ours->notes[i]) == tid)
						break;
			threads++;
		}
		/* What comes last in the kernel's comes last in ours. */
		if (b->type == NOTE_XSAVE_LAYOUT)
			i = ours->n_notes - 1;
		a = next_note(ours, kernel, &i);
		ATF_REQUIRE_MSG(a != NULL, "note %#x is missing", b->type);
		check_note(ours, a, b, status && threads == 1);
	}
	return threads;
}

static unsigned count_notes(const struct core_file *core, const struct core_file *kernel)
{
	unsigned n = 0;
	size_t i = 0;

	while (next_note(core, kernel, &i) != NULL)
		n++;
	return n;
}

/* ---- memory ---- */

static void compare_segment(const struct core_file *ours, const struct core_file *kernel, size_t i)
{
	const Elf64_Phdr *a = &ours->segments[i], *b = &kernel->segments[i];

	ATF_REQUIRE_EQ_MSG(a->p_type, b->p_type, "segment %zu", i);
	ATF_REQUIRE_EQ_MSG(a->p_vaddr, b->p_vaddr, "segment %zu", i);
	ATF_REQUIRE_EQ_MSG(a->p_memsz, b->p_memsz, "segment %#" PRIx64, b->p_vaddr);
	ATF_REQUIRE_EQ_MSG(a->p_flags, b->p_flags, "segment %#" PRIx64, b->p_vaddr);
	if (b->p_type == PT_NOTE)
		return;
	ATF_REQUIRE_EQ_MSG(a->p_align, b->p_align, "segment %#" PRIx64, b->p_vaddr);
	ATF_REQUIRE_EQ_MSG(a->p_filesz, b->p_filesz, "segment %#" PRIx64 ": %#" PRIx64 ", the kernel's %#" PRIx64,
			   b->p_vaddr, a->p_filesz, b->p_filesz);
	for (uint64_t at = 0; at < b->p_filesz; at += PAGE)
		if (memcmp(ours->data + a->p_offset + at, kernel->data + b->p_offset + at, PAGE) != 0)
			atf_tc_fail("page %#" PRIx64 " differs", b->p_vaddr + at);
}

static void compare(const char *ours_path, const char *kernel_path)
{
	struct core_file ours, kernel;

	core_open(&ours, ours_path);
	core_open(&kernel, kernel_path);
	ATF_REQUIRE_EQ(ours.is_32bit, kernel.is_32bit);
	ATF_REQUIRE_EQ(ours.n_segments, kernel.n_segments);
	for (size_t i = 0; i < ours.n_segments; i++)
		compare_segment(&ours, &kernel, i);
	ATF_REQUIRE_EQ(compare_notes(&ours, &kernel), 4);
	ATF_REQUIRE_EQ(count_notes(&ours, &kernel), count_notes(&kernel, &kernel));
	core_close(&ours);
	core_close(&kernel);
}

/* ---- cases ---- */

static void filter_set(pid_t pid, unsigned filter)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/coredump_filter", (int)pid);
	file = fopen(path, "we");
	ATF_REQUIRE(file != NULL);
	fprintf(file, "%#x", filter);
	ATF_REQUIRE_EQ(fclose(file), 0);
}

static void dump_both(const char *target, unsigned filter)
{
	struct stasis_session *s = sts_session();
	struct stasis_event ev;
	struct sts_pipe p;
	pid_t pid;
	int fd;

	sts_shared();
	sts_pipe_open(&p);
	pid = sts_launch(s, target, "abort");
	sts_want(s, pid, STASIS_EVENT_BIT(STASIS_EVENT_SIGNAL));
	filter_set(pid, filter);
	do {
		sts_resume(s, pid);
		sts_expect_event(s, STASIS_EVENT_SIGNAL, &ev);
	} while (ev.data.signal.info.si_signo != SIGABRT);
	fd = (int)STS_SYS(open("ours.core", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	STS_OK_S(s, stasis_core_write(s, pid, ev.tid, fd));
	close(fd);
	sts_resume(s, pid);
	sts_expect_event(s, STASIS_EVENT_KILLED, &ev);
	ATF_REQUIRE_MSG(ev.data.exit.core_dumped, "the kernel wrote no core");
	stasis_session_destroy(s);
	sts_pipe_close(&p);
}

static void kernel_case(const char *target, unsigned filter)
{
	glob_t found;

	need_kernel_cores();
	core_stay_on_one_cpu();
	dump_both(target, filter);
	ATF_REQUIRE_EQ(glob("core*", 0, NULL, &found), 0);
	ATF_REQUIRE_EQ(found.gl_pathc, 1);
	compare("ours.core", found.gl_pathv[0]);
	globfree(&found);
}

STS_TC_BOTH(default_filter, 60, "notes, segments and memory are those of the kernel's core")
{
	kernel_case("core", 0x33);
}

STS_TC(all_memory, 60, "the same with everything in the core")
{
	kernel_case("core", 0x1ff);
}

STS_TC(no_memory, 60, "the same with nothing in the core")
{
	kernel_case("core", 0);
}

STS_TC(default_filter_i386, 60, "the same of an i386 process")
{
	kernel_case("core-32", 0x33);
}

STS_TC(all_memory_i386, 60, "the same of an i386 process with everything in the core")
{
	kernel_case("core-32", 0x1ff);
}
