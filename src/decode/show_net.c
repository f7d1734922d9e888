/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets: addresses, messages, options. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "decode/show.h"

/* --- addresses -------------------------------------------------------------------------- */

static void put_unix(struct sts_walk *w, const struct sockaddr_un *a, size_t length)
{
	size_t n = length - offsetof(struct sockaddr_un, sun_path);

	if (n == 0)
		return;
	if (a->sun_path[0] == '\0') { /* abstract: every byte counts */
		char text[4 * sizeof a->sun_path + 8];
		struct sts_text quoted;

		sts_text_init(&quoted, text, sizeof text);
		sts_text_add_char(&quoted, '@');
		sts_text_add_quoted(&quoted, a->sun_path + 1, n - 1, w->d->flags);
		sts_put_symbol(w, "sun_path", 0, text);
	} else {
		sts_put_bytes(w, "sun_path", a->sun_path, strnlen(a->sun_path, n), false);
	}
}

static void put_in(struct sts_walk *w, const struct sockaddr_in *a)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a->sin_addr, text, sizeof text);
	sts_put_symbolf(w, "sin_port", ntohs(a->sin_port), "htons(%u)", ntohs(a->sin_port));
	sts_put_symbolf(w, "sin_addr", ntohl(a->sin_addr.s_addr), "inet_addr(\"%s\")", text);
}

static void put_in6(struct sts_walk *w, const struct sockaddr_in6 *a, size_t length)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof text);
	sts_put_symbolf(w, "sin6_port", ntohs(a->sin6_port), "htons(%u)", ntohs(a->sin6_port));
	sts_put_symbolf(w, "sin6_flowinfo", ntohl(a->sin6_flowinfo), "htonl(%u)", ntohl(a->sin6_flowinfo));
	sts_put_bare(w, "sin6_addr", 0, "inet_pton(AF_INET6, \"%s\", &sin6_addr)", text);
	if (length >= sizeof *a)
		sts_put_number(w, STASIS_DECODE_UNSIGNED, "sin6_scope_id", a->sin6_scope_id);
}

static void put_netlink(struct sts_walk *w, const struct sockaddr_nl *a)
{
	sts_put_number(w, STASIS_DECODE_SIGNED, "nl_pid", (uint64_t)(int64_t)(int32_t)a->nl_pid);
	sts_put_symbolf(w, "nl_groups", a->nl_groups, "%#08x", a->nl_groups);
}

static void put_packet(struct sts_walk *w, const struct sockaddr_ll *a)
{
	const char *protocol = sts_enum_name(&set_ethproto, ntohs(a->sll_protocol));

	if (protocol)
		sts_put_symbolf(w, "sll_protocol", ntohs(a->sll_protocol), "htons(%s)", protocol);
	else
		sts_put_symbolf(w, "sll_protocol", ntohs(a->sll_protocol), "htons(%#x)", ntohs(a->sll_protocol));
	sts_put_number(w, STASIS_DECODE_SIGNED, "sll_ifindex", (uint64_t)(int64_t)a->sll_ifindex);
	sts_show_enum(w, "sll_hatype", &set_arphrd, a->sll_hatype);
	sts_show_enum(w, "sll_pkttype", &set_pkttype, a->sll_pkttype);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "sll_halen", a->sll_halen);
	if (a->sll_halen && a->sll_halen <= sizeof a->sll_addr)
		sts_put_bytes(w, "sll_addr", a->sll_addr, a->sll_halen, false);
}

static void put_by_family(struct sts_walk *w, const struct sockaddr_storage *a, size_t length)
{
	const size_t head = sizeof a->ss_family;

	if (a->ss_family == AF_UNIX)
		put_unix(w, (const void *)a, length < sizeof(struct sockaddr_un) ? length : sizeof(struct sockaddr_un));
	else if (a->ss_family == AF_INET && length >= sizeof(struct sockaddr_in))
		put_in(w, (const void *)a);
	else if (a->ss_family == AF_INET6 && length >= offsetof(struct sockaddr_in6, sin6_scope_id))
		put_in6(w, (const void *)a, length);
	else if (a->ss_family == AF_NETLINK && length >= sizeof(struct sockaddr_nl))
		put_netlink(w, (const void *)a);
	else if (a->ss_family == AF_PACKET && length >= sizeof(struct sockaddr_ll))
		put_packet(w, (const void *)a);
	else if (length > head)
		sts_put_bytes(w, "sa_data", (const char *)a + head, length - head, false);
}

