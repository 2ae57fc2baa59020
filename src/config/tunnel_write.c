#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "config/tunnel_read.h"

struct writer {
	struct buffer *b;
	bool unsafe; /* a text that could not be read back */
};

static void put(struct writer *w, const char *text)
{
	buffer_append(w->b, text, strlen(text));
}

static void write_name(struct writer *w, enum keys_id id)
{
	if (keys_row(id)->owner == KEYS_OF_WARREN)
		put(w, "#: ");
	put(w, keys_row(id)->name);
	put(w, " = ");
}

static void write_line(struct writer *w, enum keys_id id, const char *value)
{
	if (!file_text_is_safe(id, value))
		w->unsafe = true;
	write_name(w, id);
	put(w, value);
	put(w, "\n");
}

static void write_number(struct writer *w, enum keys_id id, uint32_t value)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%" PRIu32, value); /* fits */
	write_line(w, id, text);
}

static void write_key(struct writer *w, enum keys_id id, const uint8_t key[static KEY_LEN])
{
	char text[TEXT_KEY_BASE64];

	text_base64_from_key(key, text);
	write_line(w, id, text);
	explicit_bzero(text, sizeof(text));
}

static void write_fwmark(struct writer *w, uint32_t mark)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "0x%" PRIx32, mark); /* fits */
	write_line(w, KEYS_FWMARK, mark ? text : "off");
}

/* "a, b" of rows [first, end). */
static void write_prefixes(struct writer *w, enum keys_id id, const struct tunnel_prefixes *list,
			   size_t first, size_t end)
{
	char text[TEXT_PREFIX];

	if (first == end)
		return;
	write_name(w, id);
	for (size_t i = first; i < end; ++i) {
		const struct tunnel_prefix *p = &list->rows[i];

		if (p->has_bits)
			text_from_prefix(&p->prefix, text);
		else
			text_from_ip(&p->prefix.ip, text);
		if (p->sign)
			buffer_append(w->b, &p->sign, 1);
		put(w, text);
		put(w, i + 1 < end ? ", " : "\n");
	}
}

/*
 * A line that holds a sign adds to what the device has; one without replaces it, and so do all the
 * lines above it. So what replaces in spite of signs takes two lines.
 */
static void write_allowed(struct writer *w, const struct model_peer *m, const struct tunnel_peer *p)
{
	size_t first = 0;

	for (size_t i = 0; m->replace_allowed && i < p->allowed.count; ++i) {
		if (p->allowed.rows[i].sign)
			first = i + 1;
	}
	if (first && first == p->allowed.count)
		w->unsafe = true;
	write_prefixes(w, KEYS_ALLOWED_IPS, &p->allowed, 0, first);
	write_prefixes(w, KEYS_ALLOWED_IPS, &p->allowed, first, p->allowed.count);
}

/* A host with a colon needs brackets. */
static void write_endpoint(struct writer *w, const struct tunnel_peer *p)
{
	const bool brackets = strchr(p->endpoint_host, ':') != NULL;
	struct buffer text;

	buffer_init(&text);
	buffer_printf(&text, "%s%s%s:", brackets ? "[" : "", p->endpoint_host, brackets ? "]" : "");
	if (p->endpoint_service)
		buffer_printf(&text, "%s", p->endpoint_service);
	else
		buffer_printf(&text, "%u", p->endpoint_port);
	buffer_append(&text, "", 1);
	if (buffer_ok(&text))
		write_line(w, KEYS_ENDPOINT, text.bytes);
	else
		w->unsafe = true;
	buffer_done(&text);
}

static void write_model_endpoint(struct writer *w, const struct endpoint *e)
{
	char text[TEXT_ENDPOINT];

	text_from_endpoint(e, text);
	write_line(w, KEYS_ENDPOINT, text);
}

static void write_peer(struct writer *w, const struct model_peer *m, const struct tunnel_peer *p)
{
	put(w, "\n[Peer]\n");
	if (p->name.text)
		write_line(w, KEYS_OWN_NAME, p->name.text);
	if (p->has_public_key)
		write_key(w, KEYS_PUBLIC_KEY, m->public_key.bytes);
	if (m->has_preshared_key)
		write_key(w, KEYS_PRESHARED_KEY, m->preshared_key.bytes);
	write_allowed(w, m, p);
	if (p->endpoint_host)
		write_endpoint(w, p);
	else if (m->has_endpoint)
		write_model_endpoint(w, &m->endpoint);
	if (m->has_keepalive)
		write_number(w, KEYS_KEEPALIVE, m->keepalive);
}

