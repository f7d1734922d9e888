/* SPDX-License-Identifier: BSD-2-Clause */
/* System V objects, message queues, NUMA, keys, asynchronous I/O, bpf. */
#include <inttypes.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/shm.h>
#include "decode/show.h"

/* --- System V ------------------------------------------------------------------------------ */

void sts_show_ipckey(struct sts_walk *w, const struct sts_value *v)
{
	if ((uint32_t)v->value == IPC_PRIVATE)
		sts_put_symbol(w, v->name, 0, "IPC_PRIVATE");
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, (uint32_t)v->value);
}

/* Flags above, permissions below; huge: the size of pages, a logarithm, at the top. */
static void show_get(struct sts_walk *w, const struct sts_value *v, const struct sts_set *set, uint32_t huge)
{
	char buf[256];
	struct sts_text text;
	uint32_t value = (uint32_t)v->value, bits = value & ~0777u & ~huge;

	sts_text_init(&text, buf, sizeof buf);
	if (bits) {
		sts_flags_text(&text, set, bits);
		sts_text_add(&text, "|");
	}
	if (value & huge)
		sts_text_add(&text, "%u<<SHM_HUGE_SHIFT|", (value & huge) >> SHM_HUGE_SHIFT);
	sts_text_add(&text, "%#03o", value & 0777);
	sts_put_symbol(w, v->name, value, buf);
}

void sts_show_ipcget(struct sts_walk *w, const struct sts_value *v)
{
	show_get(w, v, &set_ipcget, 0);
}

void sts_show_shmget(struct sts_walk *w, const struct sts_value *v)
{
	show_get(w, v, &set_shmget, 0x3fu << SHM_HUGE_SHIFT);
}

void sts_show_msgbuf(struct sts_walk *w, const struct sts_value *v)
{
	unsigned word = sts_word_size(w);
	uint64_t type;

	if (!v->value || !sts_read_uint(w, v->value, word, &type)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_STRUCT, v->name);
	sts_put_number(w, STASIS_DECODE_SIGNED, "mtype", type);
	sts_show_bytes_at(w, "mtext", v->value + word, sts_count(w));
	sts_end(w);
}

void sts_show_mq_open_attr(struct sts_walk *w, const struct sts_value *v)
{
	if (sts_reference(w) & 0100) /* O_CREAT */
		sts_show_struct_at(w, v->name, &struct_mq_attr, v->value, SIZE_MAX);
}

/* --- NUMA -------------------------------------------------------------------------------------- */

static void show_mask_word(struct sts_walk *w, uint64_t addr, uint64_t index)
{
	uint64_t word;
	unsigned size = sts_word_size(w);

	if (!sts_read_uint(w, addr, size, &word))
		sts_put_more(w);
	else if (size == 8)
		sts_put_symbolf(w, NULL, word, "%#018" PRIx64, word);
	else
		sts_put_symbolf(w, NULL, word, "%#010" PRIx64, word);
}

void sts_show_nodemask(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t bits = sts_count(w), word = 8 * sts_word_size(w);

	sts_show_array(w, v->name, v->value, bits / word + (bits % word > 0), word / 8, show_mask_word);
}

void sts_show_mpol(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t mode;

	if (!sts_read_uint(w, v->value, 4, &mode)) {
		sts_put_address(w, v->name, v->value);
		return;
	}
	sts_begin(w, STASIS_DECODE_ARRAY, v->name);
	sts_show_flags(w, NULL, &set_mpol, mode);
	sts_end(w);
}

/* --- keys ------------------------------------------------------------------------------------------ */

void sts_show_keyring(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t id = (uint64_t)(int64_t)(int32_t)v->value;

	if (sts_enum_name(&set_keyring, id))
		sts_show_enum(w, v->name, &set_keyring, id);
	else
		sts_put_number(w, STASIS_DECODE_SIGNED, v->name, id);
}

/* The first one or two arguments are keys, or the name of a session. */
void sts_show_keyctl_arg(struct sts_walk *w, const struct sts_value *v)
{
	uint64_t command = (uint32_t)sts_reference(w);

	if (command == KEYCTL_JOIN_SESSION_KEYRING && w->index == 1)
		sts_show_string_at(w, v->name, v->value, sts_limit(w));
	else if (w->index == 1 || command == KEYCTL_LINK || command == KEYCTL_UNLINK)
		sts_show_keyring(w, v);
	else if (command == KEYCTL_SEARCH)
		sts_show_string_at(w, v->name, v->value, sts_limit(w));
	else
		sts_put_number(w, STASIS_DECODE_HEX, v->name, v->value);
}

/* --- asynchronous I/O ---------------------------------------------------------------------------------- */

static void show_iocb(struct sts_walk *w, uint64_t addr, uint64_t index)
{
	uint64_t at;

	if (sts_read_uint(w, addr, sts_word_size(w), &at))
		sts_show_struct_at(w, NULL, &struct_iocb, at, SIZE_MAX);
	else
		sts_put_more(w);
}

void sts_show_iocbs(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_array(w, v->name, v->value, sts_count(w), sts_word_size(w), show_iocb);
}

/* --- bpf ---------------------------------------------------------------------------------------------------- */

void sts_show_str64(struct sts_walk *w, const struct sts_value *v)
{
	sts_show_path_at(w, v->name, v->value);
}

static const struct sts_struct *bpf_struct(uint64_t command)
{
	switch (command) {
	case BPF_MAP_CREATE:
		return &struct_bpf_map_create;
	case BPF_MAP_LOOKUP_ELEM:
	case BPF_MAP_UPDATE_ELEM:
	case BPF_MAP_DELETE_ELEM:
	case BPF_MAP_GET_NEXT_KEY:
	case BPF_MAP_LOOKUP_AND_DELETE_ELEM:
		return &struct_bpf_map_elem;
	case BPF_PROG_LOAD:
		return &struct_bpf_prog_load;
	case BPF_OBJ_PIN:
	case BPF_OBJ_GET:
		return &struct_bpf_obj;
	case BPF_PROG_ATTACH:
	case BPF_PROG_DETACH:
		return &struct_bpf_attach;
	case BPF_PROG_GET_NEXT_ID:
	case BPF_MAP_GET_NEXT_ID:
	case BPF_BTF_GET_NEXT_ID:
	case BPF_PROG_GET_FD_BY_ID:
	case BPF_MAP_GET_FD_BY_ID:
	case BPF_BTF_GET_FD_BY_ID:
		return &struct_bpf_get_id;
	case BPF_OBJ_GET_INFO_BY_FD:
		return &struct_bpf_info;
	case BPF_LINK_CREATE:
		return &struct_bpf_link;
	default:
		return NULL;
	}
}

void sts_show_bpf_attr(struct sts_walk *w, const struct sts_value *v)
{
	const struct sts_struct *s = bpf_struct((uint32_t)sts_reference(w));

	if (s)
		sts_show_struct_at(w, v->name, s, v->value, (uint32_t)w->values[2]);
	else
		sts_show_bytes_at(w, v->name, v->value, (uint32_t)w->values[2]);
}

void sts_show_result_bpf(struct sts_walk *w, const struct sts_value *v)
{
	uint32_t command = (uint32_t)w->values[0];

	if (command == BPF_MAP_CREATE || command == BPF_PROG_LOAD || command == BPF_OBJ_GET ||
	    command == BPF_BTF_LOAD || command == BPF_LINK_CREATE)
		sts_begin_fd_result(w, (int)v->value);
	else
		sts_begin_result(w, "%" PRId64, (int64_t)v->value);
	sts_end(w);
}
