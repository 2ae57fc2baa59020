#include "control/uapi.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "support.h"

#define KEY_A "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define KEY_B "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"
#define KEY_0 "0000000000000000000000000000000000000000000000000000000000000000"
#define PEER "public_key=" KEY_A "\n"

static const struct row {
	const char *request;
	enum uapi_status status;
	int error;
	unsigned int line; /* of the error */
} rows[] = {
	{ "get=1\n\n", UAPI_GET, 0, 0 },
	{ "diagnose=1\n\n", UAPI_DIAGNOSE, 0, 0 },
	{ "set=1\n\n", UAPI_SET, 0, 0 },
	{ "", UAPI_MORE, 0, 0 },
	{ "set=1", UAPI_MORE, 0, 0 },
	{ "set=1\n", UAPI_MORE, 0, 0 },
	{ "set=1\nlisten_port=1\n", UAPI_MORE, 0, 0 },
	{ "get=1\n", UAPI_MORE, 0, 0 },
	{ "\n", UAPI_UNKNOWN, 0, 0 },
	{ "\nget=1\n\n", UAPI_UNKNOWN, 0, 0 },
	{ "get=2\n\n", UAPI_UNKNOWN, 0, 0 },
	{ "get=1 \n\n", UAPI_UNKNOWN, 0, 0 },
	{ "get=1\r\n\r\n", UAPI_UNKNOWN, 0, 0 },
	{ "get=\n\n", UAPI_UNKNOWN, 0, 0 },
	{ "set=11\n\n", UAPI_UNKNOWN, 0, 0 },
	{ "GET / HTTP/1.1\n\n", UAPI_UNKNOWN, 0, 0 },
	{ "listen_port=1\n", UAPI_UNKNOWN, 0, 0 },
	{ "get=1\nlisten_port=1\n\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "get=1\nx", UAPI_REFUSED, -EINVAL, 2 },
	{ "diagnose=1\n=", UAPI_REFUSED, -EINVAL, 2 },

	/* the device */
	{ "set=1\nprivate_key=" KEY_A "\n\n", UAPI_SET, 0, 0 },
	{ "set=1\nprivate_key=" KEY_0 "\n\n", UAPI_SET, 0, 0 },
	{ "set=1\nprivate_key=" KEY_A "0\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nprivate_key=" KEY_A "=\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nprivate_key=\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nprivate_key=AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n", UAPI_REFUSED,
	  -EINVAL, 2 },
	{ "set=1\nlisten_port=0\nlisten_port=65535\n\n", UAPI_SET, 0, 0 },
	{ "set=1\nlisten_port=65536\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_port=-1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_port= 1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_port=1 \n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n listen_port=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_port =1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_port=\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_port\n", UAPI_REFUSED, -EPROTO, 2 },
	{ "set=1\nlisten_port=1\r\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_por=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nlisten_portt=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nListen_port=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nfwmark=4294967295\nfwmark=0\n\n", UAPI_SET, 0, 0 },
	{ "set=1\nfwmark=4294967296\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nfwmark=0x10\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nreplace_peers=true\n\n", UAPI_SET, 0, 0 },
	{ "set=1\nreplace_peers=false\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nreplace_peers=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nreplace_peers=True\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nname=wg0\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nset=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n=\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n \n", UAPI_REFUSED, -EPROTO, 2 },
	{ "set=1\n\r\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n\x7f=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nnothing\tat all\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n#: comment\n", UAPI_REFUSED, -EPROTO, 2 },

	/* the sections */
	{ "set=1\nremove=true\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nallowed_ip=::/0\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nendpoint=1.2.3.4:5\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\nprotocol_version=1\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n" PEER "listen_port=1\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "private_key=" KEY_A "\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "fwmark=1\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "replace_peers=true\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER PEER "public_key=" KEY_B "\n\n", UAPI_SET, 0, 0 },

	/* a peer */
	{ "set=1\npublic_key=" KEY_0 "\n\n", UAPI_SET, 0, 0 },
	{ "set=1\npublic_key=FFEEDDCCBBAA99887766554433221100ffeeddccbbaa99887766554433221100\n\n",
	  UAPI_SET, 0, 0 },
	{ "set=1\npublic_key=g" KEY_A "\n", UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\npublic_key=zz02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\n",
	  UAPI_REFUSED, -EINVAL, 2 },
	{ "set=1\n" PEER "preshared_key=" KEY_B "\npreshared_key=" KEY_0 "\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "preshared_key=0\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "remove=true\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "remove=false\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "update_only=true\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "update_only=yes\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "replace_allowed_ips=true\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "replace_allowed_ips=\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "protocol_version=1\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "protocol_version=2\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "protocol_version=01\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "persistent_keepalive_interval=65535\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "persistent_keepalive_interval=65536\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "persistent_keepalive_interval=off\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "endpoint=1.2.3.4:51820\nendpoint=[2001:db8::1]:1\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "endpoint=[fe80::1%1]:51820\n\n", UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "endpoint=localhost:51820\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "endpoint=1.2.3.4\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "endpoint=1.2.3.4:0\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "endpoint=2001:db8::1:1\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "endpoint=\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=10.0.0.7/8\nallowed_ip=-::1/128\nallowed_ip=0.0.0.0/0\n\n",
	  UAPI_SET, 0, 0 },
	{ "set=1\n" PEER "allowed_ip=10.0.0.7\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=10.0.0.7/33\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=::/129\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=10.0.0.7/\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=--10.0.0.7/8\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=+10.0.0.7/8\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=-\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "allowed_ip=10.0.0.0/8,11.0.0.0/8\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "last_handshake_time_sec=1\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "rx_bytes=1\n", UAPI_REFUSED, -EINVAL, 3 },
	{ "set=1\n" PEER "errno=0\n", UAPI_REFUSED, -EINVAL, 3 },
};

/* Feeds the rest after a piece, as a reader of a stream does. Returns the bytes used. */
static size_t feed(struct uapi_parser *p, const char *bytes, size_t len, size_t piece,
		   enum uapi_status *ret)
{
	size_t used, all = 0;

	*ret = UAPI_MORE;
	while (*ret == UAPI_MORE && all < len) {
		const size_t now = len - all < piece ? len - all : piece;
		/* of the exact size, so that a sanitizer sees one byte too many */
		char *copy = malloc(now);

		assert_non_null(copy);
		memcpy(copy, bytes + all, now);
		*ret = uapi_parse(p, copy, now, &used);
		assert_true(used <= now);
		assert_true(*ret != UAPI_MORE || used == now);
		all += used;
		free(copy);
	}
	return all;
}

static void check_row(const struct row *row, size_t piece)
{
	struct uapi_parser p;
	enum uapi_status status;

	uapi_parser_init(&p);
	(void)feed(&p, row->request, strlen(row->request), piece, &status);
	if (status != row->status || p.error != row->error)
		print_error("%s", row->request);
	assert_int_equal(status, row->status);
	assert_int_equal(p.error, row->error);
	if (status == UAPI_REFUSED) {
		assert_int_equal(p.why.severity, DIAG_ERROR);
		assert_int_equal(p.why.line, row->line);
		assert_true(p.why.text[0] && p.why.hint[0] && p.why.id);
		assert_null(strstr(p.why.text, "0102"));
		assert_null(strstr(p.why.text, "AQID"));
		assert_false(
			p.patch.has_private_key); /* no row has a good one before the bad line */
		assert_false(p.patch.peer_count &&
			     (p.patch.peers[0].has_endpoint || p.patch.peers[0].has_preshared_key));
	}
	uapi_parser_done(&p);
}

static void accepted_and_refused_requests(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		check_row(&rows[i], SIZE_MAX);
		check_row(&rows[i], 1);
		check_row(&rows[i], 7);
	}
}

/* A secret that lost its key must not get into the log as an "unknown key". */
static void a_stray_secret_is_not_quoted(void **state)
{
	const char request[] = "set=1\nAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=\n";
	struct uapi_parser p;
	enum uapi_status status;

	(void)state;
	uapi_parser_init(&p);
	(void)feed(&p, request, strlen(request), SIZE_MAX, &status);
	assert_int_equal(status, UAPI_REFUSED);
	assert_string_equal(p.why.text, "unknown key");
	uapi_parser_done(&p);
}

static const char full[] =
	"set=1\nprivate_key=" KEY_B "\nlisten_port=51820\nfwmark=3405691582\nreplace_peers=true\n"
	"public_key=" KEY_A "\nupdate_only=true\npreshared_key=" KEY_B
	"\nendpoint=192.0.2.1:51820\npersistent_keepalive_interval=25\nreplace_allowed_ips=true\n"
	"allowed_ip=10.1.0.0/16\nallowed_ip=-10.2.0.0/16\nallowed_ip=2001:db8::/32\n"
	"public_key=" KEY_B "\nremove=true\n"
	"public_key=" KEY_A "\nendpoint=[2001:db8::1]:7\nallowed_ip=0.0.0.0/0\n\n";

static void check_full(const struct uapi_parser *p)
{
	const struct model *m = &p->patch;
	const struct model_peer *a;

	assert_true(m->has_private_key && m->has_listen_port && m->has_fwmark && m->replace_peers);
	assert_int_equal(m->private_key.bytes[0], 0xff);
	assert_int_equal(m->private_key.bytes[31], 0);
	assert_int_equal(m->listen_port, 51820);
	assert_int_equal(m->fwmark, 3405691582);
	assert_int_equal(m->peer_count, 3);
	a = &m->peers[0];
	assert_true(a->update_only && a->has_preshared_key && a->has_endpoint && a->has_keepalive);
	assert_true(a->replace_allowed && !a->remove);
	assert_int_equal(a->public_key.bytes[31], 0x20);
	assert_int_equal(a->preshared_key.bytes[1], 0xee);
	assert_int_equal(a->endpoint.port, 51820);
	assert_int_equal(a->keepalive, 25);
	assert_int_equal(a->allowed_count, 3);
	assert_int_equal(a->allowed[0].prefix.bits, 16);
	assert_false(a->allowed[0].remove);
	assert_true(a->allowed[1].remove);
	assert_int_equal(a->allowed[1].prefix.ip.bytes[1], 2);
	assert_int_equal(a->allowed[2].prefix.ip.family, FAMILY_V6);
	assert_true(m->peers[1].remove && !m->peers[1].has_endpoint && !m->peers[1].has_keepalive);
	assert_false(m->peers[2].update_only || m->peers[2].has_preshared_key);
	assert_int_equal(m->peers[2].endpoint.port, 7);
}

static void a_whole_set_at_every_split(void **state)
{
	const size_t len = strlen(full);
	struct uapi_parser p;
	size_t used;

	(void)state;
	for (size_t split = 0; split <= len; ++split) {
		enum uapi_status status = UAPI_MORE;

		uapi_parser_init(&p);
		if (split) {
			status = uapi_parse(&p, full, split, &used);
			assert_int_equal(used, split);
		}
		if (split < len) {
			assert_int_equal(status, UAPI_MORE);
			status = uapi_parse(&p, full + split, len - split, &used);
			assert_int_equal(used, len - split);
		}
		assert_int_equal(status, UAPI_SET);
		check_full(&p);
		uapi_parser_done(&p);
	}
}

static void a_refusal_is_the_same_at_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		const size_t len = strlen(rows[i].request);

		for (size_t split = 1; split < len; ++split) {
			struct uapi_parser whole, parts;
			enum uapi_status a, b;
			size_t used_whole, used_first, used_rest = 0;

			uapi_parser_init(&whole);
			uapi_parser_init(&parts);
			a = uapi_parse(&whole, rows[i].request, len, &used_whole);
			b = uapi_parse(&parts, rows[i].request, split, &used_first);
			if (b == UAPI_MORE)
				b = uapi_parse(&parts, rows[i].request + split, len - split,
					       &used_rest);
			assert_int_equal(a, b);
			assert_int_equal(used_whole, used_first + used_rest);
			assert_int_equal(whole.error, parts.error);
			assert_int_equal(whole.why.line, parts.why.line);
			uapi_parser_done(&whole);
			uapi_parser_done(&parts);
		}
	}
}