static void write_texts(struct writer *w, enum keys_id id, const struct tunnel_texts *list)
{
	for (size_t i = 0; i < list->count; ++i)
		write_line(w, id, list->rows[i].text);
}

static void write_table(struct writer *w, const struct tunnel *t)
{
	switch (t->table) {
	case TUNNEL_TABLE_AUTO:
		if (span_is_set(&t->table_at))
			write_line(w, KEYS_TABLE, "auto");
		break;
	case TUNNEL_TABLE_OFF:
		write_line(w, KEYS_TABLE, "off");
		break;
	case TUNNEL_TABLE_NUMBER:
		write_number(w, KEYS_TABLE, t->table_number);
		break;
	case TUNNEL_TABLE_NAME:
		write_line(w, KEYS_TABLE, t->table_name);
		break;
	}
}

static void write_wg(struct writer *w, const struct tunnel *t)
{
	const struct model *m = &t->model;

	if (m->has_private_key)
		write_key(w, KEYS_PRIVATE_KEY, m->private_key.bytes);
	if (t->listen_service)
		write_line(w, KEYS_LISTEN_PORT, t->listen_service);
	else if (m->has_listen_port)
		write_number(w, KEYS_LISTEN_PORT, m->listen_port);
	if (m->has_fwmark)
		write_fwmark(w, m->fwmark);
}

static void write_quick(struct writer *w, const struct tunnel *t)
{
	write_prefixes(w, KEYS_ADDRESS, &t->addresses, 0, t->addresses.count);
	write_prefixes(w, KEYS_DNS, &t->dns, 0, t->dns.count);
	write_texts(w, KEYS_DNS, &t->search);
	if (t->mtu)
		write_number(w, KEYS_MTU, t->mtu);
	write_table(w, t);
	for (size_t i = 0; i < TUNNEL_HOOKS; ++i)
		write_texts(w, KEYS_PRE_UP + (enum keys_id)i, &t->hooks[i]);
	if (t->save_config || span_is_set(&t->save_config_at))
		write_line(w, KEYS_SAVE_CONFIG, t->save_config ? "true" : "false");
}

static void write_switch(struct writer *w, enum keys_id id, bool on, bool usual,
			 const struct span *at)
{
	if (on != usual || span_is_set(at))
		write_line(w, id, on ? "yes" : "no");
}

static void write_port(struct writer *w, const struct tunnel_port *p)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u%s", p->port, /* fits */
		       p->tcp && p->udp ? ""
		       : p->tcp         ? "/tcp"
					: "/udp");
	write_line(w, KEYS_OWN_OPEN_PORT, text);
}

static void write_own(struct writer *w, const struct tunnel_own *own)
{
	if (own->kill_switch == TUNNEL_KILL_ON_BUT_LAN)
		write_line(w, KEYS_OWN_KILL_SWITCH, "lan");
	else
		write_switch(w, KEYS_OWN_KILL_SWITCH, own->kill_switch == TUNNEL_KILL_ON, false,
			     &own->kill_switch_at);
	write_switch(w, KEYS_OWN_FORWARD, own->forward, false, &own->forward_at);
	write_switch(w, KEYS_OWN_MASQUERADE, own->masquerade, false, &own->masquerade_at);
	write_prefixes(w, KEYS_OWN_EXCLUDED_IPS, &own->excluded, 0, own->excluded.count);
	if (own->mss_clamp && own->mss)
		write_number(w, KEYS_OWN_MSS_CLAMP, own->mss);
	else
		write_switch(w, KEYS_OWN_MSS_CLAMP, own->mss_clamp, false, &own->mss_clamp_at);
	for (size_t i = 0; i < own->open.count; ++i)
		write_port(w, &own->open.rows[i]);
	write_switch(w, KEYS_OWN_RERESOLVE, own->reresolve, true, &own->reresolve_at);
}

bool tunnel_write(const struct tunnel *t, struct buffer *b)
{
	struct writer w = { .b = b };

	put(&w, "[Interface]\n");
	write_wg(&w, t);
	write_quick(&w, t);
	write_own(&w, &t->own);
	for (size_t i = 0; i < t->model.peer_count; ++i)
		write_peer(&w, &t->model.peers[i], &t->peers[i]);
	return !w.unsafe && buffer_ok(b);
}
