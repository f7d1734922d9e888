// SPDX-License-Identifier: BSD-2-Clause
/* Memory, maps, auxiliary vector, program path. */
#include "drive.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096 };

static uint8_t content(uint64_t i)
{
	return (uint8_t)(i * 7 + i / 251);
}

/* An actor that runs and has mapped its pages (actor.c): "RW, hole, R, RWX". */
static uint64_t begin(struct actor *a, const char *name)
{
	struct stasis_session *s = sts_session();

	sts_want(s, 0, BIT(BREAKPOINT) | BIT(STEP) | BIT(EXEC));
	actor_launch(a, s, name);
	return actor_do(a, "map");
}

static void finish(struct actor *a)
{
	actor_end(a);
	stasis_session_destroy(a->s);
}

/* What the tracee has there, told by the kernel and not by the library. */
static void truth(const struct actor *a, uint64_t addr, void *buf, size_t len)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)a->pid);
	fd = (int)STS_SYS(open(path, O_RDONLY | O_CLOEXEC));
	ATF_REQUIRE_EQ(pread(fd, buf, len, (off_t)addr), (ssize_t)len);
	close(fd);
}

static void check_content(const uint8_t *buf, uint64_t from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ATF_REQUIRE_EQ_MSG(buf[i], content(from + i), "byte %llu is wrong", (unsigned long long)(from + i));
}

static void reads(const char *program)
{
	static const size_t lengths[] = {0,  1,	 2,  3,	 4,  5,	  7,   8,    9,	   15,
					 16, 17, 63, 64, 65, 255, 256, 1000, PAGE, PAGE + 1};
	static const size_t offsets[] = {0, 1, 2, 3, 5, 7, 8, 100, PAGE - 8, PAGE - 1};
	uint8_t buf[2 * PAGE + 2];
	struct actor a;
	uint64_t base;
	size_t done;

	base = begin(&a, program) + 2 * PAGE; /* two pages: read-only, and executable */
	actor_interrupt(&a);
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		for (size_t o = 0; o < sizeof(offsets) / sizeof(offsets[0]); o++) {
			size_t len = lengths[l], from = offsets[o];

			if (from + len > 2 * PAGE)
				len = 2 * PAGE - from;
			memset(buf, 0xcd, sizeof(buf));
			done = 12345;
			STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, base + from, buf + 1, len, &done));
			ATF_REQUIRE_EQ(done, len);
			check_content(buf + 1, 2 * PAGE + from, len);
			ATF_REQUIRE(buf[0] == 0xcd && buf[1 + len] == 0xcd);
			STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, base + from, buf + 1, len, NULL));
		}
	}
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(read_any, 20, "any length is read at any alignment, across pages of different protection")
{
	reads("actor");
}

STS_TC_BOTH(read_any_i386, 20, "the same of an i386 tracee")
{
	reads("actor-32");
}