static void bytes_behind_a_request_are_left(void **state)
{
	const char two[] = "set=1\nlisten_port=1\n\nget=1\n\nset=1\n";
	struct uapi_parser p;
	size_t used;

	(void)state;
	uapi_parser_init(&p);
	assert_int_equal(uapi_parse(&p, two, strlen(two), &used), UAPI_SET);
	assert_int_equal(used, strlen("set=1\nlisten_port=1\n\n"));
	uapi_parser_done(&p);
	assert_int_equal(uapi_parse(&p, two + used, strlen(two) - used, &used), UAPI_GET);
	assert_int_equal(used, strlen("get=1\n\n"));
	uapi_parser_done(&p);
}

static void nothing_is_complete_before_the_blank_line(void **state)
{
	struct uapi_parser p;
	size_t used;

	(void)state;
	uapi_parser_init(&p);
	assert_int_equal(uapi_parse(&p, full, strlen(full) - 1, &used), UAPI_MORE);
	uapi_parser_done(&p);
	assert_int_equal(p.patch.peer_count, 0);
	assert_false(p.patch.has_private_key);
}

/* Feeds "set=1\n" and then a line of len bytes without and with its newline. */
static enum uapi_status parse_long(const char *start, size_t len, size_t piece, int *ret_error)
{
	const size_t head = strlen(start);
	char *request = malloc(head + len + 1);
	struct uapi_parser p;
	enum uapi_status status;

