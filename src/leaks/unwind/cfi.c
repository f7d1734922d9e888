// SPDX-License-Identifier: BSD-2-Clause
/* .eh_frame_hdr and .eh_frame: from an address to its description, and to the row that holds there. */
#include "leaks/unwind/cfi.h"

#include "leaks/unwind/cfi_inner.h"

enum {
	PE_OMIT = 0xff,
	PE_FORMAT = 0x0f,
	PE_ULEB = 0x01,
	PE_U16 = 0x02,
	PE_U32 = 0x03,
	PE_U64 = 0x04,
	PE_SLEB = 0x09,
	PE_S16 = 0x0a,
	PE_S32 = 0x0b,
	PE_S64 = 0x0c,
	PE_RELATIVE = 0x70,
	PE_PCREL = 0x10,
	PE_DATAREL = 0x30,
	PE_INDIRECT = 0x80,
	/* A sorted table of pairs of offsets from the header. */
	TABLE = PE_DATAREL | PE_S32,
	HEADER = 12,
};

/* `base` is what PE_DATAREL is relative to. */
static uint64_t read_encoded(struct sts_reader *r, uint8_t encoding, uint64_t base)
{
	uint64_t here = (uintptr_t)r->at, value;

	switch (encoding & PE_FORMAT) {
	case 0:
	case PE_U64:
	case PE_S64:
		value = sts_read_u64(r);
		break;
	case PE_ULEB:
		value = sts_read_uleb(r);
		break;
	case PE_U16:
		value = sts_read_u16(r);
		break;
	case PE_U32:
		value = sts_read_u32(r);
		break;
	case PE_SLEB:
		value = (uint64_t)sts_read_sleb(r);
		break;
	case PE_S16:
		value = (uint64_t)(int64_t)sts_read_s16(r);
		break;
	case PE_S32:
		value = (uint64_t)(int64_t)sts_read_s32(r);
		break;
	default:
		r->bad = true;
		return 0;
	}
	if ((encoding & PE_RELATIVE) == PE_PCREL)
		value += here;
	else if ((encoding & PE_RELATIVE) == PE_DATAREL)
		value += base;
	else if ((encoding & PE_RELATIVE) != 0)
		r->bad = true;
	return value;
}

static struct sts_reader reader(const struct sts_cfi *cfi, uint64_t address)
{
	if (address < cfi->lo || address > cfi->hi)
		return (struct sts_reader){.bad = true};
	return (struct sts_reader){.at = (const uint8_t *)(uintptr_t)address, .end = (const uint8_t *)cfi->hi};
}

/* What a record of .eh_frame holds after its length; false at the end, or if it is broken. */
static bool open_record(struct sts_reader *r, struct sts_reader *record_ret)
{
	uint64_t length = sts_read_u32(r);
	const uint8_t *p;

	if (length == UINT32_MAX)
		length = sts_read_u64(r);
	p = length != 0 ? sts_read(r, length) : NULL;
	if (p == NULL)
		return false;
	*record_ret = (struct sts_reader){.at = p, .end = p + length};
	return true;
}

static void read_augmentation(struct sts_reader *r, const char *augmentation, struct sts_cie *ret)
{
	struct sts_reader data;
	uint64_t size;
	const uint8_t *p;

	if (*augmentation != 'z')
		return;
	size = sts_read_uleb(r);
	p = sts_read(r, size);
	if (p == NULL)
		return;
	ret->sized = true;
	data = (struct sts_reader){.at = p, .end = p + size};
	for (augmentation++; *augmentation != '\0' && !data.bad; augmentation++) {
		if (*augmentation == 'R')
			ret->encoding = sts_read_u8(&data);
		else if (*augmentation == 'L')
			sts_read_u8(&data);
		else if (*augmentation == 'P')
			read_encoded(&data, sts_read_u8(&data), 0);
		else if (*augmentation == 'S')
			ret->signal = true;
		else if (*augmentation != 'B')
			return;
	}
}

