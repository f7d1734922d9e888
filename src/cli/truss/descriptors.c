/* SPDX-License-Identifier: BSD-2-Clause */
/* What descriptors lead to, as text: a path, and what a device, a socket, a process is. */
#include "cli/truss/truss.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/cleanup.h"

/* /proc's link to a descriptor, and where it leads. */
struct lead {
	char link[64], path[4096];
	ssize_t n;
};

/* As in a C string, and without the brackets it stands in; a blank at `blank` is told from the kernel's. */
static void add_printable(struct sts_text *text, const char *path, ssize_t n, ssize_t blank)
{
	for (ssize_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)path[i];

		if (c < ' ' || c >= 0x7f || c == '<' || c == '>' || c == '\\' || i == blank)
			sts_text_add(text, i + 1 < n && path[i + 1] >= '0' && path[i + 1] <= '7' ? "\\%03o" : "\\%o",
				     c);
		else
			sts_text_add_char(text, (char)c);
	}
}

/* " (deleted)" is what the kernel says of a file without a name, or a name: then the file is there under it. */
static ssize_t blank_of_name(const struct lead *lead)
{
	const size_t length = strlen(STS_FD_DELETED);
	struct stat behind, named;
	char path[sizeof lead->path + 1];

	if ((size_t)lead->n < length || memcmp(lead->path + lead->n - length, STS_FD_DELETED, length) != 0)
		return -1;
	memcpy(path, lead->path, (size_t)lead->n);
	path[lead->n] = '\0';
	bool same = stat(lead->link, &behind) == 0 && lstat(path, &named) == 0 && behind.st_dev == named.st_dev &&
		    behind.st_ino == named.st_ino;
	return same ? lead->n - (ssize_t)length : -1;
}

/* --- sockets ------------------------------------------------------------------------------- */

struct end {
	struct sockaddr_storage addr;
	socklen_t length;
};

static bool has_port(const struct end *end)
{
	const struct sockaddr_in *in = (const void *)&end->addr;

	return end->length >= sizeof *in && in->sin_port != 0; /* it lies in the same place for IPv6 */
}

static void add_end(struct sts_text *text, const struct end *end)
{
	const struct sockaddr_in *in = (const void *)&end->addr;
	const struct sockaddr_in6 *in6 = (const void *)&end->addr;
	char name[INET6_ADDRSTRLEN] = "";

	if (end->addr.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &in6->sin6_addr, name, sizeof name);
		sts_text_add(text, "[%s]:%u", name, ntohs(in6->sin6_port));
	} else {
		inet_ntop(AF_INET, &in->sin_addr, name, sizeof name);
		sts_text_add(text, "%s:%u", name, ntohs(in->sin_port));
	}
}

static bool add_internet(struct sts_text *text, const struct end *here, const struct end *there)
{
	if (!has_port(here))
		return false;
	add_end(text, here);
	if (has_port(there)) {
		sts_text_add(text, "->");
		add_end(text, there);
	}
	return true;
}

/* The inode of a UNIX socket's peer, or 0: a question to the kernel, of its own network alone. */
static uint32_t ask_peer(uint32_t inode)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct {
		struct nlmsghdr head;
		struct unix_diag_req request;
	} question = {
		.head = {sizeof question, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0},
		.request = {.sdiag_family = AF_UNIX,
			    .udiag_states = ~0u,
			    .udiag_ino = inode,
			    .udiag_show = UDIAG_SHOW_PEER,
			    .udiag_cookie = {~0u, ~0u}},
	};
	_Alignas(struct nlmsghdr) char answer[1024];

	if (fd < 0 || send(fd, &question, sizeof question, 0) != sizeof question)
		return 0;
	ssize_t n = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
	const struct nlmsghdr *head = (const void *)answer;
	const size_t before = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
	if (n < (ssize_t)sizeof *head || head->nlmsg_type != SOCK_DIAG_BY_FAMILY || head->nlmsg_len > (size_t)n)
		return 0;
	for (size_t at = before; at + NLA_HDRLEN <= head->nlmsg_len;) {
		const struct nlattr *a = (const void *)(answer + at);
		uint32_t peer;

		if (a->nla_type == UNIX_DIAG_PEER && at + NLA_HDRLEN + sizeof peer <= head->nlmsg_len) {
			memcpy(&peer, answer + at + NLA_HDRLEN, sizeof peer);
			return peer;
		}
		at += NLA_ALIGN(a->nla_len < NLA_HDRLEN ? NLA_HDRLEN : a->nla_len);
	}
	return 0;
}

static bool add_unix(struct sts_text *text, const struct end *here, ino_t inode)
{
	const struct sockaddr_un *un = (const void *)&here->addr;
	uint32_t peer = ask_peer((uint32_t)inode);
	const size_t head = offsetof(struct sockaddr_un, sun_path);

	sts_text_add(text, "%ju", (uintmax_t)inode);
	if (peer)
		sts_text_add(text, "->%" PRIu32, peer);
	if (here->length <= head)
		return true;
	bool abstract = un->sun_path[0] == '\0';
	size_t n = here->length < sizeof *un ? here->length - head : sizeof un->sun_path;
	sts_text_add(text, abstract ? ",@" : ",");
	sts_text_add_quoted(text, un->sun_path + abstract, abstract ? n - 1 : strnlen(un->sun_path, n), 0);
	return true;
}

