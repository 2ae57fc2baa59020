#include <string.h>

#include "model/tunnel.h"

static bool same_text(const char *a, const char *b)
{
	return (a == NULL) == (b == NULL) && (!a || strcmp(a, b) == 0);
}

static bool same_texts(const struct tunnel_texts *a, const struct tunnel_texts *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; ++i) {
		if (strcmp(a->rows[i].text, b->rows[i].text) != 0)
			return false;
	}
	return true;
}

static bool same_prefix(const struct prefix *a, const struct prefix *b)
{
	return ip_equal(&a->ip, &b->ip) && a->bits == b->bits;
}

static bool same_prefixes(const struct tunnel_prefixes *a, const struct tunnel_prefixes *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; ++i) {
		if (!same_prefix(&a->rows[i].prefix, &b->rows[i].prefix) ||
		    a->rows[i].sign != b->rows[i].sign ||
		    a->rows[i].has_bits != b->rows[i].has_bits)
			return false;
	}
	return true;
}

static bool same_ports(const struct tunnel_ports *a, const struct tunnel_ports *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; ++i) {
		if (a->rows[i].port != b->rows[i].port || a->rows[i].tcp != b->rows[i].tcp ||
		    a->rows[i].udp != b->rows[i].udp)
			return false;
	}
	return true;
}

/* Time does not depend on where two keys differ. */
static bool same_key(const uint8_t a[static KEY_LEN], const uint8_t b[static KEY_LEN])
{
	unsigned int all = 0;

	for (size_t i = 0; i < KEY_LEN; ++i)
		all |= a[i] ^ b[i];
	return all == 0;
}

static bool same_allowed(const struct model_peer *a, const struct model_peer *b)
{
	if (a->allowed_count != b->allowed_count)
		return false;
	for (size_t i = 0; i < a->allowed_count; ++i) {
		if (!same_prefix(&a->allowed[i].prefix, &b->allowed[i].prefix) ||
		    a->allowed[i].remove != b->allowed[i].remove)
			return false;
	}
	return true;
}

static bool same_model_peer(const struct model_peer *a, const struct model_peer *b)
{
	return same_key(a->public_key.bytes, b->public_key.bytes) &&
	       same_key(a->preshared_key.bytes, b->preshared_key.bytes) &&
	       endpoint_equal(&a->endpoint, &b->endpoint) && a->keepalive == b->keepalive &&
	       a->has_preshared_key == b->has_preshared_key && a->has_endpoint == b->has_endpoint &&
	       a->has_keepalive == b->has_keepalive && a->replace_allowed == b->replace_allowed &&
	       same_allowed(a, b);
}

static bool same_peer(const struct tunnel_peer *a, const struct tunnel_peer *b)
{
	return same_text(a->endpoint_host, b->endpoint_host) &&
	       a->endpoint_port == b->endpoint_port &&
	       same_text(a->endpoint_service, b->endpoint_service) &&
	       same_text(a->name.text, b->name.text) && same_prefixes(&a->allowed, &b->allowed) &&
	       a->has_public_key == b->has_public_key;
}

static bool same_model(const struct model *a, const struct model *b)
{
	return same_key(a->private_key.bytes, b->private_key.bytes) &&
	       a->listen_port == b->listen_port && a->fwmark == b->fwmark &&
	       a->has_private_key == b->has_private_key &&
	       a->has_listen_port == b->has_listen_port && a->has_fwmark == b->has_fwmark &&
	       a->peer_count == b->peer_count;
}

static bool same_own(const struct tunnel_own *a, const struct tunnel_own *b)
{
	return a->kill_switch == b->kill_switch && a->forward == b->forward &&
	       a->masquerade == b->masquerade && a->reresolve == b->reresolve &&
	       a->mss_clamp == b->mss_clamp && a->mss == b->mss &&
	       same_prefixes(&a->excluded, &b->excluded) && same_ports(&a->open, &b->open);
}

bool tunnel_equal(const struct tunnel *a, const struct tunnel *b)
{
	if (!same_model(&a->model, &b->model) || !same_own(&a->own, &b->own) ||
	    !same_text(a->listen_service, b->listen_service) ||
	    !same_prefixes(&a->addresses, &b->addresses) || !same_prefixes(&a->dns, &b->dns) ||
	    !same_texts(&a->search, &b->search) || a->mtu != b->mtu || a->table != b->table ||
	    a->table_number != b->table_number || !same_text(a->table_name, b->table_name) ||
	    a->save_config != b->save_config)
		return false;
	for (size_t i = 0; i < TUNNEL_HOOKS; ++i) {
		if (!same_texts(&a->hooks[i], &b->hooks[i]))
			return false;
	}
	for (size_t i = 0; i < a->model.peer_count; ++i) {
		if (!same_model_peer(&a->model.peers[i], &b->model.peers[i]) ||
		    !same_peer(&a->peers[i], &b->peers[i]))
			return false;
	}
	return true;
}
