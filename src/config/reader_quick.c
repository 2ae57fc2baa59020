/* The keys that wg-quick reads: values as they stand, lists split at commas and blanks. */
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "config/reader.h"
#include "config/value.h"

static void read_address_item(struct reader *r, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);
	char quote[READER_QUOTE];
	struct value_allowed a = { 0 };
	const enum value_error error = value_address(v->text, v->len, &a);

	if (error == VALUE_OK)
		reader_check(r,
			     tunnel_add_prefix(&r->t->addresses,
					       &(struct tunnel_prefix){ .prefix = a.prefix,
									.at = at,
									.has_bits = a.has_bits }));
	else if (!reader_is_template(r, COMPLAINT_ADDRESS, v))
		diag_hint(reader_complain(r, COMPLAINT_ADDRESS, &at, "Address: %s is not %s",
					  reader_quote(v->text, v->len, "this", quote),
					  error == VALUE_BITS ? "followed by a right number of bits"
							      : "an IP address"),
			  "write address/bits, such as 10.0.0.2/24 or fd00::2/64");
}

static void read_address(struct reader *r, const struct reader_value *v)
{
	struct value_list list = { .text = v->text, .len = v->len, .blanks = true };
	struct reader_value item = *v;

	while (value_next(&list, &item.text, &item.len))
		read_address_item(r, &item);
}

/* As wg-quick tells servers from domains. */
static bool is_server(const char *text, size_t len)
{
	for (size_t i = 0; i < len; ++i) {
		if (text[i] == ':')
			return true;
	}
	for (size_t i = 0; i < len; ++i) {
		if (text[i] != '.' && (text[i] < '0' || text[i] > '9'))
			return false;
	}
	return true;
}

/* "~corp.example" is a domain that only routes questions. */
static bool is_domain(const char *text, size_t len)
{
	for (size_t i = text[0] == '~'; i < len; ++i) {
		const unsigned char c = (unsigned char)text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == '_' || c >= 0x80))
			return false;
	}
	return text[0] != '-';
}

static void read_dns_item(struct reader *r, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);
	char quote[READER_QUOTE];
	struct prefix p;

	if (!is_server(v->text, v->len) && is_domain(v->text, v->len)) {
		reader_check(r, tunnel_add_text(&r->t->search, v->text, v->len, &at));
	} else if (value_ip(v->text, v->len, &p.ip) == VALUE_OK) {
		p.bits = (uint8_t)ip_bits(&p.ip);
		reader_check(r, tunnel_add_prefix(&r->t->dns, &(struct tunnel_prefix){ .prefix = p,
										       .at = at }));
	} else if (!reader_is_template(r, COMPLAINT_DNS, v)) {
		diag_hint(reader_complain(r, COMPLAINT_DNS, &at,
					  "DNS: %s is neither an IP address nor a domain",
					  reader_quote(v->text, v->len, "this", quote)),
			  "write addresses of servers, and domains to search, with commas");
	}
}

static void read_dns(struct reader *r, const struct reader_value *v)
{
	struct value_list list = { .text = v->text, .len = v->len, .blanks = true };
	struct reader_value item = *v;

	while (value_next(&list, &item.text, &item.len))
		read_dns_item(r, &item);
}

static void read_mtu(struct reader *r, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);

	r->t->mtu_at = at;
	if (value_mtu(v->text, v->len, &r->t->mtu) != VALUE_OK &&
	    !reader_is_template(r, COMPLAINT_MTU, v))
		diag_hint(reader_complain(r, COMPLAINT_MTU, &at, "MTU: not an MTU"),
			  "a number of bytes, such as 1420");
}

static bool is_table_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; ++i) {
		const char c = text[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '-' || c == '_'))
			return false;
	}
	return text[0] != '-' && !(text[0] >= '0' && text[0] <= '9');
}

static bool is_exactly(const struct reader_value *v, const char *word)
{
	return v->len == strlen(word) && memcmp(v->text, word, v->len) == 0;
}