STS_TC_BOTH(failed_write, 20, "a write that fails leaves the bytes under breakpoints as they were")
{
	uint8_t buf[128], seen[1];
	struct actor a;

	uint64_t at = begin(&a, "actor") + 2 * PAGE; /* behind the hole */
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, at));
	memset(buf, ~content(2 * PAGE), sizeof(buf));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_write(a.s, a.pid, at - 64, buf, sizeof(buf), NULL));
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, at, seen, 1, NULL));
	check_content(seen, 2 * PAGE, 1);
	STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, at));
	truth(&a, at, seen, 1);
	check_content(seen, 2 * PAGE, 1);
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(edges, 20, "a transfer is short exactly where memory ends; with nothing there it is an error")
{
	uint8_t buf[4 * PAGE];
	struct actor a;
	uint64_t base;
	size_t done;

	base = begin(&a, "actor");
	actor_interrupt(&a);
	for (size_t before = 1; before <= 64; before++) {
		memset(buf, 0xcd, 200);
		STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, base + PAGE - before, buf, 128, &done));
		ATF_REQUIRE_EQ(done, before);
		check_content(buf, PAGE - before, before);
		STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, base + PAGE - before, buf, 128, NULL));
		STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, base + PAGE - before, buf, 128, &done));
		ATF_REQUIRE_EQ(done, before);
	}
	done = 77;
	memset(buf, 0xcd, sizeof(buf));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, base + PAGE, buf, 16, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, base + PAGE, buf, 2 * PAGE, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_write(a.s, a.pid, base + PAGE, buf, 16, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, 0, buf, 16, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, UINT64_MAX - 7, buf, 8, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, UINT64_MAX - 7, buf, 64, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read(a.s, a.pid, UINT64_C(0xffff888000000000), buf, 64, &done));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_write(a.s, a.pid, UINT64_C(0xffff888000000000), buf, 64, &done));
	ATF_REQUIRE_EQ_MSG(done, 77, "a call that failed has changed what it writes through its pointer");
	ATF_REQUIRE_EQ(buf[0], 0xcd);
	/* Two pages, the hole, two pages: short at the hole. */
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, base, buf, 4 * PAGE, &done));
	ATF_REQUIRE_EQ(done, PAGE);
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(write_any, 20, "any length is written at any alignment, to read-only and executable pages too")
{
	static const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64, 100, PAGE};
	uint8_t want[2 * PAGE], got[2 * PAGE];
	struct actor a;
	uint64_t base;
	size_t done;

	base = begin(&a, "actor") + 2 * PAGE;
	actor_interrupt(&a);
	truth(&a, base, want, sizeof(want));
	for (size_t l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
		for (size_t from = PAGE - 20; from < PAGE + 3; from++) {
			for (size_t i = 0; i < lengths[l] && from + i < sizeof(want); i++)
				want[from + i] = (uint8_t)(from * 3 + l * 17 + i);
			size_t len = from + lengths[l] > sizeof(want) ? sizeof(want) - from : lengths[l];
			STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, base + from, want + from, len, &done));
			ATF_REQUIRE_EQ(done, len);
		}
		truth(&a, base, got, sizeof(got));
		ATF_REQUIRE_EQ(memcmp(got, want, sizeof(want)), 0);
	}
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(text, 20, "a program's text can be written: this copy of it alone changes")
{
	struct actor a, b;
	uint8_t ret = 0xc3, was, other;

	begin(&a, "actor");
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION), &was, 1, NULL));
	ATF_REQUIRE(was != ret);
	STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, actor_counter(&a, ACTOR_FUNCTION), &ret, 1, NULL));
	sts_resume(a.s, a.pid);
	actor_do(&a, "call 3");
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 0); /* it returns at once */
	actor_launch(&b, a.s, "actor");
	actor_interrupt(&b);
	STS_OK_S(a.s, stasis_memory_read(a.s, b.pid, actor_counter(&b, ACTOR_FUNCTION), &other, 1, NULL));
	ATF_REQUIRE_EQ(other, was);
	sts_resume(a.s, b.pid);
	actor_end(&b);
	finish(&a);
}

STS_TC_BOTH(running, 20, "a running tracee can be read and written")
{
	uint64_t value = 0, base;
	struct actor a;

	base = begin(&a, "actor");
	actor_do(&a, "threads 2");
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, base, &value, sizeof(value), NULL));
	check_content((const uint8_t *)&value, 0, 8);
	value = 0x1111111111111111;
	STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, base + 3, &value, sizeof(value), NULL));
	value = 0;
	truth(&a, base + 3, &value, sizeof(value));
	ATF_REQUIRE_EQ(value, 0x1111111111111111);
	actor_do(&a, "join");
	finish(&a);
}

/* ---- breakpoints do not show ---- */

STS_TC_BOTH(breakpoints_invisible, 20,
	    "reads show the program's own bytes where breakpoints stand, writes change those")
{
	uint8_t own[16], seen[16], raw[16], part[3];
	struct stasis_event ev;
	struct actor a;
	uint64_t f;

	begin(&a, "actor");
	f = actor_counter(&a, ACTOR_FUNCTION);
	truth(&a, f - 4, own, sizeof(own));
	actor_interrupt(&a);
	for (unsigned i = 0; i < 5; i++)
		STS_OK_S(a.s, stasis_breakpoint_insert(a.s, a.pid, f + i));
	truth(&a, f - 4, raw, sizeof(raw));
	for (unsigned i = 0; i < 5; i++)
		ATF_REQUIRE_EQ(raw[4 + i], 0xcc);
	for (unsigned from = 0; from < 10; from++) {
		STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, f - 4 + from, part, sizeof(part), NULL));
		ATF_REQUIRE_EQ_MSG(memcmp(part, own + from, 3), 0, "3 bytes at %u show a breakpoint", from);
	}
	/* Writing the same bytes leaves the breakpoints where they are. */
	STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, f - 4, own, sizeof(own), NULL));
	truth(&a, f - 4, seen, sizeof(seen));
	ATF_REQUIRE_EQ(memcmp(seen, raw, sizeof(raw)), 0);
	/* Others are there when the breakpoint is gone. */
	part[0] = 0xc3;
	STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, f, part, 1, NULL));
	STS_OK_S(a.s, stasis_memory_read(a.s, a.pid, f, seen, 1, NULL));
	ATF_REQUIRE_EQ(seen[0], 0xc3);
	sts_resume(a.s, a.pid);
	actor_tell(&a, "call 1");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_BREAKPOINT, &ev);
	ATF_REQUIRE_EQ(ev.data.trap.address, f);
	for (unsigned i = 0; i < 5; i++)
		STS_OK_S(a.s, stasis_breakpoint_remove(a.s, a.pid, f + i));
	own[4] = 0xc3;
	truth(&a, f - 4, seen, sizeof(seen));
	ATF_REQUIRE_EQ(memcmp(seen, own, sizeof(own)), 0);
	sts_resume(a.s, a.pid);
	actor_done(&a);
	ATF_REQUIRE_EQ(actor_counter(&a, ACTOR_CALLS), 0);
	finish(&a);
}

