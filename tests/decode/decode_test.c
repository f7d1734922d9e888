// SPDX-License-Identifier: BSD-2-Clause
/* The decoder by itself: layouts by ABI, what cannot be read, items, JSON. Text as such is compared with strace's. */
#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "decode/decode.h"

#define X64 STASIS_ABI_X86_64
#define I386 STASIS_ABI_I386
#define X32 STASIS_ABI_X32

enum { A = 0x10000, B = 0x20000, C = 0x30000, D = 0x40000 };

STS_TC(names, 10, "numbers and names by ABI, and numbers nobody knows")
{
	ATF_CHECK_STREQ("read", stasis_syscall_name(X64, 0));
	ATF_CHECK_STREQ("restart_syscall", stasis_syscall_name(I386, 0));
	ATF_CHECK_STREQ("rt_sigaction", stasis_syscall_name(X32, 512));
	ATF_CHECK_STREQ("syscall_0x200", stasis_syscall_name(X64, 512));
	ATF_CHECK_STREQ("syscall_0xffffffffffffffff", stasis_syscall_name(X64, UINT64_MAX));
	ATF_CHECK_EQ(469, stasis_syscall_number(X64, "file_setattr"));
	ATF_CHECK_EQ(469, stasis_syscall_number(I386, "file_setattr"));
	ATF_CHECK_EQ(192, stasis_syscall_number(I386, "mmap2"));
	ATF_CHECK_EQ(-ENOENT, stasis_syscall_number(X64, "mmap2"));
	ATF_CHECK_EQ(-ENOENT, stasis_syscall_number(X64, "no such call"));
	for (int abi = X64; abi <= X32; abi++)
		for (uint64_t n = 0; n < 600; n++) {
			const char *name = stasis_syscall_name(abi, n);

			if (strncmp(name, "syscall_", 8) != 0)
				ATF_CHECK_EQ((int64_t)n, stasis_syscall_number(abi, name));
		}
}

STS_TC(unknown, 10, "an unknown call shows its number and six arguments")
{
	struct stasis_event_syscall call = {
		.abi = X64, .number = 9999, .args = {1, 2, 3, UINT64_MAX, 5, 0}, .result = -38, .is_error = true};
	struct stasis_decode d = decoder();
	char text[200];

	ATF_CHECK(stasis_decode_text(&d, &call, text, sizeof text) > 0);
	ATF_CHECK_STREQ(
		"syscall_0x270f(0x1, 0x2, 0x3, 0xffffffffffffffff, 0x5, 0) = -1 ENOSYS (Function not implemented)",
		text);
}

STS_TC(layout_timespec, 10, "a timespec is as wide as the ABI's long")
{
	put_words(A, 8, UINT64_C(5), UINT64_C(7), END);
	put_words(B, 4, UINT64_C(5), UINT64_C(0xffffffff), END);
	SAYS("nanosleep({tv_sec=5, tv_nsec=7}, NULL) = 0", X64, "nanosleep", 0, A, 0, 0, 0, 0, 0);
	SAYS("nanosleep({tv_sec=5, tv_nsec=7}, NULL) = 0", X32, "nanosleep", 0, A, 0, 0, 0, 0, 0);
	SAYS("nanosleep({tv_sec=5, tv_nsec=-1}, NULL) = 0", I386, "nanosleep", 0, B, 0, 0, 0, 0, 0);
	SAYS("clock_gettime64(CLOCK_MONOTONIC, {tv_sec=5, tv_nsec=7}) = 0", I386, "clock_gettime64", 0, 1, A, 0, 0, 0,
	     0);
}

