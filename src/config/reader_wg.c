/* The keys that wg reads: a blank is nothing wherever it stands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/reader.h"
#include "config/value.h"

enum { WORD_MAX = 320 }; /* more than any name of a host and a port */

struct word { /* a value without blanks; wiped by whoever made it */
	char text[WORD_MAX];
	size_t len;
};

/* Too long for anything becomes one character, which is no right value either. */
static void strip(const struct reader_value *v, struct word *ret)
{
	if (!value_strip(v->text, v->len, ret->text, sizeof(ret->text), &ret->len)) {
		ret->text[0] = '!';
		ret->len = 1;
	}
}

static struct tunnel_peer *this_peer(struct reader *r)
{
	return &r->t->peers[r->t->model.peer_count - 1];
}

static struct model_peer *this_model_peer(struct reader *r)
{
	return &r->t->model.peers[r->t->model.peer_count - 1];
}

static struct span value_span(const struct reader *r, const struct reader_value *v)
{
	return reader_span(r, v->text, v->len);
}

static bool is_base64(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '+' || c == '/';
}

static bool is_hex(const struct word *w)
{
	for (size_t i = 0; i < w->len; ++i) {
		if (!(w->text[i] >= '0' && w->text[i] <= '9') &&
		    !((w->text[i] | 0x20) >= 'a' && (w->text[i] | 0x20) <= 'f'))
			return false;
	}
	return w->len == 64;
}

static size_t base64_len(const struct word *w)
{
	size_t n = 0;

	while (n < w->len && is_base64(w->text[n]))
		++n;
	return n;
}

/* Words that people leave in templates; none of them can be in 44 characters of a key by chance
 * often enough to matter, and then the key is wrong anyway. */
static bool is_placeholder(const struct word *w)
{
	static const char *const words[] = { "key", "your", "xxx", "...", "private", "public" };
	char text[WORD_MAX + 1];

	memcpy(text, w->text, w->len < WORD_MAX ? w->len : WORD_MAX);
	text[w->len < WORD_MAX ? w->len : WORD_MAX] = '\0';
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); ++i) {
		if (strcasestr(text, words[i])) {
			explicit_bzero(text, sizeof(text));
			return true;
		}
	}
	explicit_bzero(text, sizeof(text));
	return false;
}

/* Why it is no key, without a word of what it is. */
static void complain_key(struct reader *r, const struct reader_value *v, const struct word *w)
{
	const struct span at = value_span(r, v);
	const char *name = v->row->name;
	const size_t good = base64_len(w);

	if (is_hex(w))
		diag_hint(reader_complain(r, COMPLAINT_KEY_FORMAT, &at,
					  "%s: the key is in hexadecimal", name),
			  "write it in base64, as `wg genkey` and `wg pubkey` do");
	else if (w->len == 43 && good == 43)
		diag_hint(reader_complain(r, COMPLAINT_KEY_FORMAT, &at,
					  "%s: the '=' at the end of the key is missing", name),
			  "add it, or copy the key again");
	else if (is_placeholder(w) && (w->len != 44 || good < 43))
		diag_hint(reader_complain(r, COMPLAINT_PLACEHOLDER, &at,
					  "%s: this is a placeholder, not a key", name),
			  "put a key in its place: 44 characters that end with '='");
	else if (w->len != 44)
		diag_hint(reader_complain(r, COMPLAINT_KEY_FORMAT, &at,
					  "%s: not a key: it has %zu characters instead of 44",
					  name, w->len),
			  "copy the whole key again");
	else if (good < 43)
		diag_hint(reader_complain(r, COMPLAINT_KEY_FORMAT, &at,
					  "%s: not a key: character %zu is not of base64", name,
					  good + 1),
			  "copy the key again; base64 is A-Z a-z 0-9 + /");
	else
		diag_hint(reader_complain(r, COMPLAINT_KEY_FORMAT, &at,
					  "%s: not a key: its last characters cannot be right",
					  name),
			  "copy the key again: one or more characters were changed");
}

/* False, and said so: it is no key. */
static bool read_key(struct reader *r, const struct reader_value *v, uint8_t ret[static KEY_LEN])
{
	struct word w;
	bool good = false;

	strip(v, &w);
	if (value_key(w.text, w.len, ret) == VALUE_OK)
		good = true;
	else if (!reader_is_template(r, COMPLAINT_KEY_FORMAT, v))
		complain_key(r, v, &w);
	explicit_bzero(&w, sizeof(w));
	return good;
}

