// SPDX-License-Identifier: BSD-2-Clause
/* Cores of live tracees, as other programs see them and byte by byte. */
#include "core_scene.h"

#include <cpuid.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

static const unsigned tid_counters[] = {CORE_TID_MAIN, CORE_TID_ALPHA, CORE_TID_BETA, CORE_TID_GAMMA};
static const char *const functions[] = {"core_main_waits", "core_alpha", "core_beta", "core_gamma"};

/* ---- through gdb ---- */

static bool is_noise(const char *text)
{
	static const char *const noise[] = {"warning: Unexpected size of section", "warning: Section `.reg-xstate/"};

	return strncmp(text, noise[0], strlen(noise[0])) == 0 || strncmp(text, noise[1], strlen(noise[1])) == 0;
}

/*
 * gdb 13 complains of AMX state, and of AMD's layout, in the kernel's cores too,
 * in the middle of what it prints. Empty lines go as well.
 */
static void drop_noise(char *text)
{
	char *to = text;

	while (*text != '\0') {
		if (is_noise(text)) {
			text += strcspn(text, "\n");
			text += *text != '\0';
		} else if (text[0] == '\n' && text[1] == '\n') {
			text++;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

static char *gdb(const char *target, const char *core, const char *commands)
{
	char *text = core_run(0, "gdb -nx -batch -iex 'set debuginfod enabled off' -ex 'set width 0' %s '%s' '%s' 2>&1",
			      commands, sts_target_path(target), core);

	drop_noise(text);
	return text;
}

/* The part of an answer to `thread apply all` that is about one LWP, without its first line; to be freed. */
static char *block_of(const char *text, pid_t tid)
{
	char mark[32];
	const char *at, *end;

	snprintf(mark, sizeof(mark), "(LWP %d)):", (int)tid);
	at = strstr(text, mark);
	if (at == NULL) /* without a thread library */
		snprintf(mark, sizeof(mark), "(LWP %d):", (int)tid), at = strstr(text, mark);
	if (at == NULL)
		atf_tc_fail("no thread %d", (int)tid);
	at += strlen(mark);
	end = strstr(at, "\nThread ");
	return end != NULL ? strndup(at, end - at) : strdup(at);
}

static void check_backtraces(const char *target, const char *core)
{
	char *text = gdb(target, core, "-ex 'thread apply all bt'");

	for (unsigned i = 0; i < 4; i++) {
		char *block = block_of(text, (pid_t)core_scene_counter(tid_counters[i]));

		for (unsigned j = 0; j < 4; j++)
			if ((strstr(block, functions[j]) != NULL) != (i == j))
				atf_tc_fail("thread of %s %s %s", functions[i], i == j ? "lacks" : "shows",
					    functions[j]);
		free(block);
	}
	free(text);
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void check_thread_list(const char *target, const char *core, pid_t first)
{
	char *text = gdb(target, core, "-ex 'info threads'"), *list = strstr(text, "  Id "), mark[32], *line;

	ATF_REQUIRE(list != NULL);
	ATF_REQUIRE_EQ(count(list, "(LWP "), 4);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(mark, sizeof(mark), "(LWP %d)", (int)core_scene_counter(tid_counters[i]));
		ATF_REQUIRE_EQ_MSG(count(list, mark), 1, "%s", mark);
	}
	snprintf(mark, sizeof(mark), "(LWP %d)", (int)first);
	line = strstr(list, "\n* 1 ");
	ATF_REQUIRE(line != NULL);
	line[1 + strcspn(line + 1, "\n")] = '\0';
	ATF_REQUIRE_MSG(strstr(line, mark) != NULL, "first is not %s: %s", mark, line);
	free(text);
}

static void gdb_case(const char *target)
{
	struct core_scene scene;
	pid_t gamma;

	core_scene_begin(&scene, target, NULL);
	gamma = (pid_t)core_scene_counter(CORE_TID_GAMMA);
	core_scene_write(&scene, 0, "core.any");
	core_scene_write(&scene, gamma, "core.gamma");
	check_backtraces(target, "core.any");
	check_backtraces(target, "core.gamma");
	check_thread_list(target, "core.any", scene.pid);
	check_thread_list(target, "core.gamma", gamma);
	core_scene_end(&scene);
}

STS_TC_BOTH(gdb_shows_threads, 60, "gdb finds every thread in its function, the one asked for first",
	    .require_progs = "gdb")
{
	gdb_case("core");
}

STS_TC(gdb_shows_threads_i386, 60, "the same of an i386 process", .require_progs = "gdb")
{
	gdb_case("core-32");
}

/* ---- beside gdb's own core ---- */

static void compare_threads(const char *target, const char *what)
{
	char command[256], *ours, *theirs;

	snprintf(command, sizeof(command), "-ex 'thread apply all %s'", what);
	ours = gdb(target, "core.ours", command);
	theirs = gdb(target, "core.gdb", command);
	for (unsigned i = 0; i < 4; i++) {
		pid_t tid = (pid_t)core_scene_counter(tid_counters[i]);
		char *a = block_of(ours, tid), *b = block_of(theirs, tid);

		ATF_REQUIRE(strlen(a) > 40);
		if (strcmp(a, b) != 0)
			atf_tc_fail("%s of %s differs", what, functions[i]);
		free(a);
		free(b);
	}
	free(ours);
	free(theirs);
}

static void compare_answers(const char *target, const char *command, const char *mark)
{
	char line[128], *ours, *theirs, *a, *b;

	snprintf(line, sizeof(line), "-ex 'echo MARK\\n' -ex '%s'", command);
	ours = gdb(target, "core.ours", line);
	theirs = gdb(target, "core.gdb", line);
	a = strstr(ours, "MARK\n");
	b = strstr(theirs, "MARK\n");
	ATF_REQUIRE_MSG(a != NULL && b != NULL && strstr(a, mark) != NULL, "%s: no %s", command, mark);
	ATF_REQUIRE_MSG(strcmp(a, b) == 0, "%s differs", command);
	free(ours);
	free(theirs);
}

/*
 * All that both hold is alike, and what gdb has we have. Not so zeros, and
 * pages of files: gdb takes a whole mapping for the sake of its ELF header.
 * Returns the bytes compared.
 */
static uint64_t compare_memory(const struct core_file *ours, const struct core_file *theirs)
{
	static const char zero[PAGE];
	uint64_t compared = 0;

	for (size_t i = 0; i < theirs->n_segments; i++) {
		const Elf64_Phdr *s = &theirs->segments[i];

		for (uint64_t at = 0; s->p_type == PT_LOAD && at + PAGE <= s->p_filesz; at += PAGE) {
			const char *b = theirs->data + s->p_offset + at, *a = core_at(ours, s->p_vaddr + at, PAGE);

			if (a == NULL && core_is_file(ours, s->p_vaddr + at))
				continue;
			if (memcmp(a != NULL ? a : zero, b, PAGE) != 0)
				atf_tc_fail("page %#" PRIx64 " %s", s->p_vaddr + at,
					    a != NULL ? "differs" : "is missing");
			compared += a != NULL ? PAGE : 0;
		}
	}
	return compared;
}

/*
 * gdb 13 takes every CPU's XSAVE area for one of Intel's: of a core with AMD's,
 * which is smaller, it shows no FP or vector register at all.
 */
static bool gdb_knows_layout(void)
{
	enum { LEAF_XSAVE = 0xd, OPMASK = 5, INTELS_OFFSET = 1088 };
	unsigned eax, offset, ecx, edx;

	return !__get_cpuid_count(LEAF_XSAVE, OPMASK, &eax, &offset, &ecx, &edx) || eax == 0 || offset == INTELS_OFFSET;
}

static void compare_registers(const char *target)
{
	static const char wide[] = "info registers rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip "
				   "eflags cs ss ds es fs gs fs_base gs_base orig_rax";
	static const char narrow[] =
		"info registers eax ebx ecx edx esi edi ebp esp eip eflags cs ss ds es fs gs orig_eax";

	if (gdb_knows_layout()) {
		compare_threads(target, "info registers");
		compare_threads(target, "info all-registers");
	} else {
		compare_threads(target, strcmp(target, "core") == 0 ? wide : narrow);
	}
}

static void gcore_case(const char *target)
{
	struct stasis_session *s;
	struct core_file ours, theirs;
	struct sts_pipe p;
	int fd;
	pid_t pid;

	core_need_attach_of_others();
	core_stay_on_one_cpu();
	sts_shared();
	sts_pipe_open(&p);
	pid = sts_start(target);
	sts_pipe_await(&p, "ready");
	sts_await_state(pid, pid, "S");
	s = sts_session();
	sts_attach(s, pid);
	fd = (int)STS_SYS(open("core.ours", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	STS_OK_S(s, stasis_core_write(s, pid, 0, fd));
	close(fd);
	STS_OK_S(s, stasis_detach(s, pid, 0));
	stasis_session_destroy(s);
	sts_await_state(pid, pid, "S");
	free(core_run(0, "gdb -nx -batch -p %d -ex 'generate-core-file core.gdb' 2>&1", (int)pid));
	sts_pipe_send(&p, "go");
	sts_reap_exit(pid, 0);

	compare_threads(target, "bt");
	compare_registers(target);
	compare_answers(target, "info auxv", "AT_SYSINFO_EHDR");
	compare_answers(target, "x/200xb core_pattern", "<core_pattern+192>");
	core_open(&ours, "core.ours");
	core_open(&theirs, "core.gdb");
	ATF_REQUIRE(compare_memory(&ours, &theirs) > CORE_SPARSE_SIZE);
	core_close(&ours);
	core_close(&theirs);
	sts_pipe_close(&p);
}

STS_TC(same_as_gcore, 120, "threads, all registers, auxv and memory are as in gdb's core", .require_progs = "gdb")
{
	gcore_case("core");
}

STS_TC(same_as_gcore_i386, 120, "the same of an i386 process", .require_progs = "gdb")
{
	gcore_case("core-32");
}

/* ---- through elfutils ---- */

static void build_ids_case(const char *target)
{
	char *path = realpath(sts_target_path(target), NULL);
	struct core_scene scene;
	char *id, *list, *line;

	core_scene_begin(&scene, target, NULL);
	core_scene_write(&scene, 0, "core.file");
	core_scene_end(&scene);
	id = core_run(0, "eu-readelf -n '%s' | sed -n 's/.*Build ID: *//p'", path);
	id[strcspn(id, "\n")] = '\0';
	ATF_REQUIRE_EQ(strlen(id), 40);
	list = core_run(0, "eu-unstrip -n --core=core.file 2>&1");
	line = strstr(list, id);
	ATF_REQUIRE_MSG(line != NULL && strstr(line, path) != NULL, "%s is missing", id);
	ATF_REQUIRE(strstr(list, "libc.so.6") != NULL);
	ATF_REQUIRE(strstr(list, "linux-vdso.so.1") != NULL || strstr(list, "linux-gate.so.1") != NULL);
	/* "ADDRESS+SIZE ID@ADDRESS ...": nothing without its id. */
	for (line = list; *line != '\0'; line += strcspn(line, "\n") + 1)
		ATF_REQUIRE_EQ(strspn(strchr(line, ' ') + 1, "0123456789abcdef"), 40);
	free(path);
	free(id);
	free(list);
}

STS_TC(build_ids, 60, "elfutils finds the build id of every module in the core",
       .require_progs = "eu-unstrip eu-readelf")
{
	build_ids_case("core");
}

STS_TC(build_ids_i386, 60, "the same of an i386 process", .require_progs = "eu-unstrip eu-readelf")
{
	build_ids_case("core-32");
}

/* ---- what belongs into the file ---- */

enum { ANON = 1, ANON_SHARED = 2, FILE_PRIVATE = 4, FILE_SHARED = 8 };

static const struct place {
	const char *name;
	unsigned counter;
	unsigned offset;
	unsigned bits; /* of coredump_filter, any of which brings it into the core; 0: none does */
	size_t size;
	unsigned seed;
} places[] = {
	{"global data", CORE_PATTERN, 0, ANON, CORE_PATTERN_SIZE, 9},
	{"sparse memory", CORE_SPARSE, CORE_SPARSE_AT, ANON, PAGE, 1},
	{"inaccessible memory", CORE_NO_ACCESS, 0, ANON, 2 * PAGE, 2},
	{"reserved memory", CORE_RESERVED, 0, 0, PAGE, 0},
	{"MADV_DONTDUMP", CORE_DONT_DUMP, 0, 0, PAGE, 3},
	{"shared memory", CORE_SHARED, CORE_SHARED_AT, ANON_SHARED, PAGE, 4},
	{"shared memory that another process wrote", CORE_SHARED, CORE_SHARED_OTHER_AT, ANON_SHARED, PAGE, 5},
	{"private file, clean", CORE_FILE_CLEAN, PAGE, FILE_PRIVATE, PAGE, 31 + 1},
	{"private file, clean page", CORE_FILE_WRITTEN, 0, ANON | FILE_PRIVATE, PAGE, 31 + 1},
	{"private file, written", CORE_FILE_WRITTEN, PAGE, ANON | FILE_PRIVATE, PAGE, 6},
	{"shared file", CORE_FILE_SHARED, PAGE, FILE_SHARED, PAGE, 31 + 1},
	{"shared file that was cut", CORE_FILE_SHORT, 0, FILE_SHARED, PAGE, 31},
	{"shared file without a name", CORE_FILE_UNLINKED, PAGE, ANON_SHARED, PAGE, 31 + 1},
};

static void check_place(const struct core_file *core, unsigned filter, const struct place *place)
{
	uint64_t addr = core_scene_counter(place->counter) + place->offset;
	const char *at = core_at(core, addr, place->size);
	char *want = malloc(place->size);

	ATF_REQUIRE_MSG(core_segment(core, addr) != NULL, "filter %#x: no segment of %s", filter, place->name);
	ATF_REQUIRE_EQ_MSG(at != NULL, (place->bits & filter) != 0, "filter %#x: %s is %s", filter, place->name,
			   at != NULL ? "there" : "missing");
	core_pattern_fill(want, place->size, place->seed);
	if (at != NULL)
		ATF_REQUIRE_MSG(memcmp(at, want, place->size) == 0, "filter %#x: %s differs", filter, place->name);
	free(want);
}

static void check_comb(const struct core_file *core)
{
	uint64_t addr = core_scene_counter(CORE_COMB);
	char page[PAGE];
	unsigned gap = 1, next = 0;

	for (unsigned i = 0; i < CORE_COMB_PAGES; i++) {
		const char *at = core_at(core, addr + (uint64_t)i * PAGE, PAGE);

		memset(page, 0, sizeof(page));
		if (i == next) {
			core_pattern_fill(page, PAGE, i);
			next += gap++;
		}
		ATF_REQUIRE_MSG(at != NULL && memcmp(at, page, PAGE) == 0, "page %u of the comb", i);
	}
}

static uint64_t vdso_address(const struct core_file *core)
{
	const struct core_note *auxv = core_note(core, NT_AUXV, 0);
	size_t word = core->is_32bit ? 4 : 8;

	ATF_REQUIRE(auxv != NULL);
	for (size_t at = 0; at + 2 * word <= auxv->size; at += 2 * word) {
		uint64_t key = 0, value = 0;

		memcpy(&key, auxv->desc + at, word);
		memcpy(&value, auxv->desc + at + word, word);
		if (key == AT_SYSINFO_EHDR)
			return value;
	}
	atf_tc_fail("no vdso in the auxiliary vector");
}

/* The first page of the program file: whole with private files, alone with ELF headers. */
static void check_program(const struct core_file *core, unsigned filter)
{
	const struct core_note *files = core_note(core, NT_FILE, 0);
	const Elf64_Phdr *s;
	uint64_t start = 0;

	ATF_REQUIRE(files != NULL);
	memcpy(&start, files->desc + (core->is_32bit ? 8 : 16), core->is_32bit ? 4 : 8);
	s = core_segment(core, start);
	ATF_REQUIRE(s != NULL && s->p_vaddr == start);
	ATF_REQUIRE_EQ_MSG(s->p_filesz,
			   filter & FILE_PRIVATE ? s->p_memsz
			   : filter & 0x10	 ? PAGE
						 : 0,
			   "filter %#x", filter);
	if (s->p_filesz)
		ATF_REQUIRE(memcmp(core_at(core, start, SELFMAG), ELFMAG, SELFMAG) == 0);
}

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

static void filter_case(const char *target)
{
	static const unsigned filters[] = {0, 1, 2, 4, 8, 0x10, 0x33, 0x7f, 0x1ff};
	struct core_scene scene;
	struct core_file core;

	core_scene_begin(&scene, target, NULL);
	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		unsigned filter = filters[i];

		filter_set(scene.pid, filter);
		core_scene_write(&scene, 0, "core.file");
		core_open(&core, "core.file");
		for (size_t j = 0; j < sizeof(places) / sizeof(*places); j++)
			check_place(&core, filter, &places[j]);
		check_program(&core, filter);
		if (filter & ANON)
			check_comb(&core);
		ATF_REQUIRE_MSG(core_at(&core, vdso_address(&core), SELFMAG) != NULL, "filter %#x: no vdso", filter);
		core_close(&core);
	}
	core_scene_end(&scene);
}

STS_TC_BOTH(filter, 60, "coredump_filter and MADV_DONTDUMP say what is in the core, and that is right")
{
	filter_case("core");
}

STS_TC(filter_i386, 60, "the same of an i386 process")
{
	filter_case("core-32");
}

/* ---- sparse, and without a trace ---- */

/* Pages of its own that a process has, in kB; of shared memory, the blocks of its file. */
static uint64_t anonymous_kb(pid_t pid)
{
	char *text = core_run(0, "awk '/^Anonymous:/ { n += $2 } END { print n }' /proc/%d/smaps", (int)pid);
	uint64_t kb = strtoull(text, NULL, 10);

	free(text);
	return kb;
}

static uint64_t page_tables_kb(pid_t pid)
{
	char *text = core_run(0, "awk '/^VmPTE:/ { print $2 }' /proc/%d/status", (int)pid);
	uint64_t kb = strtoull(text, NULL, 10);

	free(text);
	return kb;
}

static uint64_t shared_blocks(pid_t pid)
{
	uint64_t addr = core_scene_counter(CORE_SHARED);
	char path[80];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, addr,
		 addr + CORE_SHARED_SIZE);
	STS_SYS(stat(path, &st));
	return st.st_blocks;
}

STS_TC(sparse, 30, "untouched memory takes no room in the file and none is made by the dump")
{
	struct core_scene scene;
	struct stat st;
	uint64_t pages, tables;

	core_scene_begin(&scene, "core", NULL);
	filter_set(scene.pid, ANON | 0x10); /* files and shared memory are mapped where they are read */
	pages = anonymous_kb(scene.pid);
	tables = page_tables_kb(scene.pid);
	core_scene_write(&scene, 0, "core.file");
	ATF_REQUIRE_EQ(pages, anonymous_kb(scene.pid));
	ATF_REQUIRE_MSG(page_tables_kb(scene.pid) < tables + 100, "page tables grew from %ju kB", (uintmax_t)tables);
	STS_SYS(stat("core.file", &st));
	ATF_REQUIRE_MSG(st.st_size > CORE_SPARSE_SIZE, "size %jd", (intmax_t)st.st_size);
	ATF_REQUIRE_MSG(st.st_blocks * 512 < 4 << 20, "%jd blocks", (intmax_t)st.st_blocks);
	core_scene_end(&scene);
}

STS_TC(shared_memory_stays_sparse, 30, "shared memory that nobody touched is not brought into being",
       .require_user = "root")
{
	struct core_scene scene;
	uint64_t before;

	core_scene_begin(&scene, "core", NULL);
	before = shared_blocks(scene.pid);
	core_scene_write(&scene, 0, "core.file");
	ATF_REQUIRE_EQ(before, shared_blocks(scene.pid));
	core_scene_end(&scene);
}

STS_TC(old_contents_go, 30, "nothing of what the file held before is left")
{
	struct core_scene scene;
	struct core_file core;
	struct stat st;
	char page[PAGE];
	int fd = (int)STS_SYS(open("core.file", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	off_t size;

	core_scene_begin(&scene, "core", NULL);
	STS_OK_S(scene.session, stasis_core_write(scene.session, scene.pid, 0, fd));
	STS_SYS(fstat(fd, &st));
	size = st.st_size;
	STS_SYS(ftruncate(fd, 0));
	memset(page, 'x', sizeof(page));
	for (off_t at = 0; at < (8 << 20); at += PAGE)
		STS_SYS(pwrite(fd, page, PAGE, at));
	STS_SYS(pwrite(fd, page, PAGE, 2 * size));
	STS_OK_S(scene.session, stasis_core_write(scene.session, scene.pid, 0, fd));
	STS_SYS(fstat(fd, &st));
	ATF_REQUIRE_EQ(size, st.st_size);
	core_open(&core, "core.file");
	check_comb(&core);
	core_close(&core);
	close(fd);
	core_scene_end(&scene);
}

STS_TC(breakpoints_do_not_show, 30, "a planted breakpoint is in memory and not in the core")
{
	struct core_scene scene;
	struct core_file core;
	uint64_t addr;
	uint8_t before, planted;
	char path[64];
	int fd;

	core_scene_begin(&scene, "core", NULL);
	addr = core_scene_counter(CORE_BETA);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)scene.pid);
	fd = (int)STS_SYS(open(path, O_RDONLY | O_CLOEXEC));
	STS_SYS(pread(fd, &before, 1, (off_t)addr));
	STS_OK_S(scene.session, stasis_breakpoint_insert(scene.session, scene.pid, addr));
	STS_SYS(pread(fd, &planted, 1, (off_t)addr));
	close(fd);
	ATF_REQUIRE_EQ(planted, 0xcc);
	ATF_REQUIRE(before != planted);
	filter_set(scene.pid, 0x7f);
	core_scene_write(&scene, 0, "core.file");
	core_open(&core, "core.file");
	ATF_REQUIRE(core_at(&core, addr, 1) != NULL);
	ATF_REQUIRE_EQ((uint8_t)*core_at(&core, addr, 1), before);
	core_close(&core);
	STS_OK_S(scene.session, stasis_breakpoint_remove(scene.session, scene.pid, addr));
	core_scene_end(&scene);
}