STS_TC(layout_vector, 10, "an iovec is two words, and what is read fills it as far as the result says")
{
	put_words(A, 8, (uint64_t)C, UINT64_C(3), (uint64_t)C, UINT64_C(5), END);
	put_words(B, 4, (uint64_t)C, UINT64_C(3), (uint64_t)C, UINT64_C(5), END);
	put_string(C, "abcdef");
	SAYS("writev(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"abcde\", iov_len=5}], 2) = 8", X64, "writev", 8, 1,
	     A, 2, 0, 0, 0);
	SAYS("readv(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"a\", iov_len=5}], 2) = 4", X32, "readv", 4, 1, B, 2,
	     0, 0, 0);
	SAYS("readv(1, [{iov_base=\"abc\", iov_len=3}, {iov_base=\"\", iov_len=5}], 2) = 3", I386, "readv", 3, 1, B, 2,
	     0, 0, 0);
	SAYS("readv(1, [{iov_base=0x30000, iov_len=3}, {iov_base=0x30000, iov_len=5}], 2) = -1 EINTR "
	     "(Interrupted system call)",
	     I386, "readv", -EINTR, 1, B, 2, 0, 0, 0);
}

STS_TC(layout_sigaction, 10, "a sigaction of each ABI")
{
	put_words(A, 8, UINT64_C(0x1234), UINT64_C(0x14000000), UINT64_C(0x5678), UINT64_C(1), END);
	put_words(B, 4, UINT64_C(1), UINT64_C(0x10000000), UINT64_C(0x5678), UINT64_C(0), UINT64_C(2), END);
	SAYS("rt_sigaction(SIGUSR1, {sa_handler=0x1234, sa_mask=[HUP], sa_flags=SA_RESTORER|SA_RESTART, "
	     "sa_restorer=0x5678}, "
	     "NULL, 8) = 0",
	     X64, "rt_sigaction", 0, 10, A, 0, 8, 0, 0);
	SAYS("rt_sigaction(SIGUSR1, {sa_handler=SIG_IGN, sa_mask=[RT_2], sa_flags=SA_RESTART}, NULL, 8) = 0", X32,
	     "rt_sigaction", 0, 10, B, 0, 8, 0, 0);
	SAYS("rt_sigaction(SIGUSR1, {sa_handler=SIG_IGN, sa_mask=[RT_2], sa_flags=SA_RESTART}, NULL, 8) = 0", I386,
	     "rt_sigaction", 0, 10, B, 0, 8, 0, 0);
}

STS_TC(split, 10, "64-bit arguments are two of i386's")
{
	SAYS("ftruncate64(3, 4294967298) = 0", I386, "ftruncate64", 0, 3, 2, 1, 0, 0, 0);
	SAYS("fallocate(3, FALLOC_FL_KEEP_SIZE, 1, 8589934592) = 0", I386, "fallocate", 0, 3, 1, 1, 0, 0, 2);
	SAYS("fallocate(3, FALLOC_FL_KEEP_SIZE, 1, 2) = 0", X64, "fallocate", 0, 3, 1, 1, 2, 0, 0);
	SAYS("fanotify_mark(3, FAN_MARK_ADD, FAN_OPEN|FAN_ONDIR, AT_FDCWD, NULL) = 0", I386,
	     "fanotify_mark", 0, 3, 1, 0x40000020, 0, (uint32_t)AT_FDCWD, 0);
	SAYS("preadv2(3, NULL, 0, 4294967297, RWF_NOWAIT) = 0", I386, "preadv2", 0, 3, 0, 0, 1, 1, 8);
	SAYS("preadv2(3, NULL, 0, 4294967297, RWF_NOWAIT) = 0", X64, "preadv2", 0, 3, 0, 0, UINT64_C(0x100000001), 0,
	     8);
	SAYS("preadv2(3, NULL, 0, 4294967297, RWF_NOWAIT) = 0", X32, "preadv2", 0, 3, 0, 0, UINT64_C(0x100000001), 8,
	     0);
	put_words(A, 8, UINT64_C(5), END);
	SAYS("_llseek(3, 4294967298, [5], SEEK_SET) = 0", I386, "_llseek", 0, 3, 1, 2, A, 0, 0);
}

