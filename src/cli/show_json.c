#include "cli/show_json.h"

#include "base/text.h"
#include "base/time.h"

void show_json_begin(struct json_out *j)
{
	json_out_open(j, '{');
	json_out_name(j, "version");
	json_out_uint(j, 1);
	json_out_name(j, "interfaces");
	json_out_open(j, '{');
}

void show_json_end(struct json_out *j)
{
	json_out_close(j, '}');
	json_out_close(j, '}');
	out_text(j->out, "\n");
}

static void put_uint(struct json_out *j, const char *name, uint64_t value)
{
	json_out_name(j, name);
	json_out_uint(j, value);
}

static void put_true_if(struct json_out *j, const char *name, bool is_so)
{
	if (!is_so)
		return;
	json_out_name(j, name);
	json_out_true(j);
}

static void put_allowed(struct json_out *j, const struct model_peer *p)
{
	char text[TEXT_PREFIX];

	json_out_name(j, "allowedIps");
	json_out_open(j, '[');
	for (size_t i = 0; i < p->allowed_count; ++i) {
		text_from_prefix(&p->allowed[i].prefix, text);
		json_out_text(j, text);
	}
	json_out_close(j, ']');
}

static void put_peer(struct json_out *j, const struct model_peer *p)
{
	char key[TEXT_KEY_BASE64], endpoint[TEXT_ENDPOINT];

	text_base64_from_key(p->public_key.bytes, key);
	json_out_name(j, key);
	json_out_open(j, '{');
	put_true_if(j, "hasPresharedKey", show_has_preshared_key(p));
	if (endpoint_is_set(&p->endpoint)) {
		text_from_endpoint(&p->endpoint, endpoint);
		json_out_name(j, "endpoint");
		json_out_text(j, endpoint);
	}
	if (p->handshake_real)
		put_uint(j, "latestHandshake", p->handshake_real / NS_PER_S);
	put_uint(j, "transferRx", p->rx_bytes);
	put_uint(j, "transferTx", p->tx_bytes);
	if (p->keepalive)
		put_uint(j, "persistentKeepalive", p->keepalive);
	put_allowed(j, p);
	json_out_close(j, '}');
}

void show_json_device(struct json_out *j, const struct show_view *v)
{
	char key[TEXT_KEY_BASE64];

	json_out_name(j, v->name);
	json_out_open(j, '{');
	put_true_if(j, "hasPrivateKey", v->model->has_private_key);
	if (v->has_public_key) {
		text_base64_from_key(v->public_key.bytes, key);
		json_out_name(j, "publicKey");
		json_out_text(j, key);
	}
	if (v->model->listen_port)
		put_uint(j, "listenPort", v->model->listen_port);
	if (v->model->fwmark)
		put_uint(j, "fwmark", v->model->fwmark);
	json_out_name(j, "peers");
	json_out_open(j, '{');
	for (size_t i = 0; i < v->model->peer_count; ++i)
		put_peer(j, &v->model->peers[i]);
	json_out_close(j, '}');
	json_out_close(j, '}');
}