static void read_private_key(struct reader *r, const struct reader_value *v)
{
	r->t->private_key = value_span(r, v);
	if (read_key(r, v, r->t->model.private_key.bytes))
		r->t->model.has_private_key = true;
}

static void read_public_key(struct reader *r, const struct reader_value *v)
{
	this_peer(r)->public_key = value_span(r, v);
	if (read_key(r, v, this_model_peer(r)->public_key.bytes))
		this_peer(r)->has_public_key = true;
}

static void read_preshared_key(struct reader *r, const struct reader_value *v)
{
	this_peer(r)->preshared_key = value_span(r, v);
	if (read_key(r, v, this_model_peer(r)->preshared_key.bytes))
		this_model_peer(r)->has_preshared_key = true;
}

static bool is_service(const char *text, size_t len)
{
	for (size_t i = 0; i < len; ++i) {
		if (!is_base64(text[i]) && text[i] != '-' && text[i] != '_' && text[i] != '.')
			return false;
		if (text[i] == '+' || text[i] == '/')
			return false;
	}
	return len > 0 && len < READER_QUOTE &&
	       ((text[0] | 0x20) >= 'a' && (text[0] | 0x20) <= 'z');
}

/* A port by number or by the name of a service; false, and said so: neither. */
static bool read_port(struct reader *r, const struct reader_value *v, enum complaint c,
		      const char *text, size_t len, uint16_t *ret, char **ret_service)
{
	const struct span at = value_span(r, v);
	const enum value_error error = value_port(text, len, ret);
	char quote[READER_QUOTE];

	free(*ret_service);
	*ret_service = NULL;
	if (error == VALUE_OK)
		return true;
	if (error == VALUE_PORT_NAME && is_service(text, len)) {
		diag_hint(reader_complain(r, COMPLAINT_SERVICE, &at,
					  "%s: %s is no number: wg looks for it in /etc/services, "
					  "and refuses the file where it is not there",
					  v->row->name, reader_quote(text, len, "this", quote)),
			  "write the number of the port");
		*ret = 0;
		reader_check(r, tunnel_set_text(ret_service, text, len));
		return true;
	}
	diag_hint(reader_complain(r, c, &at, "%s: %s is not a port", v->row->name,
				  reader_quote(text, len, "this", quote)),
		  "a port is a number from 1 to 65535");
	return false;
}

static void read_listen_port(struct reader *r, const struct reader_value *v)
{
	struct word w;

	strip(v, &w);
	r->t->listen_port = value_span(r, v);
	if (!reader_is_template(r, COMPLAINT_PORT, v) &&
	    read_port(r, v, COMPLAINT_PORT, w.text, w.len, &r->t->model.listen_port,
		      &r->t->listen_service))
		r->t->model.has_listen_port = true;
}

static void read_fwmark(struct reader *r, const struct reader_value *v)
{
	const struct span at = value_span(r, v);
	struct word w;

	strip(v, &w);
	r->t->fwmark = at;
	if (value_fwmark(w.text, w.len, &r->t->model.fwmark) == VALUE_OK)
		r->t->model.has_fwmark = true;
	else if (!reader_is_template(r, COMPLAINT_FWMARK, v))
		diag_hint(reader_complain(r, COMPLAINT_FWMARK, &at, "FwMark: not a mark"),
			  "off, a decimal number, or 0x and hexadecimal digits, of 32 bits");
}

static void read_keepalive(struct reader *r, const struct reader_value *v)
{
	const struct span at = value_span(r, v);
	struct word w;

	strip(v, &w);
	this_peer(r)->keepalive = at;
	if (value_keepalive(w.text, w.len, &this_model_peer(r)->keepalive) == VALUE_OK)
		this_model_peer(r)->has_keepalive = true;
	else if (!reader_is_template(r, COMPLAINT_KEEPALIVE, v))
		diag_hint(reader_complain(r, COMPLAINT_KEEPALIVE, &at,
					  "PersistentKeepalive: not an interval"),
			  "off, or seconds from 1 to 65535; 25 suits most NATs");
}

static bool looks_like_v4(const char *host, size_t len)
{
	size_t dots = 0;

	for (size_t i = 0; i < len; ++i) {
		if (host[i] == '.')
			++dots;
		else if (host[i] < '0' || host[i] > '9')
			return false;
	}
	return dots > 0;
}