void sts_show_sockaddr_at(struct sts_walk *w, const char *name, uint64_t addr, uint64_t length)
{
	struct sockaddr_storage a = {0};

	if (length > sizeof a)
		length = sizeof a;
	if (!addr || length < sizeof a.ss_family || !sts_read(w, addr, &a, length)) {
		sts_put_address(w, name, addr);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, name);
	sts_show_enum(w, "sa_family", &set_pf, a.ss_family);
	put_by_family(w, &a, length);
	sts_end(w);
}

void sts_show_sockaddr(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_sockaddr_at(w, v->name, v->value, (uint32_t)sts_reference(w));
}

/* The length is behind a pointer: what there was room for, and what there is. */
void sts_show_sockaddr_out(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t length, room;
	int i = w->arg->count;

	if (!sts_read_uint(w, sts_reference(w), 4, &length)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	room = w->d->saved_mask & 1u << i ? (uint32_t)w->d->saved[i] : length;
	sts_show_sockaddr_at(w, v->name, v->value, length < room ? length : room);
}

/* --- messages ------------------------------------------------------------------------------ */

struct message {
	uint64_t name, iov, iovlen, control, controllen;
	uint32_t namelen, flags;
};

/* 0, or how long the structure is. */
static unsigned read_message(const struct sts_walk *w, uint64_t addr, struct message *m)
{
	unsigned word = sts_word_size(w);
	uint8_t b[56];

	if (!addr || !sts_read(w, addr, b, 7 * word))
		return 0;
	*m = (struct message){0};
	memcpy(&m->name, b, word);
	memcpy(&m->namelen, b + word, 4);
	memcpy(&m->iov, b + 2 * word, word);
	memcpy(&m->iovlen, b + 3 * word, word);
	memcpy(&m->control, b + 4 * word, word);
	memcpy(&m->controllen, b + 5 * word, word);
	memcpy(&m->flags, b + 6 * word, 4);
	return 7 * word;
}

static void put_control_fds(struct sts_walk *w, uint64_t addr, uint64_t n)
{
	sts_begin(w, STASIS_DECODE_ARRAY, "cmsg_data");
	for (uint64_t i = 0, fd; i < n; i++) {
		if (i >= sts_limit(w) || !sts_read_uint(w, addr + 4 * i, 4, &fd)) {
			sts_put_more(w);
			break;
		}
		sts_put_fd(w, NULL, (int)fd);
	}
	sts_end(w);
}

static void put_control_type(struct sts_walk *w, uint64_t level, uint64_t type)
{
	sts_show_enum(w, "cmsg_level", &set_sol, level);
	if (level == SOL_SOCKET && sts_enum_name(&set_scm, type))
		sts_show_enum(w, "cmsg_type", &set_scm, type);
	else
		sts_show_enum(w, "cmsg_type",
			      level == SOL_SOCKET     ? &set_so
			      : level == IPPROTO_IP   ? &set_so_ip
			      : level == IPPROTO_IPV6 ? &set_so_ipv6
						      : &set_scm,
			      type);
}

static void put_control_message(struct sts_walk *w, uint64_t addr, uint64_t length)
{
	unsigned word = sts_word_size(w), head = word + 8;
	uint64_t level = 0, type = 0;

	sts_begin(w, STASIS_DECODE_STRUCT, NULL);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "cmsg_len", length);
	if (sts_read_uint(w, addr + word, 4, &level) && sts_read_uint(w, addr + word + 4, 4, &type)) {
		put_control_type(w, level, type);
		if (level == SOL_SOCKET && type == SCM_RIGHTS)
			put_control_fds(w, addr + head, (length - head) / 4);
		else if (level == SOL_SOCKET && type == SCM_CREDENTIALS && length - head >= 12)
			sts_show_struct_at(w, "cmsg_data", &struct_ucred, addr + head, SIZE_MAX);
		else if (length > head)
			sts_show_bytes_at(w, "cmsg_data", addr + head, length - head);
	}
	sts_end(w);
}