	assert_non_null(request);
	memcpy(request, start, head);
	memset(request + head, 'a', len);
	request[head + len] = '\n';
	uapi_parser_init(&p);
	(void)feed(&p, request, head + len + 1, piece, &status);
	*ret_error = p.error;
	uapi_parser_done(&p);
	free(request);
	return status;
}

static void long_lines(void **state)
{
	static const size_t pieces[] = { 1, 1000, 65536, 65537, SIZE_MAX };
	int error;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(pieces); ++i) {
		assert_int_equal(parse_long("set=1\n", UAPI_LINE_MAX, pieces[i], &error),
				 UAPI_REFUSED);
		assert_int_equal(error, -EPROTO);
		assert_int_equal(parse_long("set=1\n", UAPI_LINE_MAX + 1, pieces[i], &error),
				 UAPI_REFUSED);
		assert_int_equal(error, -EIO);
		assert_int_equal(parse_long("", UAPI_LINE_MAX + 1, pieces[i], &error),
				 UAPI_UNKNOWN);
		assert_int_equal(parse_long("get=1\n", UAPI_LINE_MAX + 1, pieces[i], &error),
				 UAPI_REFUSED);
		assert_int_equal(error, -EINVAL);
	}
}

/* An endless line is refused before it ends. */
static void an_endless_line_costs_bounded_memory(void **state)
{
	struct uapi_parser p;
	enum uapi_status status;
	size_t used, all = 6;

	(void)state;
	uapi_parser_init(&p);
	status = uapi_parse(&p, "set=1\n", 6, &used);
	for (; status == UAPI_MORE && all < 1 << 20; all += used)
		status = uapi_parse(&p, "aaaaaaaa", 8, &used);
	assert_int_equal(status, UAPI_REFUSED);
	assert_int_equal(p.error, -EIO);
	assert_int_equal(all, 6 + UAPI_LINE_MAX + 1);
	assert_true(p.partial.room <= 2 * UAPI_LINE_MAX);
	uapi_parser_done(&p);
}