STS_TC(inside, 10, "calls inside socketcall and ipc")
{
	put_words(A, 4, UINT64_C(2), UINT64_C(1), UINT64_C(6), END);
	SAYS("socket(AF_INET, SOCK_STREAM, IPPROTO_TCP) = 3", I386, "socketcall", 3, 1, A, 0, 0, 0, 0);
	SAYS("socketcall(SYS_SOCKET, 0x666) = -1 EFAULT (Bad address)", I386, "socketcall", -EFAULT, 1, 0x666, 0, 0, 0,
	     0);
	SAYS("socketcall(0x63 /* SYS_??? */, 0x10000) = -1 EINVAL (Invalid argument)", I386, "socketcall", -EINVAL, 99,
	     A, 0, 0, 0, 0);
	SAYS("semget(IPC_PRIVATE, 3, IPC_CREAT|0600) = 7", I386, "ipc", 7, 2, 0, 3, 01600, 0, 0);
	put_words(B, 4, (uint64_t)C, UINT64_C(9), END);
	put_memory(C, "\t\0\0\0data", 8);
	SAYS("msgrcv(5, {mtype=9, mtext=\"data\"}, 100, 9, 0) = 4", I386, "ipc", 4, 12, 5, 100, 0, B, 0);
}

STS_TC(unreadable, 10, "what cannot be read is shown as an address, and a string that breaks off says so")
{
	SAYS("open(0x666, O_RDONLY) = -1 EFAULT (Bad address)", X64, "open", -EFAULT, 0x666, 0, 0, 0, 0, 0);
	SAYS("stat(NULL, 0x666) = 0", X64, "stat", 0, 0, 0x666, 0, 0, 0, 0);
	put_memory(A, "no end", 6);
	SAYS("chdir(\"no end\"...) = -1 EFAULT (Bad address)", X64, "chdir", -EFAULT, A, 0, 0, 0, 0, 0);
	put_words(B, 8, (uint64_t)A, (uint64_t)0x666, END);
	SAYS("execve(NULL, [\"no end\"..., 0x666, 0x20010 /* unreadable */], NULL) = -1 EFAULT (Bad address)", X64,
	     "execve", -EFAULT, 0, B, 0, 0, 0, 0);
}

STS_TC(flags, 10, "bits without a name are shown, and fields have one value")
{
	SAYS("openat(AT_FDCWD, NULL, O_WRONLY|O_CREAT|0x40000000, 0644) = 3", X64, "openat", 3, (uint32_t)AT_FDCWD, 0,
	     0x40000041, 0644, 0, 0);
	SAYS("mmap(NULL, 0, PROT_NONE, MAP_SHARED_VALIDATE|MAP_SYNC, -1, 0) = 0", X64, "mmap", 0, 0, 0, 0, 0x80003,
	     UINT64_MAX, 0);
	SAYS("mprotect(NULL, 0, 0x10 /* PROT_??? */) = 0", X64, "mprotect", 0, 0, 0, 0x10, 0, 0, 0);
	SAYS("ioctl(0, TCGETS, 0x666) = 0", X64, "ioctl", 0, 0, 0x5401, 0x666, 0, 0, 0);
	SAYS("ioctl(0, _IOC(_IOC_READ|_IOC_WRITE, 0xca, 0x77, 0x8), 0x666) = 0", X64, "ioctl", 0, 0, 0xc008ca77, 0x666,
	     0, 0, 0);
	SAYS("kill(1, 0) = 0", X64, "kill", 0, 1, 0, 0, 0, 0, 0);
	SAYS("kill(-1, SIGRT_32) = 0", X64, "kill", 0, UINT32_MAX, 64, 0, 0, 0, 0);
}

STS_TC(results, 10, "results that stand for errors the caller never sees")
{
	SAYS("pause() = ? ERESTARTNOHAND (To be restarted if no handler)", X64, "pause", -514, 0, 0, 0, 0, 0, 0);
	SAYS("pause() = -1 (errno 3000)", X64, "pause", -3000, 0, 0, 0, 0, 0, 0);
	SAYS("brk(NULL) = 0x55555000", X64, "brk", 0x55555000, 0, 0, 0, 0, 0, 0);
	SAYS("umask(027) = 022", X64, "umask", 022, 027, 0, 0, 0, 0, 0);
}