static void put_control(struct sts_walk *w, uint64_t addr, uint64_t length)
{
	unsigned word = sts_word_size(w), head = word + 8, n = 0;
	uint64_t done = 0, one;

	if (!addr || length < head) {
		sts_put_address(w, "msg_control", addr);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, "msg_control");
	while (length - done >= head && sts_read_uint(w, addr + done, word, &one) && one >= head &&
	       one <= length - done) {
		if (n++ >= sts_limit(w)) {
			sts_put_more(w);
			break;
		}
		put_control_message(w, addr + done, one);
		one = (one + word - 1) / word * word;
		done += one < length - done ? one : length - done;
	}
	sts_end(w);
}

static void put_namelen(struct sts_walk *w, uint32_t length)
{
	sts_put_number(w, STASIS_DECODE_SIGNED, "msg_namelen", (uint64_t)(int64_t)(int32_t)length);
}

/* The address's room, and its length where the kernel has written one. */
static void put_name(struct sts_walk *w, const struct message *m, bool received)
{
	bool saved = received && w->d->saved_mask & 1u << w->index;
	uint32_t room = saved ? (uint32_t)w->d->saved[w->index] : m->namelen;

	sts_show_sockaddr_at(w, "msg_name", m->name, m->namelen < room ? m->namelen : room);
	put_namelen(w, room);
	if (room != m->namelen) {
		sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_AFTER});
		sts_put(w, &(struct stasis_decode_item){STASIS_DECODE_UNSIGNED, .name = "msg_namelen_written",
							.value = m->namelen, .bare = true});
	}
}

/* bytes: of the buffers that are worth showing, if limited. */
static void put_message(struct sts_walk *w, const char *name, const struct message *m, bool limited, uint64_t bytes)
{
	sts_begin(w, STASIS_DECODE_STRUCT, name);
	put_name(w, m, limited);
	sts_show_vector_at(w, "msg_iov", m->iov, m->iovlen, limited, bytes);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "msg_iovlen", m->iovlen);
	if (m->controllen)
		put_control(w, m->control, m->controllen);
	sts_put_number(w, STASIS_DECODE_UNSIGNED, "msg_controllen", m->controllen);
	sts_show_flags(w, "msg_flags", &set_msg, m->flags);
	sts_end(w);
}

void sts_show_msghdr(struct sts_walk *w, const struct sts_value *v)
{
	struct message m;

	if (read_message(w, v->value, &m) == 0)
		sts_put_address(w, v->name, v->value);
	else
		put_message(w, v->name, &m, false, 0);
}

void sts_show_msghdr_out(struct sts_walk *w, const struct sts_value *v)
{
	struct message m;

	if (read_message(w, v->value, &m) == 0) {
		sts_put_address(w, v->name, v->value);
	} else if (sts_failed(w)) { /* nothing was written but what there was room for is known */
		sts_begin(w, STASIS_DECODE_STRUCT, v->name);
		put_namelen(w, m.namelen);
		sts_end(w);
	} else {
		put_message(w, v->name, &m, true, (uint64_t)w->call->result);
	}
}

static void show_messages(struct sts_walk *w, const struct sts_value *v, uint64_t n, bool received)
{
	unsigned size = 8 * sts_word_size(w);
	struct message m;
	uint64_t length;

	if (read_message(w, v->value, &m) == 0) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	for (uint64_t i = 0; i < n; i++) {
		uint64_t at = v->value + i * size;

		if (i >= sts_limit(w) || read_message(w, at, &m) == 0 ||
		    !sts_read_uint(w, at + 7 * sts_word_size(w), 4, &length)) {
			sts_put_more(w);
			break;
		}
		sts_begin(w, STASIS_DECODE_STRUCT, NULL);
		put_message(w, "msg_hdr", &m, received, length);
		if (received || (!sts_failed(w) && i < (uint64_t)w->call->result))
			sts_put_number(w, STASIS_DECODE_UNSIGNED, "msg_len", length);
		sts_end(w);
	}
	sts_end(w);
}