static void a_nul_byte_is_refused(void **state)
{
	static const char *const before[] = { "set=1\n", "set=1\nlisten_port=1",
					      "set=1\nlisten_port", "set=1\n" PEER "endpoint=" };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(before); ++i) {
		struct uapi_parser p;
		enum uapi_status status;
		char request[300] = { 0 };
		const size_t len = strlen(before[i]);

		memcpy(request, before[i], len);
		memcpy(request + len + 1, "\n\n", 2);
		uapi_parser_init(&p);
		(void)feed(&p, request, len + 3, SIZE_MAX, &status);
		assert_int_equal(status, UAPI_REFUSED);
		assert_int_equal(p.error, -EINVAL);
		uapi_parser_done(&p);
	}
}

static void too_many_peers_are_refused(void **state)
{
	struct uapi_parser p;
	size_t used, count;

	(void)state;
	uapi_parser_init(&p);
	assert_int_equal(uapi_parse(&p, "set=1\n" PEER, strlen("set=1\n" PEER), &used), UAPI_MORE);
	count = p.patch.peer_count;
	p.patch.peer_count = UAPI_PEERS_MAX; /* as if */
	assert_int_equal(uapi_parse(&p, PEER, strlen(PEER), &used), UAPI_REFUSED);
	assert_int_equal(p.error, -EINVAL);
	assert_string_equal(p.why.id, "uapi-too-many-peers");
	p.patch.peer_count = count;
	uapi_parser_done(&p);
}