static bool is_host_name(const char *host, size_t len)
{
	for (size_t i = 0; i < len; ++i) {
		const unsigned char c = (unsigned char)host[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == '_' || c >= 0x80))
			return false;
	}
	return len > 0 && host[0] != '-' && !looks_like_v4(host, len);
}

/* fe80::1%eth0: the interface is looked up later, with the names. */
static bool is_scoped(const char *host, size_t len)
{
	const char *percent = memchr(host, '%', len);
	struct ip ip;

	return percent && percent + 1 < host + len &&
	       value_ip(host, (size_t)(percent - host), &ip) == VALUE_OK && ip.family == FAMILY_V6;
}

static void complain_endpoint(struct reader *r, const struct reader_value *v,
			      const struct value_endpoint *e, const struct word *w)
{
	const struct span at = value_span(r, v);
	char quote[READER_QUOTE];
	struct ip ip;

	if (value_ip(w->text, w->len, &ip) == VALUE_OK)
		diag_hint(reader_complain(r, COMPLAINT_ENDPOINT, &at,
					  "Endpoint: the port is missing"),
			  "%s",
			  ip.family == FAMILY_V6 ? "write [address]:port" : "write address:port");
	else if (!e && w->text[0] == '[' && !memchr(w->text, ']', w->len))
		diag_hint(reader_complain(r, COMPLAINT_ENDPOINT, &at,
					  "Endpoint: the bracket is not closed"),
			  "write [IPv6 address]:port");
	else if (!e)
		diag_hint(reader_complain(r, COMPLAINT_ENDPOINT, &at, "Endpoint: no host and port"),
			  "write host:port, or [IPv6 address]:port");
	else if (memmem(w->text, w->len, "://", 3))
		diag_hint(reader_complain(r, COMPLAINT_ENDPOINT, &at, "Endpoint: this is a URL"),
			  "write host:port only");
	else
		diag_hint(reader_complain(r, COMPLAINT_ENDPOINT, &at,
					  "Endpoint: %s is no address and no name of a host",
					  reader_quote(e->host, e->host_len, "this", quote)),
			  "write host:port, or [IPv6 address]:port");
}

/* Without brackets the last colon splits; the reader of the file may think otherwise. */
static void check_brackets(struct reader *r, const struct reader_value *v,
			   const struct value_endpoint *e)
{
	const struct span at = value_span(r, v);

	if (!e->bracketed && memchr(e->host, ':', e->host_len))
		diag_hint(reader_complain(r, COMPLAINT_BRACKETS, &at,
					  "Endpoint: an IPv6 address without brackets; %.*s is "
					  "taken for the port",
					  (int)(e->port_len < 8 ? e->port_len : 8), e->port),
			  "write [address]:port");
}

/* Host and port are good: keep them, and the address if the host is one. */
static void keep_endpoint(struct reader *r, const struct value_endpoint *e, const struct ip *ip)
{
	struct model_peer *m = this_model_peer(r);
	struct tunnel_peer *p = this_peer(r);

	reader_check(r, tunnel_set_text(&p->endpoint_host, e->host, e->host_len));
	m->has_endpoint = ip->family != FAMILY_NONE && !p->endpoint_service;
	if (m->has_endpoint)
		m->endpoint = (struct endpoint){ .ip = *ip, .port = p->endpoint_port };
}

static void drop_endpoint(struct reader *r)
{
	struct tunnel_peer *p = this_peer(r);

	free(p->endpoint_host);
	free(p->endpoint_service);
	p->endpoint_host = NULL;
	p->endpoint_service = NULL;
	p->endpoint_port = 0;
	this_model_peer(r)->has_endpoint = false;
	this_model_peer(r)->endpoint = (struct endpoint){ 0 };
}

static void read_endpoint(struct reader *r, const struct reader_value *v)
{
	struct tunnel_peer *p = this_peer(r);
	struct ip ip = { .family = FAMILY_NONE };
	struct value_endpoint e;
	struct word w;

	strip(v, &w);
	p->endpoint = value_span(r, v);
	drop_endpoint(r);
	if (reader_is_template(r, COMPLAINT_ENDPOINT, v))
		return;
	if (value_endpoint(w.text, w.len, &e) != VALUE_OK) {
		complain_endpoint(r, v, NULL, &w);
		return;
	}
	if (value_ip(e.host, e.host_len, &ip) != VALUE_OK && !is_host_name(e.host, e.host_len) &&
	    !is_scoped(e.host, e.host_len)) {
		complain_endpoint(r, v, &e, &w);
		return;
	}
	if (!read_port(r, v, COMPLAINT_ENDPOINT, e.port, e.port_len, &p->endpoint_port,
		       &p->endpoint_service))
		return;
	check_brackets(r, v, &e);
	keep_endpoint(r, &e, &ip);
}