/* ---- strings ---- */

STS_TC_BOTH(strings, 20, "strings are read whole, up to the last byte before a hole, and never without an end")
{
	char text[300], buf[400];
	struct actor a;
	uint64_t base;
	size_t len;

	base = begin(&a, "actor");
	actor_interrupt(&a);
	for (size_t n = 0; n < sizeof(text) - 1; n += 13) {
		memset(text, 'a' + (int)(n % 26), n);
		text[n] = '\0';
		STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, base + PAGE - n - 1, text, n + 1, NULL));
		memset(buf, 'X', sizeof(buf));
		len = 9999;
		STS_OK_S(a.s, stasis_memory_read_string(a.s, a.pid, base + PAGE - n - 1, buf, sizeof(buf), &len));
		ATF_REQUIRE_EQ(len, n);
		ATF_REQUIRE_EQ(strcmp(buf, text), 0);
		/* It fits exactly, and it just does not. */
		STS_OK_S(a.s, stasis_memory_read_string(a.s, a.pid, base + PAGE - n - 1, buf, n + 1, &len));
		if (n == 0)
			continue;
		memset(buf, 'X', sizeof(buf));
		STS_FAILS(-ENAMETOOLONG, stasis_memory_read_string(a.s, a.pid, base + PAGE - n - 1, buf, n, &len));
		ATF_REQUIRE_EQ(buf[n - 1], '\0');
		ATF_REQUIRE_EQ(memcmp(buf, text, n - 1), 0);
		ATF_REQUIRE_EQ(buf[n], 'X');
	}
	/* No end before the hole. */
	memset(text, 'z', sizeof(text));
	STS_OK_S(a.s, stasis_memory_write(a.s, a.pid, base + PAGE - 100, text, 100, NULL));
	STS_FAILS(STASIS_E_BAD_ADDRESS,
		  stasis_memory_read_string(a.s, a.pid, base + PAGE - 100, buf, sizeof(buf), &len));
	STS_FAILS(STASIS_E_BAD_ADDRESS, stasis_memory_read_string(a.s, a.pid, 0, buf, sizeof(buf), &len));
	sts_resume(a.s, a.pid);
	finish(&a);
}

/* ---- maps, auxv, program ---- */

struct compare {
	FILE *maps;
	unsigned n;
	uint64_t last;
};

static int compare_map(void *arg, const struct stasis_map *m)
{
	struct compare *c = arg;
	unsigned long long start, end, offset, inode;
	unsigned major, minor;
	char line[4352], perms[5], path[4096] = "";

	ATF_REQUIRE(fgets(line, sizeof(line), c->maps) != NULL);
	ATF_REQUIRE(sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %4095[^\n]", &start, &end, perms, &offset, &major,
			   &minor, &inode, path) >= 7);
	ATF_REQUIRE_EQ(m->start, start);
	ATF_REQUIRE_EQ(m->end, end);
	ATF_REQUIRE_EQ(m->offset, offset);
	ATF_REQUIRE_EQ(m->inode, inode);
	ATF_REQUIRE_EQ(m->device_major, major);
	ATF_REQUIRE_EQ(m->device_minor, minor);
	ATF_REQUIRE_EQ(m->readable, perms[0] == 'r');
	ATF_REQUIRE_EQ(m->writable, perms[1] == 'w');
	ATF_REQUIRE_EQ(m->executable, perms[2] == 'x');
	ATF_REQUIRE_EQ(m->shared, perms[3] == 's');
	ATF_REQUIRE_EQ_MSG(strcmp(m->path, path), 0, "\"%s\" is not \"%s\"", m->path, path);
	ATF_REQUIRE(m->start >= c->last);
	c->last = m->end;
	c->n++;
	return 0;
}

static int stop_at_third(void *arg, const struct stasis_map *m)
{
	return ++*(int *)arg == 3 ? 33 : 0;
}

