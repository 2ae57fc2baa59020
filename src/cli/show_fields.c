#include "cli/show_fields.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"

static void put_key_or_none(struct out *o, bool is_set, const uint8_t key[static KEY_LEN])
{
	if (is_set)
		show_put_key(o, key);
	else
		out_text(o, "(none)");
}

static void put_public_key(struct out *o, const struct show_view *v)
{
	put_key_or_none(o, v->has_public_key, v->public_key.bytes);
}

static void put_private_key(struct out *o, const struct show_view *v)
{
	put_key_or_none(o, v->model->has_private_key, v->model->private_key.bytes);
}

static void put_listen_port(struct out *o, const struct show_view *v)
{
	out_uint(o, v->model->listen_port);
}

static void put_fwmark(struct out *o, const struct show_view *v)
{
	if (v->model->fwmark)
		out_printf(o, "0x%" PRIx32, v->model->fwmark);
	else
		out_text(o, "off");
}

static void put_device(struct out *o, const struct show_view *v)
{
	put_private_key(o, v);
	out_text(o, "\t");
	put_public_key(o, v);
	out_text(o, "\t");
	put_listen_port(o, v);
	out_text(o, "\t");
	put_fwmark(o, v);
}

static void put_preshared_key(struct out *o, const struct model_peer *p)
{
	put_key_or_none(o, show_has_preshared_key(p), p->preshared_key.bytes);
}

static void put_endpoint(struct out *o, const struct model_peer *p)
{
	if (endpoint_is_set(&p->endpoint))
		show_put_endpoint(o, &p->endpoint);
	else
		out_text(o, "(none)");
}

static void put_allowed_list(struct out *o, const struct model_peer *p, const char *between)
{
	char text[TEXT_PREFIX];

	for (size_t i = 0; i < p->allowed_count; ++i) {
		if (i)
			out_text(o, between);
		text_from_prefix(&p->allowed[i].prefix, text);
		out_text(o, text);
	}
}

static void put_allowed(struct out *o, const struct model_peer *p)
{
	put_allowed_list(o, p, " ");
	if (!p->allowed_count)
		out_text(o, "(none)");
}

static void put_handshake(struct out *o, const struct model_peer *p)
{
	out_uint(o, p->handshake_real / NS_PER_S);
}

static void put_transfer(struct out *o, const struct model_peer *p)
{
	out_uint(o, p->rx_bytes);
	out_text(o, "\t");
	out_uint(o, p->tx_bytes);
}

static void put_keepalive(struct out *o, const struct model_peer *p)
{
	if (p->keepalive)
		out_uint(o, p->keepalive);
	else
		out_text(o, "off");
}

static void put_peer(struct out *o, const struct model_peer *p)
{
	put_preshared_key(o, p);
	out_text(o, "\t");
	put_endpoint(o, p);
	out_text(o, "\t");
	put_allowed_list(o, p, ",");
	out_text(o, p->allowed_count ? "\t" : "(none)\t");
	put_handshake(o, p);
	out_text(o, "\t");
	put_transfer(o, p);
	out_text(o, "\t");
	put_keepalive(o, p);
}

/* A line of the device, or one for each peer, which begins with its key; or, for the dump, both. */
static const struct field {
	const char *name;
	void (*of_device)(struct out *o, const struct show_view *v);
	bool of_peers;
	void (*of_peer)(struct out *o, const struct model_peer *p); /* NULL: nothing but the key */
} fields[] = {
	{ "public-key", put_public_key, false, NULL },
	{ "private-key", put_private_key, false, NULL },
	{ "listen-port", put_listen_port, false, NULL },
	{ "fwmark", put_fwmark, false, NULL },
	{ "peers", NULL, true, NULL },
	{ "preshared-keys", NULL, true, put_preshared_key },
	{ "endpoints", NULL, true, put_endpoint },
	{ "allowed-ips", NULL, true, put_allowed },
	{ "latest-handshakes", NULL, true, put_handshake },
	{ "transfer", NULL, true, put_transfer },
	{ "persistent-keepalive", NULL, true, put_keepalive },
	{ "dump", put_device, true, put_peer },
};

static void put_peer_line(struct out *o, const struct field *f, const struct model_peer *p)
{
	show_put_key(o, p->public_key.bytes);
	if (f->of_peer) {
		out_text(o, "\t");
		f->of_peer(o, p);
	}
	out_text(o, "\n");
}

static void put_name(struct out *o, const struct show_view *v, bool with_name)
{
	if (!with_name)
		return;
	out_text(o, v->name);
	out_text(o, "\t");
}

static void put_field(struct out *o, const struct show_view *v, const struct field *f,
		      bool with_name)
{
	if (f->of_device) {
		put_name(o, v, with_name);
		f->of_device(o, v);
		out_text(o, "\n");
	}
	for (size_t i = 0; f->of_peers && i < v->model->peer_count; ++i) {
		put_name(o, v, with_name);
		put_peer_line(o, f, &v->model->peers[i]);
	}
}

bool show_field(struct out *o, const struct show_view *v, const char *field, bool with_name)
{
	for (size_t i = 0; i < ELEMENTS(fields); ++i) {
		if (strcmp(fields[i].name, field) != 0)
			continue;
		put_field(o, v, &fields[i], with_name);
		return true;
	}
	return false;
}

static void put_key_line(struct out *o, const char *name, const uint8_t key[static KEY_LEN])
{
	out_text(o, name);
	out_text(o, " = ");
	show_put_key(o, key);
	out_text(o, "\n");
}

static void put_peer_section(struct out *o, const struct model_peer *p)
{
	out_text(o, "[Peer]\n");
	put_key_line(o, "PublicKey", p->public_key.bytes);
	if (show_has_preshared_key(p))
		put_key_line(o, "PresharedKey", p->preshared_key.bytes);
	if (p->allowed_count) {
		out_text(o, "AllowedIPs = ");
		put_allowed_list(o, p, ", ");
		out_text(o, "\n");
	}
	if (endpoint_is_set(&p->endpoint)) {
		out_text(o, "Endpoint = ");
		show_put_endpoint(o, &p->endpoint);
		out_text(o, "\n");
	}
	if (p->keepalive)
		out_printf(o, "PersistentKeepalive = %u\n", p->keepalive);
}

void show_config(struct out *o, const struct show_view *v)
{
	out_text(o, "[Interface]\n");
	if (v->model->listen_port)
		out_printf(o, "ListenPort = %u\n", v->model->listen_port);
	if (v->model->fwmark)
		out_printf(o, "FwMark = 0x%" PRIx32 "\n", v->model->fwmark);
	if (v->model->has_private_key)
		put_key_line(o, "PrivateKey", v->model->private_key.bytes);
	out_text(o, "\n");
	for (size_t i = 0; i < v->model->peer_count; ++i) {
		if (i)
			out_text(o, "\n");
		put_peer_section(o, &v->model->peers[i]);
	}
}