/* What wg-quick does not take for its own word it hands to ip, which knows these and those of
 * /etc/iproute2/rt_tables. */
static void check_table_name(struct reader *r, const struct reader_value *v, const struct span *at)
{
	char quote[READER_QUOTE];

	if (is_exactly(v, "main") || is_exactly(v, "local") || is_exactly(v, "default"))
		return;
	diag_hint(reader_complain(r, COMPLAINT_TABLE_NAME, at,
				  "Table: `up' fails where /etc/iproute2/rt_tables has no %s",
				  reader_quote(v->text, v->len, "such name", quote)),
		  "the number is the same on every host");
}

static void read_table(struct reader *r, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);
	struct tunnel *t = r->t;

	t->table_at = at;
	free(t->table_name);
	t->table_name = NULL;
	t->table = TUNNEL_TABLE_AUTO;
	t->table_number = 0;
	if (is_exactly(v, "auto"))
		return;
	if (is_exactly(v, "off")) {
		t->table = TUNNEL_TABLE_OFF;
	} else if (value_equals(v->text, v->len, "off") || value_equals(v->text, v->len, "auto")) {
		diag_hint(reader_complain(r, COMPLAINT_TABLE, &at,
					  "Table: wg-quick knows this word in small letters only"),
			  "write off or auto");
	} else if (value_table(v->text, v->len, &t->table_number) == VALUE_OK) {
		t->table = TUNNEL_TABLE_NUMBER;
	} else if (is_table_name(v->text, v->len)) {
		t->table = TUNNEL_TABLE_NAME;
		check_table_name(r, v, &at);
		reader_check(r, tunnel_set_text(&t->table_name, v->text, v->len));
	} else if (!reader_is_template(r, COMPLAINT_TABLE, v)) {
		diag_hint(reader_complain(r, COMPLAINT_TABLE, &at, "Table: not a routing table"),
			  "off, auto, a number from 1 to 4294967295, or a name of the host's");
	}
}

/* A command may hold tabs, and no other control character. */
static const char *find_control(const char *text, size_t len)
{
	uint32_t code;

	for (size_t i = 0, n; i < len; i += n) {
		n = utf8_next(text + i, len - i, &code);
		if (utf8_is_control(code) && code != '\t')
			return text + i;
	}
	return NULL;
}

static void read_hook(struct reader *r, enum keys_id id, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);
	const char *control = find_control(v->text, v->len);

	if (control) {
		const struct span place = reader_span(r, control, 1);

		diag_hint(reader_complain(r, COMPLAINT_CONTROL, &place,
					  "%s: a control character in a command", v->row->name),
			  "type the command anew");
		return;
	}
	reader_check(r, tunnel_add_text(&r->t->hooks[TUNNEL_PRE_UP + (id - KEYS_PRE_UP)], v->text,
					v->len, &at));
}

static void read_save_config(struct reader *r, const struct reader_value *v)
{
	const struct span at = reader_span(r, v->text, v->len);

	r->t->save_config_at = at;
	if (value_bool(v->text, v->len, &r->t->save_config) != VALUE_OK &&
	    !reader_is_template(r, COMPLAINT_SAVE_CONFIG, v))
		diag_hint(reader_complain(r, COMPLAINT_SAVE_CONFIG, &at,
					  "SaveConfig: neither true nor false"),
			  "write true or false");
}

void reader_quick(struct reader *r, enum keys_id id, const struct reader_value *v)
{
	static void (*const rows[KEYS_COUNT])(struct reader *, const struct reader_value *) = {
		[KEYS_ADDRESS] = read_address,
		[KEYS_DNS] = read_dns,
		[KEYS_MTU] = read_mtu,
		[KEYS_TABLE] = read_table,
		[KEYS_SAVE_CONFIG] = read_save_config,
	};

	if (rows[id])
		rows[id](r, v);
	else
		read_hook(r, id, v);
}
