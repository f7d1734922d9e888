// SPDX-License-Identifier: BSD-2-Clause
/* System calls on files, one after the other, for the decoder's comparison with strace. Nothing depends on chance. */
#include "calls.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <linux/fs.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <termios.h>
#include <utime.h>

static void attributes(void)
{
	struct stat st;
	struct statfs fs;
	char buf[64];

	stat("/etc/passwd", &st);
	lstat("/etc/mtab", &st);
	stat("/dev/null", &st);
	stat("/does/not/exist", &st);
	fstat(1, &st);
	statfs("/proc", &fs);
	fstatfs(-1, &fs);
	syscall(SYS_statx, AT_FDCWD, "/etc/passwd", AT_SYMLINK_NOFOLLOW, 0x7ff, buf);
	syscall(SYS_faccessat2, AT_FDCWD, "/etc/passwd", R_OK | W_OK, AT_EACCESS);
	access("/etc/passwd", F_OK);
	access("/etc/passwd", R_OK | X_OK);
	access("/etc/passwd", 8 | R_OK);
	readlink("/proc/self/fd/nothing", buf, sizeof buf);
	readlink("/proc/mounts", buf, sizeof buf);
	syscall(SYS_readlinkat, 99, "x", buf, sizeof buf);
	syscall(SYS_getcwd, buf, sizeof buf);
	syscall(SYS_getcwd, buf, 1);
	syscall(SYS_ustat, makedev(1, 3), buf);
}

static void statx_whole(void)
{
	char buf[256];

	syscall(SYS_statx, AT_FDCWD, "/dev/null", 0, 0x17ff, buf);
	syscall(SYS_statx, -1, "", AT_EMPTY_PATH | 0x2000, 0xfff, buf);
	syscall(SYS_statx, -1, NULL, 0x4000, 0x80000000, buf);
}

static void names(void)
{
	mkdir("d", 0750);
	mkdir("d", 0);
	syscall(SYS_mkdirat, AT_FDCWD, "d/e", 0777);
	rename("d/e", "d/f");
	syscall(SYS_renameat2, AT_FDCWD, "d/f", AT_FDCWD, "d/g", 1 | 4);
	symlink("target \"quoted\" \001\n\377", "d/s");
	link("d/s", "d/l");
	syscall(SYS_linkat, AT_FDCWD, "d/s", AT_FDCWD, "d/m", AT_SYMLINK_FOLLOW);
	chmod("d", 01777);
	chmod("d", 04755);
	syscall(SYS_fchmodat, AT_FDCWD, "d/none", 0644);
	chown("d", -1, -1);
	lchown("d", 0, -1);
	syscall(SYS_fchownat, AT_FDCWD, "d/none", 1, 2, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
	mknod("d/p", S_IFIFO | 0644, 0);
	mknod("d/none/c", S_IFCHR | 0600, makedev(1, 3));
	mknod("d/none/c", S_IFREG | S_ISUID | 0600, makedev(1, 3));
	syscall(SYS_mknodat, AT_FDCWD, "d/none/b", S_IFBLK | 0600, 0x801);
	truncate("d/none", 12345678901);
	rmdir("d/f");
	unlink("d/s");
	unlink("d/l");
	unlink("d/m");
	syscall(SYS_unlinkat, AT_FDCWD, "d/p", 0);
	syscall(SYS_unlinkat, AT_FDCWD, "d", AT_REMOVEDIR);
	chdir("/does/not/exist");
	chroot("/does/not/exist");
	umask(027);
	umask(022);
}

static void opening(void)
{
	static const int flags[] = {O_RDONLY,
				    O_WRONLY | O_CREAT | O_TRUNC,
				    O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC,
				    O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
				    O_PATH,
				    O_RDWR | O_CREAT | O_EXCL | O_SYNC,
				    O_RDWR | O_DSYNC | O_DIRECT | O_NOATIME,
				    O_ACCMODE | 0x40000000};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		close(open("file", flags[i], 0640));
	close(openat(AT_FDCWD, "/tmp", O_TMPFILE | O_RDWR, 0600));
	uint64_t how[3] = {O_RDONLY | O_CLOEXEC, 0, 8 | 1};
	syscall(437, AT_FDCWD, "file", how, sizeof how);
	syscall(437, AT_FDCWD, "file", NULL, sizeof how);
	close(syscall(SYS_creat, "file", 0600));
	syscall(436, 1000, 1001, 2 | 4);
	syscall(436, 1000, -1, 0);
}

static void reading(void)
{
	static char text[100] = "a text longer than what is shown of it, with \"quotes\" and \t\033\200 bytes";
	char buf[100] = "", small[5];
	struct iovec iov[3] = {{text, 3}, {text + 10, 40}, {NULL, 0}}, in[2] = {{small, 5}, {buf, 90}};
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

	write(fd, text, sizeof text);
	write(fd, text, 5);
	write(fd, "\0001\0018\1", 5);
	write(fd, "", 0);
	write(fd, (void *)8, 5);
	write(-1, text, 32);
	write(-1, text, 33);
	lseek(fd, 0, SEEK_SET);
	lseek(fd, -5, SEEK_END);
	lseek(fd, 0, SEEK_DATA);
	lseek(fd, 1, 77);
	read(fd, buf, 7);
	read(fd, buf, 0);
	read(-1, buf, 7);
	pread(fd, buf, 10, 3);
	pwrite(fd, text, 4, 12345678901);
	ftruncate(fd, 64);
	lseek(fd, 0, SEEK_SET);
	readv(-1, in, 2);
	readv(fd, in, 2);
	readv(fd, in, 2);
	readv(fd, in, 2);
	writev(fd, iov, 3);
	writev(-1, NULL, 3);
	writev(-1, iov, 0);
	preadv(fd, in, 2, 5);
	pwritev(fd, iov, 1, 1);
	syscall(SYS_preadv2, fd, in, 2, 5, 0, 1 | 8);
	fsync(fd);
	fdatasync(fd);
	flock(fd, LOCK_EX | LOCK_NB);
	flock(fd, LOCK_UN);
	posix_fadvise(fd, 0, 10, POSIX_FADV_WILLNEED);
	fallocate(fd, 1 | 2, 0, 5);
	fallocate(fd, 0, 1, 12345678901);
	sync_file_range(fd, 0, 10, 1 | 2);
	readahead(fd, 0, 10);
	off_t off = 2;
	sendfile(-1, fd, &off, 10);
	sendfile(-1, fd, NULL, 10);
	close(fd);
	unlink("file");
}

static void controlling(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
	int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0600), n = 0;
	struct winsize size;
	struct termios term;

	fcntl(fd, F_GETFD);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_GETFD);
	fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	close(fcntl(fd, F_DUPFD, 100));
	close(fcntl(fd, F_DUPFD_CLOEXEC, 100));
	fcntl(fd, F_SETLK, &lock);
	fcntl(fd, F_GETLK, &lock);
	fcntl(fd, F_OFD_SETLK, &lock);
	fcntl(fd, F_GETOWN);
	fcntl(fd, F_SETSIG, SIGUSR1);
	fcntl(fd, F_GETSIG);
	fcntl(fd, F_GETLEASE);
	fcntl(fd, F_SETLEASE, F_UNLCK);
	fcntl(fd, F_GETPIPE_SZ);
	fcntl(fd, F_GET_SEALS);
	fcntl(fd, 9999, 5);
	ioctl(fd, FIONREAD, &n);
	ioctl(fd, FIONBIO, &n);
	ioctl(fd, TCGETS, &term);
	ioctl(fd, TIOCGWINSZ, &size);
	ioctl(fd, TIOCGPGRP, &n);
	ioctl(fd, _IOC(_IOC_READ, 0xfe, 0x21, 8), &n);
	ioctl(fd, _IO(0xfe, 0x22), 5);
	dup(fd);
	dup2(fd, 50);
	close(50);
	syscall(SYS_dup3, fd, 51, O_CLOEXEC);
	close(51);
	close(fd + 1);
	close(fd);
	close(-1);
	unlink("file");
}