static bool add_netlink(struct sts_text *text, int fd, const struct end *here)
{
	const struct sockaddr_nl *nl = (const void *)&here->addr;
	int protocol = -1;
	socklen_t length = sizeof protocol;

	getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length);
	const char *name = sts_decode_netlink(protocol);
	if (!name || nl->nl_pid == 0)
		return false;
	sts_text_add(text, "%s:%" PRIu32, name, nl->nl_pid);
	return true;
}

static bool add_ends(struct sts_text *text, int fd, ino_t inode)
{
	struct end here = {.length = sizeof here.addr}, there = {.length = sizeof there.addr};

	if (getsockname(fd, (struct sockaddr *)&here.addr, &here.length) < 0)
		return false;
	if (getpeername(fd, (struct sockaddr *)&there.addr, &there.length) < 0)
		there.length = 0;
	switch (here.addr.ss_family) {
	case AF_INET:
	case AF_INET6:
		return add_internet(text, &here, &there);
	case AF_UNIX:
		return add_unix(text, &here, inode);
	case AF_NETLINK:
		return add_netlink(text, fd, &here);
	default:
		return false;
	}
}

/* "TCP:[127.0.0.1:1->127.0.0.1:2]", or its inode for want of ends. */
static bool add_socket(struct sts_text *text, const struct lead *lead, pid_t pid, int fd, ino_t inode)
{
	char protocol[64];
	ssize_t n = getxattr(lead->link, "system.sockprotoname", protocol, sizeof protocol - 1);
	_cleanup_close_ int process = n > 0 ? pidfd_open(pid, 0) : -1;
	_cleanup_close_ int own = process >= 0 ? pidfd_getfd(process, fd, 0) : -1;

	if (n <= 0)
		return false;
	protocol[n] = '\0';
	sts_text_add(text, "%s:[", protocol);
	if (own < 0 || !add_ends(text, own, inode))
		sts_text_add(text, "%ju", (uintmax_t)inode);
	sts_text_add(text, "]");
	return true;
}

/* --- processes, devices ------------------------------------------------------------------------ */

static bool add_process(struct sts_text *text, const struct lead *lead, pid_t pid, int fd)
{
	char path[64], line[128];
	int found = 0;

	if (strncmp(lead->path, "anon_inode:[pidfd]", 18) != 0 && strncmp(lead->path, "pidfd:", 6) != 0)
		return false;
	snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", pid, fd);
	FILE *file = fopen(path, "re");
	while (file && found <= 0 && fgets(line, sizeof line, file))
		if (sscanf(line, "Pid: %d", &found) == 1)
			break;
	if (file)
		fclose(file);
	if (found > 0)
		sts_text_add(text, "pid:%d", found);
	return found > 0;
}

static bool is_device(const struct lead *lead, struct stat *s)
{
	return lead->path[0] == '/' && stat(lead->link, s) == 0 && (S_ISCHR(s->st_mode) || S_ISBLK(s->st_mode));
}

/* What is told besides a path; false: it is to be shown as without. */
static bool add_details(struct sts_text *text, const struct lead *lead, const struct truss_source *source, int fd)
{
	struct stat s;

	if (strncmp(lead->path, "socket:", 7) == 0)
		return source->fd_kinds & TRUSS_FD_SOCKET && stat(lead->link, &s) == 0 &&
		       add_socket(text, lead, source->pid, fd, s.st_ino);
	if (source->fd_kinds & TRUSS_FD_PROCESS && add_process(text, lead, source->pid, fd))
		return true;
	if (!(source->fd_kinds & TRUSS_FD_DEVICE) || !is_device(lead, &s))
		return false;
	add_printable(text, lead->path, lead->n, blank_of_name(lead));
	sts_text_add(text, "<%s %u:%u>", S_ISCHR(s.st_mode) ? "char" : "block", major(s.st_rdev), minor(s.st_rdev));
	return true;
}

int truss_fd_text(void *arg, int fd, char *buf, size_t len)
{
	const struct truss_source *source = arg;
	struct lead lead = {0};
	struct sts_text text;

	if (fd == AT_FDCWD)
		snprintf(lead.link, sizeof lead.link, "/proc/%d/cwd", source->pid);
	else
		snprintf(lead.link, sizeof lead.link, "/proc/%d/fd/%d", source->pid, fd);
	lead.n = readlink(lead.link, lead.path, sizeof lead.path - 1);
	if (lead.n < 0)
		return -errno;
	sts_text_init(&text, buf, len);
	if (fd != AT_FDCWD && add_details(&text, &lead, source, fd))
		return 0;
	if (!(source->fd_kinds & TRUSS_FD_PATH))
		return -ENOENT;
	add_printable(&text, lead.path, lead.n, blank_of_name(&lead));
	return 0;
}