static bool read_cie(const struct sts_cfi *cfi, uint64_t address, struct sts_cie *ret)
{
	struct sts_reader file = reader(cfi, address), r;
	const char *augmentation;
	uint8_t version;

	*ret = (struct sts_cie){0};
	if (!open_record(&file, &r) || sts_read_u32(&r) != 0)
		return false;
	version = sts_read_u8(&r);
	if (version != 1 && version != 3)
		return false;
	augmentation = (const char *)r.at;
	while (sts_read_u8(&r) != 0)
		;
	if (r.bad)
		return false;
	ret->code_align = sts_read_uleb(&r);
	ret->data_align = sts_read_sleb(&r);
	ret->ra = version == 1 ? sts_read_u8(&r) : sts_read_uleb(&r);
	read_augmentation(&r, augmentation, ret);
	ret->program = r;
	return !r.bad;
}

/* The description at an address; false if it does not tell of `wanted`. */
static bool read_fde(const struct sts_cfi *cfi, uint64_t address, uint64_t wanted, struct sts_fde *ret)
{
	struct sts_reader file = reader(cfi, address), r;
	uint64_t here, back, range;

	if (!open_record(&file, &r))
		return false;
	here = (uintptr_t)r.at;
	back = sts_read_u32(&r);
	if (r.bad || back == 0 || back > here || !read_cie(cfi, here - back, &ret->cie))
		return false;
	if ((ret->cie.encoding & PE_INDIRECT) != 0)
		return false;
	ret->begin = read_encoded(&r, ret->cie.encoding, cfi->hdr);
	range = read_encoded(&r, ret->cie.encoding & PE_FORMAT, 0);
	if (ret->cie.sized)
		sts_read(&r, sts_read_uleb(&r));
	ret->program = r;
	return !r.bad && wanted >= ret->begin && wanted - ret->begin < range;
}

/* The last of the table's entries that does not begin after the address. */
static bool search_table(const struct sts_cfi *cfi, struct sts_reader table, uint64_t n, uint64_t address,
			 uint64_t *fde_ret)
{
	uint64_t lo = 0, hi = n;
	struct {
		int32_t begin, fde;
	} entry;

	if ((uint64_t)(table.end - table.at) / sizeof(entry) < n)
		return false;
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		memcpy(&entry, table.at + mid * sizeof(entry), sizeof(entry));
		if (cfi->hdr + (uint64_t)(int64_t)entry.begin <= address)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return false;
	memcpy(&entry, table.at + (lo - 1) * sizeof(entry), sizeof(entry));
	*fde_ret = cfi->hdr + (uint64_t)(int64_t)entry.fde;
	return true;
}

/* Without a table: one after the other. */
static bool search_all(const struct sts_cfi *cfi, uint64_t at, uint64_t wanted, struct sts_fde *ret)
{
	struct sts_reader file = reader(cfi, at), record;

	for (;;) {
		uint64_t here = (uintptr_t)file.at;

		if (!open_record(&file, &record))
			return false;
		if (sts_read_u32(&record) != 0 && read_fde(cfi, here, wanted, ret))
			return true;
	}
}

static bool find_fde(const struct sts_cfi *cfi, uint64_t address, struct sts_fde *ret)
{
	struct sts_reader r = reader(cfi, cfi->hdr);
	const uint8_t *encodings = sts_read(&r, 4);
	uint64_t frames, n, fde;

	if (cfi->hdr_size < HEADER || encodings == NULL || encodings[0] != 1)
		return false;
	frames = read_encoded(&r, encodings[1], cfi->hdr);
	if (r.bad || (encodings[1] & PE_INDIRECT) != 0)
		return false;
	if (encodings[2] == PE_OMIT || encodings[3] != TABLE)
		return search_all(cfi, frames, address, ret);
	n = read_encoded(&r, encodings[2], cfi->hdr);
	return !r.bad && search_table(cfi, r, n, address, &fde) && read_fde(cfi, fde, address, ret);
}

bool sts_cfi_row(const struct sts_cfi *cfi, uintptr_t address, struct sts_row *ret)
{
	struct sts_fde fde;

	if (cfi->hdr == 0 || !find_fde(cfi, address, &fde))
		return false;
	if (fde.cie.signal) {
		*ret = (struct sts_row){.kind = STS_ROW_SIGNAL};
		return true;
	}
	return sts_cfi_run(&fde, address, ret);
}