void sts_show_mmsghdr(struct sts_walk *w, const struct sts_value *v)
{
	if (sts_failed(w))
		sts_put_address(w, v->name, v->value);
	else
		show_messages(w, v, sts_count(w), true);
}

void sts_show_mmsghdr_send(struct sts_walk *w, const struct sts_value *v)
{
	show_messages(w, v, (uint32_t)sts_count(w), false);
}

/* --- protocols and options --------------------------------------------------------------------- */

void sts_show_protocol(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t family = (uint32_t)sts_reference(w), protocol = (uint32_t)v->value;

	if (family == AF_INET || family == AF_INET6) {
		sts_show_enum(w, v->name, &set_ipproto, protocol);
	} else if (family == AF_NETLINK) {
		sts_show_enum(w, v->name, &set_netlink, protocol);
	} else if (family == AF_PACKET) {
		const char *name = sts_enum_name(&set_ethproto, ntohs((uint16_t)protocol));

		sts_put_symbolf(w, v->name, protocol, name ? "htons(%s)" : "htons(%s%#x)", name ? name : "",
				ntohs((uint16_t)protocol));
	} else {
		sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, protocol);
	}
}

const char *sts_decode_netlink(int protocol)
{
	const char *name = sts_enum_name(&set_netlink, (uint64_t)(int64_t)protocol);

	return name ? name + strlen("NETLINK_") : NULL;
}

void sts_show_sockopt(struct sts_walk *w, const struct sts_value *v)
{
	static const struct {
		unsigned level;
		const struct sts_set *set;
	} levels[] = {
		{SOL_SOCKET, &set_so},		{IPPROTO_IP, &set_so_ip},   {IPPROTO_IPV6, &set_so_ipv6},
		{IPPROTO_TCP, &set_so_tcp},	{IPPROTO_UDP, &set_so_udp}, {SOL_PACKET, &set_so_packet},
		{SOL_NETLINK, &set_so_netlink},
	};

	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
		if (levels[i].level == (uint32_t)sts_reference(w)) {
			sts_show_enum(w, v->name, levels[i].set, (uint32_t)v->value);
			return;
		}
	}
	sts_put_number(w, STASIS_DECODE_UNSIGNED, v->name, (uint32_t)v->value);
}

static const struct sts_struct *option_struct(const struct sts_walk *w)
{
	if ((uint32_t)w->values[1] != SOL_SOCKET)
		return NULL;
	switch ((uint32_t)w->values[2]) {
	case SO_LINGER:
		return &struct_linger;
	case SO_PEERCRED:
		return &struct_ucred;
	case 20: /* SO_RCVTIMEO_OLD */
	case 21: /* SO_SNDTIMEO_OLD */
		return &struct_timeval;
	case SO_ATTACH_FILTER:
		return &struct_sock_fprog;
	default:
		return NULL;
	}
}

