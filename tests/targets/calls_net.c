// SPDX-License-Identifier: BSD-2-Clause
/* System calls on sockets, for the decoder's comparison with strace. */
#include "calls.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

static void making(void)
{
	int pair[2];

	close(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	close(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP));
	close(socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP));
	close(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	close(socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)));
	socket(AF_INET, 15, 200);
	socket(77, SOCK_STREAM, 0);
	socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair);
	close(pair[0]);
	close(pair[1]);
	socketpair(AF_INET, SOCK_STREAM, 0, pair);
}

static void addresses(void)
{
	struct sockaddr_un un = {AF_UNIX, "/no/such/socket"};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80), .sin_addr.s_addr = htonl(0x7f000001)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons(443),
				   .sin6_addr = IN6ADDR_LOOPBACK_INIT,
				   .sin6_flowinfo = htonl(3),
				   .sin6_scope_id = 2};
	struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = 5, .nl_groups = 0x11};
	struct sockaddr other = {77, "fourteen bytes"};

	connect(-1, (void *)&un, sizeof un);
	connect(-1, (void *)&un, offsetof(struct sockaddr_un, sun_path) + 16);
	un.sun_path[0] = '\0';
	connect(-1, (void *)&un, offsetof(struct sockaddr_un, sun_path) + 9);
	connect(-1, (void *)&un, 2);
	connect(-1, (void *)&in, sizeof in);
	connect(-1, (void *)&in6, sizeof in6);
	bind(-1, (void *)&in6, 24);
	bind(-1, (void *)&nl, sizeof nl);
	bind(-1, &other, sizeof other);
	bind(-1, NULL, 5);
	bind(-1, (void *)&in, 1);
}

static void talking(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	struct sockaddr_storage name;
	socklen_t len = sizeof in;
	char buf[40];
	int l = socket(AF_INET, SOCK_STREAM, 0), a = socket(AF_INET, SOCK_STREAM, 0), b;

	bind(l, (void *)&in, sizeof in);
	listen(l, 5);
	getsockname(l, (void *)&in, &len);
	connect(a, (void *)&in, sizeof in);
	len = sizeof name;
	b = accept(l, (void *)&name, &len);
	len = 4;
	getpeername(a, (void *)&name, &len);
	getpeername(-1, (void *)&name, &len);
	accept4(-1, NULL, NULL, SOCK_CLOEXEC);
	send(a, "some words", 10, MSG_NOSIGNAL);
	sendto(a, "x", 1, MSG_DONTWAIT | MSG_OOB, NULL, 0);
	recv(b, buf, 4, MSG_PEEK);
	recvfrom(b, buf, sizeof buf, MSG_DONTWAIT, NULL, NULL);
	recvfrom(b, buf, sizeof buf, MSG_DONTWAIT, NULL, NULL);
	shutdown(a, SHUT_RDWR);
	shutdown(a, SHUT_WR);
	close(a);
	close(b);
	close(l);
}

static void messages(void)
{
	union {
		char bytes[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr head;
	} control;
	struct iovec iov[2] = {{(char[]){"first"}, 5}, {(char[]){"second"}, 6}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof control};
	struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = iov, .msg_iovlen = 1}},
				  {.msg_hdr = {.msg_iov = iov, .msg_iovlen = 2}}};
	int pair[2], fds[2];
	char buf[20];

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		_exit(STS_TARGET_BROKEN);
	memset(&control, 0, sizeof control);
	control.head.cmsg_len = CMSG_LEN(sizeof fds);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	fds[0] = pair[0];
	fds[1] = pair[1];
	memcpy(CMSG_DATA(&control.head), fds, sizeof fds);
	sendmsg(pair[0], &m, 0);
	iov[0].iov_base = buf;
	iov[0].iov_len = sizeof buf;
	m.msg_iovlen = 1;
	recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC);
	m.msg_control = NULL;
	m.msg_controllen = 0;
	recvmsg(pair[1], &m, MSG_DONTWAIT);
	sendmsg(pair[0], NULL, MSG_MORE);
	syscall(SYS_sendmmsg, pair[0], many, 2, 0);
	syscall(SYS_sendmmsg, -1, many, 2, 0);
	for (int fd = pair[0]; fd < pair[1] + 3; fd++)
		close(fd);
}

static void options(void)
{
	int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
	struct linger linger = {1, 5};
	socklen_t len = sizeof one;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	setsockopt(s, IPPROTO_IP, IP_TOS, &one, sizeof one);
	setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nosuchdev", 9);
	getsockopt(s, SOL_SOCKET, SO_ERROR, &one, &len);
	getsockopt(s, SOL_SOCKET, SO_TYPE, &one, &len);
	len = sizeof linger;
	getsockopt(s, SOL_SOCKET, SO_LINGER, &linger, &len);
	getsockopt(-1, SOL_SOCKET, SO_TYPE, &one, &len);
	close(s);
}

static void interfaces(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	ioctl(s, SIOCGIFINDEX, &request);
	ioctl(s, SIOCGIFFLAGS, &request);
	ioctl(-1, SIOCSIFFLAGS, &request);
	ioctl(s, SIOCGIFMTU, &request);
	ioctl(-1, SIOCSIFMTU, &request);
	ioctl(-1, SIOCGIFINDEX, NULL);
	close(s);
}

void calls_net(void)
{
	interfaces();
	making();
	addresses();
	talking();
	messages();
	options();
}
