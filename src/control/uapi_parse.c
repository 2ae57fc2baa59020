#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "control/uapi.h"

/* 0, -EINVAL or -ENOMEM. A peer's parser finds its peer at the end of the patch. */
typedef int value_parser(struct uapi_parser *p, const char *value);

static struct model_peer *last_peer(struct uapi_parser *p)
{
	return &p->patch.peers[p->patch.peer_count - 1];
}

static int parse_key(const char *value, uint8_t ret[static KEY_LEN])
{
	return text_hex_to_bytes(value, ret, KEY_LEN) ? 0 : -EINVAL;
}

static int parse_true(const char *value, bool *ret)
{
	if (strcmp(value, "true") != 0)
		return -EINVAL;
	*ret = true;
	return 0;
}

static int parse_private_key(struct uapi_parser *p, const char *value)
{
	if (parse_key(value, p->patch.private_key.bytes) < 0)
		return -EINVAL;
	p->patch.has_private_key = true;
	return 0;
}

static int parse_listen_port(struct uapi_parser *p, const char *value)
{
	uint64_t port;

	if (!text_to_uint(value, UINT16_MAX, &port))
		return -EINVAL;
	p->patch.listen_port = (uint16_t)port;
	p->patch.has_listen_port = true;
	return 0;
}

static int parse_fwmark(struct uapi_parser *p, const char *value)
{
	uint64_t mark;

	if (!text_to_uint(value, UINT32_MAX, &mark))
		return -EINVAL;
	p->patch.fwmark = (uint32_t)mark;
	p->patch.has_fwmark = true;
	return 0;
}

static int parse_replace_peers(struct uapi_parser *p, const char *value)
{
	return parse_true(value, &p->patch.replace_peers);
}

static int parse_public_key(struct uapi_parser *p, const char *value)
{
	struct key_public key;
	struct model_peer *peer;

	if (parse_key(value, key.bytes) < 0)
		return -EINVAL;
	peer = model_add_peer(&p->patch);
	if (!peer)
		return -ENOMEM;
	peer->public_key = key;
	p->in_peer = true;
	return 0;
}

static int parse_remove(struct uapi_parser *p, const char *value)
{
	return parse_true(value, &last_peer(p)->remove);
}

static int parse_update_only(struct uapi_parser *p, const char *value)
{
	return parse_true(value, &last_peer(p)->update_only);
}

static int parse_preshared_key(struct uapi_parser *p, const char *value)
{
	if (parse_key(value, last_peer(p)->preshared_key.bytes) < 0)
		return -EINVAL;
	last_peer(p)->has_preshared_key = true;
	return 0;
}

static int parse_endpoint(struct uapi_parser *p, const char *value)
{
	if (!text_to_endpoint(value, &last_peer(p)->endpoint))
		return -EINVAL;
	last_peer(p)->has_endpoint = true;
	return 0;
}

static int parse_keepalive(struct uapi_parser *p, const char *value)
{
	uint64_t seconds;

	if (!text_to_uint(value, UINT16_MAX, &seconds))
		return -EINVAL;
	last_peer(p)->keepalive = (uint16_t)seconds;
	last_peer(p)->has_keepalive = true;
	return 0;
}

static int parse_replace_allowed(struct uapi_parser *p, const char *value)
{
	struct model_peer *peer = last_peer(p);

	if (parse_true(value, &peer->replace_allowed) < 0)
		return -EINVAL;
	peer->allowed_count = 0; /* it removes what this block has added so far, too */
	return 0;
}

static int parse_allowed_ip(struct uapi_parser *p, const char *value)
{
	const bool remove = value[0] == '-';
	struct prefix prefix;

	if (!text_to_prefix(value + remove, &prefix))
		return -EINVAL;
	prefix_mask(&prefix);
	return model_add_allowed(last_peer(p), &prefix, remove) ? 0 : -ENOMEM;
}

static int parse_protocol_version(struct uapi_parser *p, const char *value)
{
	(void)p; /* there is only one version */
	return strcmp(value, "1") == 0 ? 0 : -EINVAL;
}

enum section { SECTION_DEVICE, SECTION_PEER, SECTION_ANY };

