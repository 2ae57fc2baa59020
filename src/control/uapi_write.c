#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/time.h"
#include "control/uapi.h"
#include "crypto/crypto.h"

/* Without printf: a device may have a million peers. */
static void put(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

static void put_uint(struct buffer *b, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	buffer_append(b, digits + at, sizeof(digits) - at);
}

static void put_uint_row(struct buffer *b, const char *key, uint64_t value)
{
	put(b, key);
	put(b, "=");
	put_uint(b, value);
	put(b, "\n");
}

static void put_hex(struct buffer *b, const uint8_t key[static KEY_LEN])
{
	char hex[TEXT_KEY_HEX];

	text_hex_from_bytes(key, KEY_LEN, hex);
	buffer_append(b, hex, sizeof(hex) - 1);
	explicit_bzero(hex, sizeof(hex));
}

static void put_key_row(struct buffer *b, const char *key, const uint8_t bytes[static KEY_LEN])
{
	put(b, key);
	put(b, "=");
	put_hex(b, bytes);
	put(b, "\n");
}

static void put_endpoint_row(struct buffer *b, const struct endpoint *e)
{
	char text[TEXT_ENDPOINT];

	text_from_endpoint(e, text);
	put(b, "endpoint=");
	put(b, text);
	put(b, "\n");
}

static void put_allowed_rows(struct buffer *b, const struct model_peer *p)
{
	char text[TEXT_PREFIX];

	for (size_t i = 0; i < p->allowed_count; ++i) {
		put(b, p->allowed[i].remove ? "allowed_ip=-" : "allowed_ip=");
		text_from_prefix(&p->allowed[i].prefix, text);
		put(b, text);
		put(b, "\n");
	}
}

static void write_peer(struct buffer *b, const struct model_peer *p)
{
	put_key_row(b, "public_key", p->public_key.bytes);
	put_key_row(b, "preshared_key", p->preshared_key.bytes);
	put(b, "protocol_version=1\n");
	if (endpoint_is_set(&p->endpoint))
		put_endpoint_row(b, &p->endpoint);
	put_uint_row(b, "last_handshake_time_sec", p->handshake_real / NS_PER_S);
	put_uint_row(b, "last_handshake_time_nsec", p->handshake_real % NS_PER_S);
	put_uint_row(b, "tx_bytes", p->tx_bytes);
	put_uint_row(b, "rx_bytes", p->rx_bytes);
	put_uint_row(b, "persistent_keepalive_interval", p->keepalive);
	put_allowed_rows(b, p);
}

void uapi_write_model(struct buffer *b, const struct model *m)
{
	if (!crypto_is_zero(m->private_key.bytes, KEY_LEN))
		put_key_row(b, "private_key", m->private_key.bytes);
	if (m->listen_port)
		put_uint_row(b, "listen_port", m->listen_port);
	if (m->fwmark)
		put_uint_row(b, "fwmark", m->fwmark);
	for (size_t i = 0; i < m->peer_count; ++i)
		write_peer(b, &m->peers[i]);
}

void uapi_write_patch_peer(struct buffer *b, const struct model_peer *p)
{
	put_key_row(b, "public_key", p->public_key.bytes);
	if (p->update_only)
		put(b, "update_only=true\n");
	if (p->remove)
		put(b, "remove=true\n");
	if (p->has_preshared_key)
		put_key_row(b, "preshared_key", p->preshared_key.bytes);
	if (p->has_endpoint)
		put_endpoint_row(b, &p->endpoint);
	if (p->has_keepalive)
		put_uint_row(b, "persistent_keepalive_interval", p->keepalive);
	if (p->replace_allowed)
		put(b, "replace_allowed_ips=true\n");
	put_allowed_rows(b, p);
}

void uapi_write_patch_device(struct buffer *b, const struct model *patch)
{
	put(b, "set=1\n");
	if (patch->has_private_key)
		put_key_row(b, "private_key", patch->private_key.bytes);
	if (patch->has_listen_port)
		put_uint_row(b, "listen_port", patch->listen_port);
	if (patch->has_fwmark)
		put_uint_row(b, "fwmark", patch->fwmark);
	if (patch->replace_peers)
		put(b, "replace_peers=true\n");
}

void uapi_write_patch_end(struct buffer *b)
{
	put(b, "\n");
}

void uapi_write_patch(struct buffer *b, const struct model *patch)
{
	uapi_write_patch_device(b, patch);
	for (size_t i = 0; i < patch->peer_count; ++i)
		uapi_write_patch_peer(b, &patch->peers[i]);
	uapi_write_patch_end(b);
}

static void put_place(struct buffer *b, const struct endpoint *e)
{
	char text[TEXT_ENDPOINT] = "-";

	if (endpoint_is_set(e) && e->port)
		text_from_endpoint(e, text);
	else if (endpoint_is_set(e))
		text_from_ip(&e->ip, text);
	put(b, text);
}

static void put_seen(struct buffer *b, uint64_t count, uint64_t last_real,
		     const struct endpoint *from)
{
	put(b, " ");
	put_uint(b, count);
	put(b, " ");
	put_uint(b, last_real / NS_PER_S);
	put(b, " ");
	put_uint(b, last_real % NS_PER_S);
	put(b, " ");
	put_place(b, from);
	put(b, "\n");
}

static void write_rejects(struct buffer *b, const struct reject *rejects, size_t count)
{
	for (size_t i = 0; i < count; ++i) {
		put(b, "reject=");
		put(b, rejects[i].reason);
		put_seen(b, rejects[i].count, rejects[i].last_real, &rejects[i].from);
	}
}

static void write_icmp(struct buffer *b, const struct icmp_report *r)
{
	const struct endpoint reporter = { .ip = r->reporter };

	put(b, "icmp=");
	put_place(b, &r->to);
	buffer_printf(b, " %u %u %d", r->type, r->code, r->error);
	put_seen(b, r->count, r->last_real, &reporter);
}

void uapi_write_diagnosis(struct buffer *b, const struct diagnosis *d)
{
	write_rejects(b, d->rejects, d->reject_count);
	for (size_t i = 0; i < d->knock_count; ++i) {
		put(b, "knock=");
		put_hex(b, d->knocks[i].public_key.bytes);
		put_seen(b, d->knocks[i].count, d->knocks[i].last_real, &d->knocks[i].from);
	}
	for (size_t i = 0; i < d->icmp_count; ++i)
		write_icmp(b, &d->icmp[i]);
	for (size_t i = 0; i < d->count_count; ++i) {
		put(b, "count=");
		put(b, d->counts[i].name);
		put(b, " ");
		put_uint(b, d->counts[i].value);
		put(b, "\n");
	}
	for (size_t i = 0; i < d->peer_count; ++i) {
		put_key_row(b, "public_key", d->peers[i].public_key.bytes);
		write_rejects(b, d->peers[i].rejects, d->peers[i].reject_count);
	}
}

void uapi_write_errno(struct buffer *b, enum uapi_status operation, int error)
{
	const bool positive = operation == UAPI_GET || operation == UAPI_DIAGNOSE;
	const int number = abs(error);

	buffer_printf(b, "errno=%d\n\n", positive ? number : -number);
}