STS_TC_BOTH(maps, 20, "the maps are those of /proc, in order; the callback can stop")
{
	struct compare c = {0};
	struct actor a;
	char path[64];
	int n = 0;

	begin(&a, "actor");
	actor_interrupt(&a);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)a.pid);
	c.maps = fopen(path, "re");
	ATF_REQUIRE(c.maps != NULL);
	STS_OK_S(a.s, stasis_maps_each(a.s, a.pid, compare_map, &c));
	ATF_REQUIRE(c.n > 10);
	ATF_REQUIRE(fgetc(c.maps) == EOF);
	fclose(c.maps);
	ATF_REQUIRE_EQ(stasis_maps_each(a.s, a.pid, stop_at_third, &n), 33);
	ATF_REQUIRE_EQ(n, 3);
	sts_resume(a.s, a.pid);
	finish(&a);
}

/* The value of an entry, from pairs of words of this size. */
static uint64_t auxv_find(const uint8_t *buf, size_t len, size_t word, uint64_t type)
{
	for (size_t at = 0; at + 2 * word <= len; at += 2 * word) {
		uint64_t t = 0, v = 0;

		memcpy(&t, buf + at, word);
		memcpy(&v, buf + at + word, word);
		if (t == type)
			return v;
	}
	atf_tc_fail("the auxiliary vector has no entry %llu", (unsigned long long)type);
}

static void auxv_of(const char *program, size_t word)
{
	uint8_t buf[4096], small[8];
	struct actor a;
	size_t len = 0, len2 = 0;

	begin(&a, program);
	actor_interrupt(&a);
	STS_OK_S(a.s, stasis_auxv_read(a.s, a.pid, buf, sizeof(buf), &len));
	ATF_REQUIRE(len > 10 * word && len < sizeof(buf) && len % (2 * word) == 0);
	ATF_REQUIRE_EQ(auxv_find(buf, len, word, AT_PAGESZ), PAGE);
	ATF_REQUIRE_EQ(auxv_find(buf, len, word, AT_UID), getuid());
	STS_OK_S(a.s, stasis_auxv_read(a.s, a.pid, small, sizeof(small), &len2));
	ATF_REQUIRE_EQ(len2, len);
	ATF_REQUIRE_EQ(memcmp(small, buf, sizeof(small)), 0);
	sts_resume(a.s, a.pid);
	finish(&a);
}

STS_TC_BOTH(auxv, 20, "the auxiliary vector is the kernel's, whole or cut with its true length")
{
	auxv_of("actor", 8);
}

STS_TC_BOTH(auxv_i386, 20, "that of an i386 tracee is made of its own words")
{
	auxv_of("actor-32", 4);
}

STS_TC_BOTH(program_path, 20, "the program's path is told, before and after exec; a buffer too small is an error")
{
	char buf[4096], real[4096];
	struct actor a;

	begin(&a, "actor");
	STS_OK_S(a.s, stasis_exe_path(a.s, a.pid, buf, sizeof(buf)));
	ATF_REQUIRE(realpath(sts_target_path("actor"), real) != NULL);
	ATF_REQUIRE_EQ(strcmp(buf, real), 0);
	STS_FAILS(-ENAMETOOLONG, stasis_exe_path(a.s, a.pid, buf, strlen(real)));
	STS_OK_S(a.s, stasis_exe_path(a.s, a.pid, buf, strlen(real) + 1));
	ATF_REQUIRE(realpath(sts_target_path("actor-32"), real) != NULL);
	actor_tell(&a, "exec actor-32");
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_EXEC, NULL);
	STS_OK_S(a.s, stasis_exe_path(a.s, a.pid, buf, sizeof(buf)));
	ATF_REQUIRE_EQ(strcmp(buf, real), 0);
	sts_resume(a.s, a.pid);
	actor_ready(&a);
	finish(&a);
}

STS_TC_BOTH(errors, 20, "of a process that is not traced, and of one that is dead, nothing is told")
{
	char buf[64];
	struct actor a;
	size_t n;

	begin(&a, "actor");
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_memory_read(a.s, getpid(), (uintptr_t)buf, buf, 1, &n));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_memory_write(a.s, getpid(), (uintptr_t)buf, buf, 1, &n));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_exe_path(a.s, getpid(), buf, sizeof(buf)));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_auxv_read(a.s, getpid(), buf, sizeof(buf), &n));
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_maps_each(a.s, getpid(), stop_at_third, buf));
	STS_OK_S(a.s, stasis_kill(a.s, a.pid));
	STS_FAILS(STASIS_E_GONE, stasis_memory_read(a.s, a.pid, 0x1000, buf, 1, &n));
	STS_FAILS(STASIS_E_GONE, stasis_exe_path(a.s, a.pid, buf, sizeof(buf)));
	sts_expect_event_of(a.s, a.pid, STASIS_EVENT_KILLED, NULL);
	STS_FAILS(STASIS_E_NOT_TRACED, stasis_memory_read(a.s, a.pid, 0x1000, buf, 1, &n));
	actor_gone(&a);
	stasis_session_destroy(a.s);
}