static void terminals(void)
{
	int m = open("/dev/ptmx", O_RDWR | O_NOCTTY), n = 0;
	struct termios term = {.c_iflag = 0x7fff, .c_oflag = 0x5d05, .c_cflag = 0xbf, .c_lflag = ~0u & ~EXTPROC};
	struct winsize size = {1, 2, 3, 4};

	ioctl(-1, TCSETS, &term);
	ioctl(-1, TCSBRK, 1);
	ioctl(-1, TCXONC, TCOOFF);
	ioctl(m, TIOCSPTLCK, &n);
	ioctl(m, TIOCSWINSZ, &size);
	ioctl(m, TIOCGWINSZ, &size);
	ioctl(m, TCGETS, &term);
	ioctl(m, TCFLSH, TCIOFLUSH);
	ioctl(m, FIOCLEX);
	close(m);
}

static void listing(void)
{
	char buf[4096];
	int fd;

	mkdir("d", 0700);
	mkdir("d/a", 0700);
	fd = open("d", O_RDONLY | O_DIRECTORY);
	syscall(SYS_getdents64, fd, buf, sizeof buf);
	syscall(SYS_getdents64, fd, buf, sizeof buf);
	syscall(SYS_getdents, fd, buf, sizeof buf);
	syscall(SYS_getdents64, -1, buf, sizeof buf);
	fchdir(fd);
	chdir("..");
	close(fd);
	rmdir("d/a");
	rmdir("d");
}