STS_TC(cut, 10, "text that does not fit is cut, ended, and said to be")
{
	struct stasis_event_syscall call = {.abi = X64, .number = 3, .args = {7}};
	struct stasis_decode d = decoder();
	char text[64];

	ATF_CHECK_EQ(strlen("close(7) = 0"), (size_t)stasis_decode_text(&d, &call, text, sizeof text));
	for (size_t size = 1; size <= strlen("close(7) = 0"); size++) {
		memset(text, 'x', sizeof text);
		ATF_CHECK_EQ(-ENOSPC, stasis_decode_text(&d, &call, text, size));
		ATF_CHECK_EQ(size - 1, strlen(text));
		ATF_CHECK_EQ('x', text[size]);
		ATF_CHECK_EQ(-ENOSPC, stasis_decode_json(&d, &call, text, size));
	}
	ATF_CHECK_EQ(-ENOSPC, stasis_decode_text(&d, &call, text, 0));
}

static int fd_text(void *arg, int fd, char *buf, size_t len)
{
	return fd == 3 || fd == AT_FDCWD ? snprintf(buf, len, fd == 3 ? "/file" : "/cwd") : -1;
}

STS_TC(options, 10, "descriptors' paths, verbose, raw and hexadecimal")
{
	struct stasis_event_syscall call = {.abi = X64, .number = 257, .args = {(uint32_t)AT_FDCWD, A}, .result = 3};
	struct stasis_decode d = decoder();
	char text[200];

	put_string(A, "a\001b");
	d.fd_text = fd_text;
	ATF_CHECK(stasis_decode_text(&d, &call, text, sizeof text) > 0);
	ATF_CHECK_STREQ("openat(AT_FDCWD</cwd>, \"a\\1b\", O_RDONLY) = 3</file>", text);
	d.flags = STASIS_DECODE_HEX_STRINGS;
	ATF_CHECK(stasis_decode_text(&d, &call, text, sizeof text) > 0);
	ATF_CHECK_STREQ("openat(AT_FDCWD</cwd>, \"\\x61\\x01\\x62\", O_RDONLY) = 3</file>", text);
	d = decoder();
	d.flags = STASIS_DECODE_RAW;
	ATF_CHECK(stasis_decode_text(&d, &call, text, sizeof text) > 0);
	ATF_CHECK_STREQ("openat(0xffffff9c, 0x10000, 0, 0) = 3", text);
	call = (struct stasis_event_syscall){.abi = X64, .number = 98, .args = {0, B}};
	d.flags = STASIS_DECODE_VERBOSE;
	put_words(B, 8, UINT64_C(1), UINT64_C(2), UINT64_C(3), UINT64_C(4), UINT64_C(5), UINT64_C(6), UINT64_C(7),
		  UINT64_C(8), UINT64_C(9), UINT64_C(10), UINT64_C(11), UINT64_C(12), UINT64_C(13), UINT64_C(14),
		  UINT64_C(15), UINT64_C(16), UINT64_C(17), UINT64_C(18), END);
	char full[600];
	ATF_CHECK(stasis_decode_text(&d, &call, full, sizeof full) > 0);
	ATF_CHECK_MATCH("ru_stime=.tv_sec=3, tv_usec=4., ru_maxrss=5, .*ru_nivcsw=18", full);
}

static const char *json_of(uint64_t number, int64_t result, uint64_t a, uint64_t b, uint64_t c)
{
	static char text[4096];
	struct stasis_event_syscall call = {
		.abi = X64, .number = number, .args = {a, b, c}, .result = result, .is_error = result < 0};
	struct stasis_decode d = decoder();

	ATF_REQUIRE(stasis_decode_json(&d, &call, text, sizeof text) > 0);
	return text;
}