static const struct row {
	const char *key;
	enum section section;
	value_parser *parse;
	const char *want;
} rows[] = {
	{ "private_key", SECTION_DEVICE, parse_private_key, "64 hex digits" },
	{ "listen_port", SECTION_DEVICE, parse_listen_port, "a number from 0 to 65535" },
	{ "fwmark", SECTION_DEVICE, parse_fwmark, "a decimal number below 2^32" },
	{ "replace_peers", SECTION_DEVICE, parse_replace_peers, "true, or no such line" },
	{ "public_key", SECTION_ANY, parse_public_key, "64 hex digits" },
	{ "remove", SECTION_PEER, parse_remove, "true, or no such line" },
	{ "update_only", SECTION_PEER, parse_update_only, "true, or no such line" },
	{ "preshared_key", SECTION_PEER, parse_preshared_key, "64 hex digits" },
	{ "endpoint", SECTION_PEER, parse_endpoint, "1.2.3.4:5 or [2001:db8::1]:5, never a name" },
	{ "persistent_keepalive_interval", SECTION_PEER, parse_keepalive, "seconds, 0 to 65535" },
	{ "replace_allowed_ips", SECTION_PEER, parse_replace_allowed, "true, or no such line" },
	{ "allowed_ip", SECTION_PEER, parse_allowed_ip, "[-]ADDRESS/BITS" },
	{ "protocol_version", SECTION_PEER, parse_protocol_version, "1" },
};

static const struct {
	const char *line;
	enum uapi_status operation;
} operations[] = {
	{ "get=1", UAPI_GET },
	{ "set=1", UAPI_SET },
	{ "diagnose=1", UAPI_DIAGNOSE },
};

/* diag_set first, if there is more to say than the hint. */
static enum uapi_status refuse(struct uapi_parser *p, int error, const char *hint)
{
	p->error = error;
	(void)snprintf(p->why.hint, sizeof(p->why.hint), "%s", hint); /* cut if too long */
	return UAPI_REFUSED;
}

static enum uapi_status refuse_no_memory(struct uapi_parser *p)
{
	diag_set(&p->why, DIAG_ERROR, "uapi-no-memory", p->line, "out of memory");
	return refuse(p, -ENOMEM, "a smaller request");
}

/* Anything else may be a piece of a secret that went astray. */
static bool is_printable_key(const char *key, size_t len)
{
	return len && len <= 32 && strspn(key, "abcdefghijklmnopqrstuvwxyz_") >= len;
}

static enum uapi_status refuse_unknown(struct uapi_parser *p, const char *key, size_t len)
{
	const bool print = is_printable_key(key, len);

	diag_set(&p->why, DIAG_ERROR, "uapi-unknown-key", p->line, "unknown key%s%.*s",
		 print ? " " : "", print ? (int)len : 0, key);
	return refuse(p, -EINVAL, "a key of the WireGuard cross-platform protocol");
}

static enum uapi_status refuse_section(struct uapi_parser *p, const struct row *row)
{
	diag_set(&p->why, DIAG_ERROR, "uapi-wrong-section", p->line, "%s %s", row->key,
		 p->in_peer ? "after a public_key" : "before any public_key");
	return refuse(p, -EINVAL,
		      p->in_peer ? "keys of the device before the first peer"
				 : "public_key first: it says which peer");
}

static enum uapi_status refuse_value(struct uapi_parser *p, const struct row *row)
{
	diag_set(&p->why, DIAG_ERROR, "uapi-bad-value", p->line, "bad value of %s", row->key);
	return refuse(p, -EINVAL, row->want);
}

static const struct row *find_row(const char *key, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (strlen(rows[i].key) == len && memcmp(rows[i].key, key, len) == 0)
			return &rows[i];
	}
	return NULL;
}

/* Looks at every byte alike: the line may hold a key. */
static bool has_control_byte(const char *line, size_t len)
{
	unsigned int found = 0;

	for (size_t i = 0; i < len; ++i) {
		const unsigned int c = (unsigned char)line[i];

		found |= (c - 0x20) >> 31 | ((c ^ 0x7f) - 1) >> 31;
	}
	return found;
}

static enum uapi_status parse_value(struct uapi_parser *p, const struct row *row, const char *value)
{
	if (row->section != SECTION_ANY && (row->section == SECTION_PEER) != p->in_peer)
		return refuse_section(p, row);
	if (row->section == SECTION_ANY && p->patch.peer_count >= UAPI_PEERS_MAX) {
		diag_set(&p->why, DIAG_ERROR, "uapi-too-many-peers", p->line, "too many peers");
		return refuse(p, -EINVAL, "at most 1048576 in one request");
	}
	switch (row->parse(p, value)) {
	case 0:
		return UAPI_MORE;
	case -ENOMEM:
		return refuse_no_memory(p);
	default:
		return refuse_value(p, row);
	}
}

