#include "control/uapi_report.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"

enum { COLUMNS_MAX = 8 };

struct columns {
	char *at[COLUMNS_MAX];
	size_t count;
};

struct seen { /* the four columns that most rows share */
	uint64_t count;
	uint64_t last_real;
	struct endpoint from;
};

/* What is behind the eighth is not ours to know. */
static void split(char *value, struct columns *ret)
{
	*ret = (struct columns){ 0 };
	while (value && ret->count < COLUMNS_MAX) {
		ret->at[ret->count++] = value;
		value = strchr(value, ' ');
		if (value)
			*value++ = '\0';
	}
}

static bool to_place(const char *text, struct endpoint *ret)
{
	*ret = (struct endpoint){ 0 };
	return strcmp(text, "-") == 0 || text_to_endpoint(text, ret) || text_to_ip(text, &ret->ip);
}

static bool to_seen(char *const at[static 4], struct seen *ret)
{
	uint64_t seconds, ns;

	if (!text_to_uint(at[0], UINT64_MAX, &ret->count) ||
	    !text_to_uint(at[1], UINT64_MAX / NS_PER_S - 1, &seconds) ||
	    !text_to_uint(at[2], NS_PER_S - 1, &ns) || !to_place(at[3], &ret->from))
		return false;
	ret->last_real = seconds * NS_PER_S + ns;
	return true;
}

static bool is_word(const char *text)
{
	const size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");

	return len && len <= 32 && text[len] == '\0';
}

/* Of the device, or of the peer that came last. */
static int take_reject(struct diagnosis *d, const struct columns *c)
{
	struct peer_rejects *peer = d->peer_count ? &d->peers[d->peer_count - 1] : NULL;
	struct reject *row;
	const char *reason;
	struct seen seen;

	if (c->count < 5 || !is_word(c->at[0]) || !to_seen(c->at + 1, &seen))
		return -EPROTO;
	reason = diagnosis_keep_word(d, c->at[0]);
	row = peer ? diagnosis_add_reject(&peer->rejects, &peer->reject_count)
		   : diagnosis_add_reject(&d->rejects, &d->reject_count);
	if (!row || !reason)
		return -ENOMEM;
	*row = (struct reject){ reason, seen.count, seen.last_real, seen.from };
	return 0;
}

static int take_peer(struct diagnosis *d, const struct columns *c)
{
	struct key_public key;
	struct peer_rejects *row;

	if (!text_hex_to_bytes(c->at[0], key.bytes, KEY_LEN))
		return -EPROTO;
	row = diagnosis_add_peer(d);
	if (!row)
		return -ENOMEM;
	row->public_key = key;
	return 0;
}

static int take_knock(struct diagnosis *d, const struct columns *c)
{
	struct key_public key;
	struct knock *row;
	struct seen seen;

	if (c->count < 5 || !text_hex_to_bytes(c->at[0], key.bytes, KEY_LEN) ||
	    !to_seen(c->at + 1, &seen))
		return -EPROTO;
	row = diagnosis_add_knock(d);
	if (!row)
		return -ENOMEM;
	*row = (struct knock){ key, seen.count, seen.last_real, seen.from };
	return 0;
}

static int take_icmp(struct diagnosis *d, const struct columns *c)
{
	uint64_t type, code, error;
	struct icmp_report *row;
	struct endpoint to;
	struct seen seen;

	if (c->count < 8 || !to_place(c->at[0], &to) || !text_to_uint(c->at[1], UINT8_MAX, &type) ||
	    !text_to_uint(c->at[2], UINT8_MAX, &code) || !text_to_uint(c->at[3], INT_MAX, &error) ||
	    !to_seen(c->at + 4, &seen))
		return -EPROTO;
	row = diagnosis_add_icmp(d);
	if (!row)
		return -ENOMEM;
	*row = (struct icmp_report){ .to = to,
				     .reporter = seen.from.ip,
				     .type = (uint8_t)type,
				     .code = (uint8_t)code,
				     .error = (int)error,
				     .count = seen.count,
				     .last_real = seen.last_real };
	return 0;
}

static int take_count(struct diagnosis *d, const struct columns *c)
{
	struct named_count *row;
	const char *name;
	uint64_t value;

	if (c->count < 2 || !is_word(c->at[0]) || !text_to_uint(c->at[1], UINT64_MAX, &value))
		return -EPROTO;
	name = diagnosis_keep_word(d, c->at[0]);
	row = diagnosis_add_count(d);
	if (!row || !name)
		return -ENOMEM;
	*row = (struct named_count){ name, value };
	return 0;
}

static const struct {
	const char *key;
	int (*take)(struct diagnosis *d, const struct columns *c);
} rows[] = {
	{ "reject", take_reject }, { "public_key", take_peer }, { "knock", take_knock },
	{ "icmp", take_icmp },     { "count", take_count },
};

int uapi_report_row(struct diagnosis *d, const char *key, char *value)
{
	struct columns c;

	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (strcmp(rows[i].key, key) != 0)
			continue;
		split(value, &c);
		return rows[i].take(d, &c);
	}
	return 0;
}