/* replace_allowed_ips also removes what the same block added before it, as in wireguard-go. */
static void replace_allowed_ips_forgets_earlier_ones(void **state)
{
	const char request[] = "set=1\n" PEER "allowed_ip=10.0.0.0/8\nreplace_allowed_ips=true\n"
			       "allowed_ip=11.7.7.7/8\n\n";
	struct uapi_parser p;
	enum uapi_status status;

	(void)state;
	uapi_parser_init(&p);
	(void)feed(&p, request, strlen(request), SIZE_MAX, &status);
	assert_int_equal(status, UAPI_SET);
	assert_int_equal(p.patch.peers[0].allowed_count, 1);
	assert_int_equal(p.patch.peers[0].allowed[0].prefix.ip.bytes[0], 11);
	assert_int_equal(p.patch.peers[0].allowed[0].prefix.ip.bytes[1], 0);
	uapi_parser_done(&p);
}

static void assert_text(struct buffer *b, const char *want)
{
	assert_true(buffer_ok(b));
	buffer_append(b, "", 1);
	assert_string_equal(b->bytes, want);
	buffer_done(b);
}

static struct model_peer *add_peer(struct model *m, const char *key)
{
	struct model_peer *p = model_add_peer(m);

	assert_non_null(p);
	test_from_hex(key, p->public_key.bytes, KEY_LEN);
	return p;
}