/* One line of a set, NUL-terminated, without its newline. */
static enum uapi_status parse_line(struct uapi_parser *p, const char *line, size_t len)
{
	const char *equals;
	const struct row *row;

	if (!len)
		return UAPI_SET;
	if (has_control_byte(line, len)) {
		diag_set(&p->why, DIAG_ERROR, "uapi-control-byte", p->line, "control byte");
		return refuse(p, -EINVAL, "printable text; lines end in LF alone");
	}
	equals = memchr(line, '=', len);
	if (!equals) {
		diag_set(&p->why, DIAG_ERROR, "uapi-no-equals", p->line, "line without '='");
		return refuse(p, -EPROTO, "key=value");
	}
	row = find_row(line, (size_t)(equals - line));
	if (!row)
		return refuse_unknown(p, line, (size_t)(equals - line));
	return parse_value(p, row, equals + 1);
}

static enum uapi_status parse_operation(struct uapi_parser *p, const char *line, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(operations); ++i) {
		if (strlen(operations[i].line) != len || memcmp(operations[i].line, line, len) != 0)
			continue;
		p->operation = operations[i].operation;
		return UAPI_MORE;
	}
	p->operation = UAPI_UNKNOWN;
	return UAPI_UNKNOWN;
}

static enum uapi_status take_line(struct uapi_parser *p)
{
	const size_t len = p->partial.len;
	enum uapi_status status;

	buffer_append(&p->partial, "", 1);
	if (!buffer_ok(&p->partial))
		return refuse_no_memory(p);
	if (p->operation == UAPI_MORE)
		status = parse_operation(p, p->partial.bytes, len);
	else
		status = parse_line(p, p->partial.bytes, len);
	explicit_bzero(p->partial.bytes, len);
	p->partial.len = 0;
	++p->line;
	return status;
}

/* A get ends with the very next byte: whoever sends another one need not send its whole line. */
static enum uapi_status end_get(struct uapi_parser *p, char byte)
{
	if (byte == '\n')
		return p->operation;
	diag_set(&p->why, DIAG_ERROR, "uapi-get-with-rows", p->line, "more than one line in a %s",
		 p->operation == UAPI_GET ? "get" : "diagnose");
	return refuse(p, -EINVAL, "the blank line");
}

static enum uapi_status refuse_long_line(struct uapi_parser *p)
{
	if (p->operation == UAPI_MORE) {
		p->operation = UAPI_UNKNOWN;
		return UAPI_UNKNOWN;
	}
	diag_set(&p->why, DIAG_ERROR, "uapi-long-line", p->line, "line too long");
	return refuse(p, -EIO, "at most 64 KiB");
}

/* Up to and with the next newline. */
static enum uapi_status parse_piece(struct uapi_parser *p, const char *bytes, size_t len,
				    size_t *ret_used)
{
	const size_t room = UAPI_LINE_MAX - p->partial.len;
	const size_t look = len <= room ? len : room + 1;
	const char *newline = memchr(bytes, '\n', look);
	const size_t text = newline ? (size_t)(newline - bytes) : look;

	*ret_used = text + (newline != NULL);
	if (text > room)
		return refuse_long_line(p);
	buffer_append(&p->partial, bytes, text);
	if (!buffer_ok(&p->partial))
		return refuse_no_memory(p);
	return newline ? take_line(p) : UAPI_MORE;
}

void uapi_parser_init(struct uapi_parser *p)
{
	*p = (struct uapi_parser){ .operation = UAPI_MORE, .line = 1 };
	model_init(&p->patch);
	buffer_init(&p->partial);
}

void uapi_parser_done(struct uapi_parser *p)
{
	model_done(&p->patch);
	buffer_done(&p->partial);
	uapi_parser_init(p);
}

enum uapi_status uapi_parse(struct uapi_parser *p, const char *bytes, size_t len, size_t *ret_used)
{
	enum uapi_status status = UAPI_MORE;
	size_t used = 0, piece;

	assert(!p->error && p->operation != UAPI_UNKNOWN);
	while (status == UAPI_MORE && used < len) {
		if (p->operation == UAPI_GET || p->operation == UAPI_DIAGNOSE) {
			status = end_get(p, bytes[used++]);
			continue;
		}
		status = parse_piece(p, bytes + used, len - used, &piece);
		used += piece;
	}
	*ret_used = used;
	return status;
}
