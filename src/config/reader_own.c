/* Our own keys, behind "#:". Whatever is not exactly right is an error: they protect people. */
#include <string.h>

#include "base/utf8.h"
#include "config/reader.h"
#include "config/value.h"

static void complain_value(struct reader *r, const struct reader_value *v, const char *hint)
{
	const struct span at = reader_span(r, v->text, v->len);

	if (!reader_is_template(r, COMPLAINT_OWN_VALUE, v))
		diag_hint(reader_complain(r, COMPLAINT_OWN_VALUE, &at,
					  "%s: not a value of this key", v->row->name),
			  "%s", hint);
}

static void read_kill_switch(struct reader *r, const struct reader_value *v)
{
	struct tunnel_own *own = &r->t->own;
	bool on;

	own->kill_switch_at = reader_span(r, v->text, v->len);
	if (value_equals(v->text, v->len, "lan"))
		own->kill_switch = TUNNEL_KILL_ON_BUT_LAN;
	else if (value_yes(v->text, v->len, &on) == VALUE_OK)
		own->kill_switch = on ? TUNNEL_KILL_ON : TUNNEL_KILL_OFF;
	else
		complain_value(r, v, "write yes, no, or lan: yes, but let the local network pass");
}

static void read_switch(struct reader *r, const struct reader_value *v, bool *ret,
			struct span *ret_at)
{
	*ret_at = reader_span(r, v->text, v->len);
	if (value_yes(v->text, v->len, ret) != VALUE_OK)
		complain_value(r, v, "write yes or no");
}

static void read_forward(struct reader *r, const struct reader_value *v)
{
	read_switch(r, v, &r->t->own.forward, &r->t->own.forward_at);
}

static void read_masquerade(struct reader *r, const struct reader_value *v)
{
	read_switch(r, v, &r->t->own.masquerade, &r->t->own.masquerade_at);
}

static void read_reresolve(struct reader *r, const struct reader_value *v)
{
	read_switch(r, v, &r->t->own.reresolve, &r->t->own.reresolve_at);
}

static void read_mss_clamp(struct reader *r, const struct reader_value *v)
{
	struct tunnel_own *own = &r->t->own;
	uint16_t size = 0;
	bool on = true;

	own->mss_clamp_at = reader_span(r, v->text, v->len);
	if (value_yes(v->text, v->len, &on) != VALUE_OK &&
	    value_mtu(v->text, v->len, &size) != VALUE_OK) {
		complain_value(r, v, "write yes, no, or a size in bytes, such as 1360");
		return;
	}
	own->mss_clamp = on;
	own->mss = size;
}

static void read_excluded_ips(struct reader *r, const struct reader_value *v)
{
	struct value_list list = { .text = v->text, .len = v->len, .blanks = true };
	struct reader_value item = *v;
	struct value_allowed a;

	while (value_next(&list, &item.text, &item.len)) {
		if (value_allowed(item.text, item.len, &a) != VALUE_OK || a.sign)
			complain_value(r, &item, "write networks, such as 192.168.0.0/16");
		else
			reader_check(r, tunnel_add_prefix(
						&r->t->own.excluded,
						&(struct tunnel_prefix){
							.prefix = a.prefix,
							.at = reader_span(r, item.text, item.len),
							.has_bits = a.has_bits }));
	}
}

static void read_open_port_item(struct reader *r, const struct reader_value *v)
{
	const char *slash = memchr(v->text, '/', v->len);
	const size_t len = slash ? (size_t)(slash - v->text) : v->len;
	struct tunnel_port p = { .at = reader_span(r, v->text, v->len) };

	p.tcp = !slash || value_equals(slash + 1, v->len - len - 1, "tcp");
	p.udp = !slash || value_equals(slash + 1, v->len - len - 1, "udp");
	if (value_port(v->text, len, &p.port) != VALUE_OK || p.port == 0 || (!p.tcp && !p.udp))
		complain_value(r, v, "write a port, such as 51413, 22/tcp or 53/udp");
	else
		reader_check(r, tunnel_add_port(&r->t->own.open, &p));
}

static void read_open_port(struct reader *r, const struct reader_value *v)
{
	struct value_list list = { .text = v->text, .len = v->len, .blanks = true };
	struct reader_value item = *v;

	while (value_next(&list, &item.text, &item.len))
		read_open_port_item(r, &item);
}

/* peer_name_find takes it; here it is only judged. */
static void read_name(struct reader *r, const struct reader_value *v)
{
	enum { NAME_MAX_LEN = 64 };
	uint32_t code;

	for (size_t i = 0; i < v->len;) {
		i += utf8_next(v->text + i, v->len - i, &code);
		if (code == UTF8_WRONG || utf8_is_control(code) || v->len > NAME_MAX_LEN) {
			complain_value(r, v, "a name is text in UTF-8 of at most 64 bytes");
			return;
		}
	}
}

void reader_own(struct reader *r, enum keys_id id, const struct reader_value *v)
{
	static void (*const rows[KEYS_COUNT])(struct reader *, const struct reader_value *) = {
		[KEYS_OWN_KILL_SWITCH] = read_kill_switch,
		[KEYS_OWN_FORWARD] = read_forward,
		[KEYS_OWN_MASQUERADE] = read_masquerade,
		[KEYS_OWN_EXCLUDED_IPS] = read_excluded_ips,
		[KEYS_OWN_MSS_CLAMP] = read_mss_clamp,
		[KEYS_OWN_OPEN_PORT] = read_open_port,
		[KEYS_OWN_RERESOLVE] = read_reresolve,
		[KEYS_OWN_NAME] = read_name,
	};

	rows[id](r, v);
}