static void golden_get(void **state)
{
	const struct prefix four = { .ip = { FAMILY_V4, { 10, 1 } }, .bits = 16 };
	const struct prefix six = { .ip = { FAMILY_V6, { 0x20, 1, 0xd, 0xb8 } }, .bits = 32 };
	struct model_peer *p;
	struct buffer b;
	struct model m;

	(void)state;
	model_init(&m);
	buffer_init(&b);
	test_from_hex(KEY_B, m.private_key.bytes, KEY_LEN);
	m.has_private_key = m.has_listen_port = m.has_fwmark = true;
	m.listen_port = 51820;
	m.fwmark = UINT32_MAX;
	p = add_peer(&m, KEY_A);
	p->endpoint = (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, 1 } }, .port = 7 };
	p->has_endpoint = true;
	p->keepalive = 25;
	p->handshake_real = UINT64_C(1700000000000000042);
	p->tx_bytes = UINT64_MAX;
	p->rx_bytes = 10;
	assert_true(model_add_allowed(p, &six, false));
	assert_true(model_add_allowed(p, &four, false));
	add_peer(&m, KEY_B);
	uapi_write_model(&b, &m);
	uapi_write_errno(&b, UAPI_GET, 0);
	assert_text(&b, "private_key=" KEY_B "\nlisten_port=51820\nfwmark=4294967295\n"
			"public_key=" KEY_A "\npreshared_key=" KEY_0 "\nprotocol_version=1\n"
			"endpoint=192.0.2.1:7\nlast_handshake_time_sec=1700000000\n"
			"last_handshake_time_nsec=42\ntx_bytes=18446744073709551615\nrx_bytes=10\n"
			"persistent_keepalive_interval=25\nallowed_ip=2001:db8::/32\n"
			"allowed_ip=10.1.0.0/16\n"
			"public_key=" KEY_B "\npreshared_key=" KEY_0 "\nprotocol_version=1\n"
			"last_handshake_time_sec=0\nlast_handshake_time_nsec=0\ntx_bytes=0\n"
			"rx_bytes=0\npersistent_keepalive_interval=0\nerrno=0\n\n");
	model_done(&m);
}

static void an_empty_device_is_only_an_errno(void **state)
{
	struct buffer b;
	struct model m;

	(void)state;
	model_init(&m);
	buffer_init(&b);
	uapi_write_model(&b, &m);
	uapi_write_errno(&b, UAPI_GET, 0);
	assert_text(&b, "errno=0\n\n");
	model_done(&m);
}

static void errno_signs(void **state)
{
	struct buffer b;

	(void)state;
	buffer_init(&b);
	uapi_write_errno(&b, UAPI_SET, -EADDRINUSE);
	uapi_write_errno(&b, UAPI_SET, EADDRINUSE);
	uapi_write_errno(&b, UAPI_GET, -EADDRINUSE);
	uapi_write_errno(&b, UAPI_DIAGNOSE, -EINVAL);
	uapi_write_errno(&b, UAPI_SET, 0);
	assert_text(&b, "errno=-98\n\nerrno=-98\n\nerrno=98\n\nerrno=22\n\nerrno=0\n\n");
}

static void golden_diagnosis(void **state)
{
	const struct endpoint from = { .ip = { FAMILY_V4, { 192, 0, 2, 1 } }, .port = 7 };
	const struct endpoint inner = { .ip = { FAMILY_V6, { 0xfd, [15] = 1 } } };
	struct diagnosis d;
	struct buffer b;

	(void)state;
	diagnosis_init(&d);
	buffer_init(&b);
	assert_true(diagnosis_take(&d, 1, 1, 1, 2));
	assert_true(diagnosis_take_rejects(&d.rejects, &d.reject_count, 1));
	assert_true(diagnosis_take_rejects(&d.peers[0].rejects, &d.peers[0].reject_count, 2));
	d.rejects[0] = (struct reject){ "mac1", 3, UINT64_C(5000000006), from };
	d.peers[0].rejects[0] = (struct reject){ "replay", 1, UINT64_C(9000000000), from };
	d.peers[0].rejects[1] = (struct reject){ "allowed-ip", 2, 0, inner };
	d.knocks[0].count = 4;
	test_from_hex(KEY_A, d.knocks[0].public_key.bytes, KEY_LEN);
	test_from_hex(KEY_B, d.peers[0].public_key.bytes, KEY_LEN);
	d.icmp[0] = (struct icmp_report){ .to = from,
					  .reporter = from.ip,
					  .type = 3,
					  .code = 4,
					  .error = EMSGSIZE,
					  .count = 9,
					  .last_real = UINT64_C(1000000001) };
	d.counts[0] = (struct named_count){ "udp-recv-calls", UINT64_MAX };
	d.counts[1] = (struct named_count){ "tun-reads", 0 };
	uapi_write_diagnosis(&b, &d);
	assert_text(&b, "reject=mac1 3 5 6 192.0.2.1:7\n"
			"knock=" KEY_A " 4 0 0 -\n"
			"icmp=192.0.2.1:7 3 4 90 9 1 1 192.0.2.1\n"
			"count=udp-recv-calls 18446744073709551615\ncount=tun-reads 0\n"
			"public_key=" KEY_B "\nreject=replay 1 9 0 192.0.2.1:7\n"
			"reject=allowed-ip 2 0 0 fd00::1\n");
	diagnosis_done(&d);
}