/* "10.0.0.1/32 10.0.0.2/32": wg takes blanks away, and then it is one word. */
static bool is_two_items(const struct reader_value *v)
{
	struct value_allowed a;
	size_t len = 0;

	while (len < v->len && !value_is_blank(v->text[len]))
		++len;
	return len < v->len && value_allowed(v->text, len, &a) == VALUE_OK;
}

static void complain_item(struct reader *r, enum value_error error, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);
	const char *slash = memchr(v->text, '/', v->len);
	char quote[READER_QUOTE];

	if (!v->len)
		diag_hint(reader_complain(r, COMPLAINT_ALLOWED_IPS, &at,
					  "AllowedIPs: an item is empty"),
			  "remove the comma that is too much");
	else if (is_two_items(v))
		diag_hint(reader_complain(r, COMPLAINT_ALLOWED_IPS, &at,
					  "AllowedIPs: a blank where a comma belongs"),
			  "write a comma between two items");
	else if (error == VALUE_BITS && memchr(slash, '.', v->len - (size_t)(slash - v->text)))
		diag_hint(reader_complain(r, COMPLAINT_ALLOWED_IPS, &at,
					  "AllowedIPs: a netmask behind the slash"),
			  "write the number of bits: 255.255.255.0 is /24");
	else if (error == VALUE_BITS)
		diag_hint(reader_complain(r, COMPLAINT_ALLOWED_IPS, &at,
					  "AllowedIPs: %s has a wrong number of bits",
					  reader_quote(v->text, v->len, "this", quote)),
			  "0 to 32 behind an IPv4 address, 0 to 128 behind an IPv6 address");
	else
		diag_hint(reader_complain(r, COMPLAINT_ALLOWED_IPS, &at,
					  "AllowedIPs: %s is not an IP address",
					  reader_quote(v->text, v->len, "this", quote)),
			  "write address/bits, such as 10.0.0.2/32, and commas between them");
}

/* 0: it is none, and that was said. */
enum item { ITEM_NONE, ITEM_PLAIN, ITEM_SIGNED };

static enum item read_allowed_item(struct reader *r, const struct reader_value *v)
{
	struct value_allowed a;
	enum value_error error;
	struct word w;

	strip(v, &w);
	error = value_allowed(w.text, w.len, &a);
	if (error != VALUE_OK) {
		if (!v->len || !reader_is_template(r, COMPLAINT_ALLOWED_IPS, v))
			complain_item(r, error, v);
		return ITEM_NONE;
	}
	reader_check(r, tunnel_add_allowed(r->t, r->t->model.peer_count - 1,
					   &(struct tunnel_prefix){ .prefix = a.prefix,
								    .at = value_span(r, v),
								    .sign = a.sign,
								    .has_bits = a.has_bits }));
	return a.sign ? ITEM_SIGNED : ITEM_PLAIN;
}

/* Each line replaces what the device has, unless it holds a sign. */
static void read_allowed_ips(struct reader *r, const struct reader_value *v)
{
	struct value_list list = { .text = v->text, .len = v->len };
	struct reader_value item = *v;
	bool any = false, sign = false;

	while (value_next(&list, &item.text, &item.len)) {
		const enum item found = read_allowed_item(r, &item);

		any = any || found != ITEM_NONE;
		sign = sign || found == ITEM_SIGNED;
	}
	if (any)
		this_model_peer(r)->replace_allowed = !sign;
}

void reader_wg(struct reader *r, enum keys_id id, const struct reader_value *v)
{
	static void (*const rows[KEYS_COUNT])(struct reader *, const struct reader_value *) = {
		[KEYS_PRIVATE_KEY] = read_private_key,
		[KEYS_LISTEN_PORT] = read_listen_port,
		[KEYS_FWMARK] = read_fwmark,
		[KEYS_PUBLIC_KEY] = read_public_key,
		[KEYS_PRESHARED_KEY] = read_preshared_key,
		[KEYS_ALLOWED_IPS] = read_allowed_ips,
		[KEYS_ENDPOINT] = read_endpoint,
		[KEYS_KEEPALIVE] = read_keepalive,
	};

	rows[id](r, v);
}