static void show_error(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t error;

	if (!sts_read_uint(w, v->value, 4, &error)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	const char *name = error && error < 4096 ? strerrorname_np((int)error) : NULL;
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	if (name)
		sts_put_symbol(w, NULL, error, name);
	else
		sts_put_number(w, STASIS_DECODE_SIGNED, NULL, (uint64_t)(int64_t)(int32_t)error);
	sts_end(w);
}

static bool is_error_option(const struct sts_walk *w)
{
	return (uint32_t)w->values[1] == SOL_SOCKET && (uint32_t)w->values[2] == SO_ERROR;
}

static void show_option(struct sts_walk *w, const struct sts_value *v, uint64_t length)
{
	const struct sts_struct *s = option_struct(w);

	if (s && length >= sts_struct_size(w, s))
		sts_show_struct_at(w, v->name, s, v->value, SIZE_MAX);
	else if (length == 4 && is_error_option(w))
		show_error(w, v);
	else if (length == 4)
		sts_show_boxed(w, v->name, v->value, 4, STASIS_DECODE_SIGNED);
	else
		sts_show_bytes_at(w, v->name, v->value, length);
}

void sts_show_optval(struct sts_walk *w, const struct sts_value *v)
{
	int32_t length = (int32_t)sts_reference(w);

	show_option(w, v, length > 0 ? (uint64_t)length : 0);
}

void sts_show_optval_out(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t length;

	if (sts_read_uint(w, sts_reference(w), 4, &length))
		show_option(w, v, length);
	else
		sts_put_address(w, v->name, v->value);
}

/* --- calls inside others, and results ------------------------------------------------------------------ */

/* The arguments are in memory, 32 bits each. */
static const char *unpack_socketcall(struct sts_walk *w)
{
	static const uint8_t counts[] = {0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4};
	uint64_t which = (uint32_t)w->args[0];
	uint32_t args[6] = {0};

	if (which == 0 || which >= sizeof counts || !sts_read(w, w->args[1], args, 4 * (size_t)counts[which]))
		return NULL;
	for (int i = 0; i < 6; i++)
		w->args[i] = args[i];
	return sts_inner_name(STS_INNER_SOCKET, which);
}

static void set_args(struct sts_walk *w, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	const uint64_t args[6] = {a, b, c, d, e, 0};

	memcpy(w->args, args, sizeof args);
}

/* The old way of msgrcv: address and type are behind the pointer. */
static void unpack_msgrcv(struct sts_walk *w, const uint64_t *a)
{
	uint64_t message = a[4], type = a[5];

	if (a[0] >> 16 == 0 && (!sts_read_uint(w, a[4], 4, &message) || !sts_read_uint(w, a[4] + 4, 4, &type)))
		type = 0;
	set_args(w, a[1], message, a[2], (uint64_t)(int64_t)(int32_t)type, a[3]);
}

static void unpack_semctl(struct sts_walk *w, const uint64_t *a)
{
	uint64_t value;

	if (!sts_read_uint(w, a[4], 4, &value))
		value = a[4];
	set_args(w, a[1], a[2], a[3], value, 0);
}

static const char *unpack_ipc(struct sts_walk *w)
{
	uint64_t a[6];

	for (int i = 0; i < 6; i++)
		a[i] = (uint32_t)w->args[i];
	switch (a[0] & 0xffff) {
	case 1:
		set_args(w, a[1], a[4], a[2], 0, 0);
		break;
	case 2:
		set_args(w, a[1], a[2], a[3], 0, 0);
		break;
	case 3:
		unpack_semctl(w, a);
		break;
	case 4:
		set_args(w, a[1], a[4], a[2], a[5], 0);
		break;
	case 11:
		set_args(w, a[1], a[4], a[2], a[3], 0);
		break;
	case 12:
		unpack_msgrcv(w, a);
		break;
	case 13:
		set_args(w, a[1], a[2], 0, 0, 0);
		break;
	case 14:
		set_args(w, a[1], a[2], a[4], 0, 0);
		break;
	case 21:
		set_args(w, a[1], a[4], a[2], 0, 0);
		break;
	case 22:
		set_args(w, a[4], 0, 0, 0, 0);
		break;
	case 23:
		set_args(w, a[1], a[2], a[3], 0, 0);
		break;
	case 24:
		set_args(w, a[1], a[2], a[4], 0, 0);
		break;
	default:
		return NULL;
	}
	return sts_inner_name(STS_INNER_IPC, a[0] & 0xffff);
}

void sts_unpack_call(struct sts_walk *w)
{
	const char *name = NULL;

	if (w->d->flags & STASIS_DECODE_RAW || !w->format)
		return;
	if (strcmp(w->format->name, "socketcall") == 0)
		name = unpack_socketcall(w);
	else if (strcmp(w->format->name, "ipc") == 0)
		name = unpack_ipc(w);
	if (name)
		w->format = sts_call_named(name);
}

/* The time left, where the kernel writes it back. */
void sts_show_result_recvmmsg(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t timeout = w->values[4];

	sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	if (v->value == 0)
		sts_put_symbol(w, NULL, 0, "Timeout");
	else if (timeout)
		sts_show_struct_at(w, "left", w->format->args[4].type.structure, timeout, SIZE_MAX);
	sts_end(w);
}