static void a_patch_survives_write_and_parse(void **state)
{
	struct uapi_parser first, second;
	struct buffer b, again;
	size_t used;

	(void)state;
	uapi_parser_init(&first);
	uapi_parser_init(&second);
	buffer_init(&b);
	buffer_init(&again);
	assert_int_equal(uapi_parse(&first, full, strlen(full), &used), UAPI_SET);
	uapi_write_patch(&b, &first.patch);
	assert_true(buffer_ok(&b));
	assert_int_equal(uapi_parse(&second, b.bytes, b.len, &used), UAPI_SET);
	assert_int_equal(used, b.len);
	check_full(&second);
	uapi_write_patch(&again, &second.patch);
	assert_int_equal(again.len, b.len);
	assert_memory_equal(again.bytes, b.bytes, b.len);
	assert_text(&b, full);
	buffer_done(&again);
	uapi_parser_done(&first);
	uapi_parser_done(&second);
}

static void random_patch(struct model *m, uint64_t *seed)
{
	m->has_listen_port = test_random_below(seed, 2);
	m->listen_port = m->has_listen_port ? (uint16_t)test_random(seed) : 0;
	m->has_fwmark = test_random_below(seed, 2);
	m->fwmark = m->has_fwmark ? (uint32_t)test_random(seed) : 0;
	for (uint64_t i = test_random_below(seed, 5); i > 0; --i) {
		struct model_peer *p = model_add_peer(m);

		assert_non_null(p);
		test_random_fill(seed, p->public_key.bytes, KEY_LEN);
		p->has_endpoint = test_random_below(seed, 2);
		if (p->has_endpoint) {
			p->endpoint.ip.family = FAMILY_V6;
			test_random_fill(seed, p->endpoint.ip.bytes, 16);
			p->endpoint.port = (uint16_t)(1 + test_random_below(seed, UINT16_MAX));
		}
		for (uint64_t j = test_random_below(seed, 4); j > 0; --j) {
			struct prefix prefix = { .ip.family = FAMILY_V4 };

			test_random_fill(seed, prefix.ip.bytes, 4);
			prefix.bits = (uint8_t)test_random_below(seed, 33);
			prefix_mask(&prefix);
			assert_true(model_add_allowed(p, &prefix, test_random_below(seed, 2)));
		}
	}
}

static void random_patches_survive_any_pieces(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 300; ++i) {
		struct uapi_parser p;
		struct buffer b, again;
		enum uapi_status status;
		struct model m;

		model_init(&m);
		buffer_init(&b);
		buffer_init(&again);
		uapi_parser_init(&p);
		random_patch(&m, &seed);
		uapi_write_patch(&b, &m);
		assert_int_equal(
			feed(&p, b.bytes, b.len, 1 + test_random_below(&seed, 90), &status), b.len);
		assert_int_equal(status, UAPI_SET);
		uapi_write_patch(&again, &p.patch);
		assert_int_equal(again.len, b.len);
		assert_memory_equal(again.bytes, b.bytes, b.len);
		uapi_parser_done(&p);
		buffer_done(&b);
		buffer_done(&again);
		model_done(&m);
	}
}

#define PSK_A "preshared_key=" KEY_A "\n"
#define PSK_B "preshared_key=" KEY_B "\n"
#define PSK_0 "preshared_key=" KEY_0 "\n"
#define PSK_1 "preshared_key=1000000000000000000000000000000000000000000000000000000000000001\n"
#define OF_A "public_key=" KEY_A "\n"
#define OF_B "public_key=" KEY_B "\n"