STS_TC(json, 10, "JSON: numbers as numbers, bytes without loss")
{
	put_memory(A, "a\"\\\n\303\251", 6);
	ATF_CHECK_STREQ(
		"{\"call\":\"write\",\"number\":1,\"args\":{\"fd\":1,\"buf\":\"a\\\"\\\\\\u000a\303\251\",\"count\":6},"
		"\"result\":{\"value\":6,\"text\":\"6\"}}",
		json_of(1, 6, 1, A, 6));
	put_memory(A, "\377\0", 2);
	ATF_CHECK_STREQ("{\"call\":\"write\",\"number\":1,\"args\":{\"fd\":1,\"buf\":{\"hex\":\"ff00\"},\"count\":2},"
			"\"result\":{\"value\":-9,\"text\":\"-1 EBADF (Bad file descriptor)\"}}",
			json_of(1, -9, 1, A, 2));
	put_string(A, "0123456789012345678901234567890123456789");
	ATF_CHECK_MATCH("\"buf\":[{]\"string\":\"01234567890123456789012345678901\",\"more\":true[}],\"count\":40",
			json_of(1, 40, 1, A, 40));
	ATF_CHECK_STREQ("{\"call\":\"mlockall\",\"number\":151,\"args\":{\"flags\":{\"value\":3,\"text\":\"MCL_CURRENT|"
			"MCL_FUTURE\"}},\"result\":{\"value\":0,\"text\":\"0\"}}",
			json_of(151, 0, 3, 0, 0));
	/* What a double cannot hold is text as well. */
	ATF_CHECK_MATCH("\"offset\":[{]\"value\":9007199254740993,\"text\":\"9007199254740993\"[}]",
			json_of(8, 0, 3, UINT64_C(9007199254740993), 0));
	ATF_CHECK_MATCH("\"offset\":9007199254740992,", json_of(8, 0, 3, UINT64_C(9007199254740992), 0));
	ATF_CHECK_MATCH("\"dirfd\":[{]\"value\":-100,\"text\":\"AT_FDCWD\"[}]", json_of(257, 0, -100, A, 0));
	put_words(A, 8, UINT64_C(0x100000003), UINT64_C(0x200000004), END);
	ATF_CHECK_MATCH("\"fds\":.[{]\"fd\":3,\"events\":[{]\"value\":1,\"text\":\"POLLIN\".*\"fd\":4,",
			json_of(7, 0, A, 2, 0));
}

/* Entry and exit apart: what the kernel overwrites is shown as it was. */
STS_TC(halves, 10, "the second half takes up where the first ended")
{
	struct stasis_event_syscall call = {.abi = X64, .number = 43, .args = {3, A, B}, .result = 4};
	struct stasis_decode d = decoder();
	struct sts_text_buffers {
		char enter[200], leave[200], result[200];
	} t;
	struct sts_text enter, leave, result;

	put_words(B, 4, UINT64_C(128), END);
	sts_text_init(&enter, t.enter, sizeof t.enter);
	sts_text_init(&leave, t.leave, sizeof t.leave);
	sts_text_init(&result, t.result, sizeof t.result);
	sts_decode_enter(&d, &call, &enter);
	ATF_CHECK_STREQ("accept(3, ", t.enter);
	put_memory(A, "\001\000/a\000zzzzzzzzzzzzz", 18);
	put_words(B, 4, UINT64_C(5), END);
	sts_decode_leave(&d, &call, &leave, &result);
	ATF_CHECK_STREQ("{sa_family=AF_UNIX, sun_path=\"/a\"}, [128 => 5])", t.leave);
	ATF_CHECK_STREQ("4", t.result);
}

static struct stasis_decode_uring ring;

static int find_ring(void *arg, int fd, struct stasis_decode_uring *ret)
{
	*ret = ring;
	return fd == 3 ? 0 : -ENOENT;
}

static const char *enter_ring(int fd, uint64_t n)
{
	static char text[1024];
	struct stasis_event_syscall call = {.abi = X64, .number = 426, .args = {(uint64_t)fd, n, 0, 0, 0, 8}};
	struct stasis_decode d = decoder();
	struct sts_text out;

	d.uring = find_ring;
	sts_text_init(&out, text, sizeof text);
	sts_decode_enter(&d, &call, &out);
	return text;
}