static void marking(void)
{
	struct utimbuf when = {1000000000, 1100000000};
	struct timeval tv[2] = {{1000000000, 1}, {1, 2}};
	struct timespec ts[2] = {{0, UTIME_NOW}, {5, UTIME_OMIT}};
	char buf[20];

	syscall(SYS_utime, "d/none", &when);
	syscall(SYS_utime, "d/none", NULL);
	syscall(SYS_utimes, "d/none", tv);
	syscall(SYS_utimensat, AT_FDCWD, "d/none", ts, AT_SYMLINK_NOFOLLOW);
	syscall(SYS_utimensat, AT_FDCWD, "d/none", NULL, 0);
	setxattr("d/none", "user.name", "value\0x", 7, XATTR_CREATE);
	getxattr("d/none", "user.name", buf, sizeof buf);
	listxattr("d/none", buf, sizeof buf);
	removexattr("d/none", "user.name");
}

static void pipes(void)
{
	int p[2], q[2];
	char buf[10];

	syscall(SYS_pipe, p);
	syscall(SYS_pipe2, q, O_CLOEXEC | O_NONBLOCK);
	syscall(SYS_pipe2, q, 1);
	syscall(SYS_tee, p[0], q[1], 5, 2);
	syscall(SYS_splice, p[0], NULL, q[1], NULL, 5, 1 | 2);
	read(q[0], buf, sizeof buf);
	for (int i = 0; i < 2; i++) {
		close(p[i]);
		close(q[i]);
	}
}

static void waiting(void)
{
	int p[2];
	struct pollfd fds[3] = {{.events = POLLIN}, {.events = POLLOUT | POLLPRI}, {.fd = -1, .events = POLLIN}};
	struct timeval tv = {0, 1000};
	struct timespec ts = {0, 1000000};
	sigset_t none;
	fd_set in, out;

	if (pipe(p) < 0)
		_exit(STS_TARGET_BROKEN);
	fds[0].fd = p[0];
	fds[1].fd = p[1];
	sigemptyset(&none);
	syscall(SYS_poll, fds, 3, 10);
	syscall(SYS_poll, fds, 1, 0);
	syscall(SYS_poll, NULL, 0, 0);
	fds[0].events = -1;
	syscall(SYS_poll, fds, 1, 0);
	syscall(SYS_ppoll, fds, 1, &ts, &none, 8);
	syscall(SYS_ppoll, fds, 2, NULL, NULL, 8);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_SET(p[0], &in);
	FD_SET(p[1], &out);
	select(p[1] + 1, &in, &out, NULL, NULL);
	FD_SET(p[0], &in);
	select(p[0] + 1, &in, NULL, NULL, &tv);
	select(-1, &in, NULL, NULL, &tv);
	close(p[0]);
	close(p[1]);
}

static void watching(void)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET | EPOLLONESHOT, .data.u64 = 0x500000003}, got[4];
	struct itimerspec when = {{1, 2}, {3, 4}}, before;
	sigset_t set;
	int e, v, t, i;

	e = epoll_create1(EPOLL_CLOEXEC);
	v = eventfd(3, EFD_CLOEXEC | EFD_SEMAPHORE);
	epoll_ctl(e, EPOLL_CTL_ADD, v, &event);
	epoll_ctl(e, EPOLL_CTL_MOD, v, NULL);
	syscall(SYS_epoll_wait, e, got, 4, 0);
	syscall(SYS_epoll_wait, e, got, 4, 0);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	syscall(SYS_epoll_pwait, e, got, 4, 0, &set, 8);
	epoll_ctl(e, EPOLL_CTL_DEL, v, NULL);
	epoll_ctl(e, 17, v, NULL);
	event.events = ~(uint32_t)EPOLLEXCLUSIVE;
	epoll_ctl(-1, EPOLL_CTL_ADD, v, &event);
	t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	timerfd_settime(t, TFD_TIMER_ABSTIME, &when, NULL);
	timerfd_settime(-1, 0, &when, &before);
	i = inotify_init1(IN_CLOEXEC);
	inotify_add_watch(i, "/", IN_CREATE | IN_ONLYDIR);
	inotify_add_watch(i, "/none", IN_ALL_EVENTS);
	inotify_rm_watch(i, 1);
	close(signalfd(-1, &set, SFD_CLOEXEC));
	close(i);
	close(t);
	close(v);
	close(e);
}

static void file_flags(void)
{
	struct fsxattr attributes = {
		.fsx_xflags = FS_XFLAG_NODUMP | FS_XFLAG_SYNC, .fsx_extsize = 5, .fsx_projid = 0x77};
	int flags = FS_IMMUTABLE_FL | FS_NODUMP_FL | FS_NOCOW_FL, fd = open(".", O_RDONLY | O_DIRECTORY);

	ioctl(-1, FS_IOC_SETFLAGS, &flags);
	ioctl(fd, FS_IOC_GETFLAGS, &flags);
	ioctl(-1, FS_IOC_FSSETXATTR, &attributes);
	ioctl(fd, FS_IOC_FSGETXATTR, &attributes);
	ioctl(-1, FS_IOC_FSGETXATTR, NULL);
	close(fd);
}

void calls_files(void)
{
	file_flags();
	attributes();
	statx_whole();
	names();
	opening();
	reading();
	controlling();
	terminals();
	listing();
	marking();
	pipes();
	waiting();
	watching();
}