static const struct {
	const char *text;
	const char *of_all;
	const char *of_a;
	const char *of_both;
} wiped[] = {
	{ "", "", "", "" },
	{ "set=1\n", "set=1\n", "set=1\n", "set=1\n" },
	{ "private_key=" KEY_B "\n" OF_A PSK_B, "private_key=" KEY_B "\n" OF_A PSK_0,
	  "private_key=" KEY_B "\n" OF_A PSK_0, "private_key=" KEY_B "\n" OF_A PSK_0 },
	{ OF_A PSK_A OF_B PSK_B "\n", OF_A PSK_0 OF_B PSK_0 "\n", OF_A PSK_0 OF_B PSK_B "\n",
	  OF_A PSK_0 OF_B PSK_0 "\n" },
	{ OF_B PSK_B OF_A "update_only=true\n" PSK_A, OF_B PSK_0 OF_A "update_only=true\n" PSK_0,
	  OF_B PSK_B OF_A "update_only=true\n" PSK_0, OF_B PSK_0 OF_A "update_only=true\n" PSK_0 },
	{ OF_A OF_B PSK_A, OF_A OF_B PSK_0, OF_A OF_B PSK_A, OF_A OF_B PSK_0 },
	/* no whole lines */
	{ OF_A "preshared_key=" KEY_A, OF_A "preshared_key=" KEY_0, OF_A "preshared_key=" KEY_0,
	  OF_A "preshared_key=" KEY_0 },
	{ OF_A "preshared_key=abc\n", OF_A "preshared_key=abc\n", OF_A "preshared_key=abc\n",
	  OF_A "preshared_key=abc\n" },
	{ PSK_A, PSK_A, PSK_A, PSK_A },
	{ OF_A PSK_1, OF_A PSK_0, OF_A PSK_0, OF_A PSK_0 },
};

static void expect_wiped(const char *text, const struct key_public *peers, size_t count,
			 const char *want)
{
	const size_t len = strlen(text);
	uint8_t *exact = malloc(len ? len : 1);

	memcpy(exact, text, len);
	uapi_wipe_psks(exact, len, peers, count);
	assert_memory_equal(exact, want, len);
	free(exact);
}

static void preshared_keys_are_wiped(void **state)
{
	struct key_public both[2];

	(void)state;
	assert_true(text_hex_to_bytes(KEY_A, both[0].bytes, KEY_LEN));
	assert_true(text_hex_to_bytes(KEY_B, both[1].bytes, KEY_LEN));
	for (size_t i = 0; i < ELEMENTS(wiped); ++i) {
		expect_wiped(wiped[i].text, NULL, 0, wiped[i].of_all);
		expect_wiped(wiped[i].text, both, 1, wiped[i].of_a);
		expect_wiped(wiped[i].text, both, 2, wiped[i].of_both);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_and_refused_requests),
		cmocka_unit_test(a_stray_secret_is_not_quoted),
		cmocka_unit_test(a_whole_set_at_every_split),
		cmocka_unit_test(a_refusal_is_the_same_at_every_split),
		cmocka_unit_test(bytes_behind_a_request_are_left),
		cmocka_unit_test(nothing_is_complete_before_the_blank_line),
		cmocka_unit_test(long_lines),
		cmocka_unit_test(an_endless_line_costs_bounded_memory),
		cmocka_unit_test(a_nul_byte_is_refused),
		cmocka_unit_test(too_many_peers_are_refused),
		cmocka_unit_test(replace_allowed_ips_forgets_earlier_ones),
		cmocka_unit_test(golden_get),
		cmocka_unit_test(an_empty_device_is_only_an_errno),
		cmocka_unit_test(errno_signs),
		cmocka_unit_test(golden_diagnosis),
		cmocka_unit_test(a_patch_survives_write_and_parse),
		cmocka_unit_test(random_patches_survive_any_pieces),
		cmocka_unit_test(preshared_keys_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