STS_TC(uring, 10, "rings are found by setup and mmap; what cannot be seen is said")
{
	struct stasis_event_syscall setup = {.abi = X64, .number = 425, .args = {4, A}, .result = 3};
	struct stasis_event_syscall map = {.abi = X64, .number = 9, .args = {0, 64, 3, 1, 3, 0}, .result = B};
	struct stasis_decode d = decoder();
	uint32_t params[30] = {4, 8};
	int fd = -1;

	params[11] = 4;	 /* sq_off.tail */
	params[12] = 8;	 /* ring_mask */
	params[16] = 16; /* array */
	put_memory(A, params, sizeof params);
	ATF_CHECK_STREQ("io_uring_enter(4, 1 /* where the ring is mapped was not seen */, 0, 0, NULL, 8",
			enter_ring(4, 1));
	ATF_CHECK_EQ(1, stasis_decode_uring_track(&d, &setup, &ring, &fd));
	ATF_CHECK_EQ(3, fd);
	ATF_CHECK_EQ(1, stasis_decode_uring_track(&d, &map, &ring, &fd));
	map.args[5] = 0x10000000; /* IORING_OFF_SQES */
	map.result = C;
	ATF_CHECK_EQ(1, stasis_decode_uring_track(&d, &map, &ring, &fd));
	map.args[5] = 0x1000;
	ATF_CHECK_EQ(0, stasis_decode_uring_track(&d, &map, &ring, &fd));
	/* One entry waits: the second of the ring, which is the first of the array's. */
	put_words(B, 4, UINT64_C(5), UINT64_C(6), UINT64_C(3), UINT64_C(0), UINT64_C(9), UINT64_C(2), END);
	uint8_t entries[3 * 64] = {0};
	entries[2 * 64] = 22; /* IORING_OP_READ */
	entries[2 * 64 + 4] = 7;
	put_memory(C, entries, sizeof entries);
	ATF_CHECK_MATCH("enter.3, 1 /. submissions .[{]opcode=IORING_OP_READ, flags=0, ioprio=0, fd=7, .*[}]. ./, 0, 0",
			enter_ring(3, 1));
	ring.setup_flags = 2; /* IORING_SETUP_SQPOLL */
	ATF_CHECK_MATCH("the kernel polls this ring: what it takes cannot be seen", enter_ring(3, 0));
	ring.sq_ring = D;
	ring.setup_flags = 0;
	ATF_CHECK_MATCH("1 /. the ring cannot be read ./", enter_ring(3, 1));
}

STS_TC(siginfo, 10, "a siginfo of each ABI")
{
	put_words(A, 4, UINT64_C(17), UINT64_C(0), UINT64_C(1), UINT64_C(0), UINT64_C(55), UINT64_C(6), UINT64_C(7),
		  UINT64_C(0), UINT64_C(8), UINT64_C(0), UINT64_C(9), UINT64_C(0), UINT64_C(0), UINT64_C(0),
		  UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0),
		  UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0),
		  UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), END);
	SAYS("waitid(P_ALL, 0, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=55, si_uid=6, si_status=7, "
	     "si_utime=8 /* 0.08 s */, si_stime=9 /* 0.09 s */}, 0, NULL) = 0",
	     X64, "waitid", 0, 0, 0, A, 0, 0, 0);
	put_words(B, 4, UINT64_C(17), UINT64_C(0), UINT64_C(1), UINT64_C(55), UINT64_C(6), UINT64_C(7), UINT64_C(8),
		  UINT64_C(0), UINT64_C(9), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0),
		  UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0),
		  UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0),
		  UINT64_C(0), UINT64_C(0), UINT64_C(0), UINT64_C(0), END);
	SAYS("waitid(P_ALL, 0, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=55, si_uid=6, si_status=7, "
	     "si_utime=8 /* 0.08 s */, si_stime=0}, 0, NULL) = 0",
	     I386, "waitid", 0, 0, 0, B, 0, 0, 0);
	SAYS("waitid(P_ALL, 0, {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=55, si_uid=6, si_status=7, "
	     "si_utime=8 /* 0.08 s */, si_stime=9 /* 0.09 s */}, 0, NULL) = 0",
	     X32, "waitid", 0, 0, 0, B, 0, 0, 0);
}
