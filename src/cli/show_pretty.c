#include "cli/show_pretty.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"

struct paint {
	const char *reset, *bold, *red, *green, *yellow, *cyan;
};

static const struct paint plain = { "", "", "", "", "", "" };
static const struct paint colours = { "\033[0m",  "\033[1m",  "\033[31m",
				      "\033[32m", "\033[33m", "\033[36m" };

/* One print: where to, and how it looks. */
struct page {
	struct out *out;
	const struct paint *paint;
	const struct show_style *style;
};

static void put_label(const struct page *p, const char *label)
{
	out_printf(p->out, "  %s%s%s: ", p->paint->bold, label, p->paint->reset);
}

static void put_secret(const struct page *p, const char *label, const uint8_t key[static KEY_LEN])
{
	put_label(p, label);
	if (p->style->keys)
		show_put_key(p->out, key);
	else
		out_text(p->out, "(hidden)");
	out_text(p->out, "\n");
}

static void put_age(const struct page *p, uint64_t then)
{
	if (then == p->style->now) {
		out_text(p->out, "Now");
	} else if (then > p->style->now) {
		out_printf(p->out,
			   "(%sSystem clock wound backward; connection problems may ensue.%s)",
			   p->paint->red, p->paint->reset);
	} else {
		show_put_duration(p->out, p->style->now - then, p->paint->cyan, p->paint->reset);
		out_text(p->out, " ago");
	}
}

static void put_bytes(const struct page *p, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
	uint64_t unit = 1024;
	size_t i = 0;

	if (bytes < unit) {
		out_printf(p->out, "%" PRIu64 " %sB%s", bytes, p->paint->cyan, p->paint->reset);
		return;
	}
	while (i + 1 < ELEMENTS(units) && bytes / 1024 >= unit) {
		unit *= 1024;
		++i;
	}
	out_printf(p->out, "%.2f %s%s%s", (double)bytes / (double)unit, p->paint->cyan, units[i],
		   p->paint->reset);
}

static void put_allowed(const struct page *p, const struct model_peer *peer)
{
	char ip[TEXT_IP];

	put_label(p, "allowed ips");
	for (size_t i = 0; i < peer->allowed_count; ++i) {
		text_from_ip(&peer->allowed[i].prefix.ip, ip);
		out_printf(p->out, "%s%s%s/%s%u", i ? ", " : "", ip, p->paint->cyan,
			   p->paint->reset, peer->allowed[i].prefix.bits);
	}
	out_text(p->out, peer->allowed_count ? "\n" : "(none)\n");
}

static void put_transfer(const struct page *p, const struct model_peer *peer)
{
	put_label(p, "transfer");
	put_bytes(p, peer->rx_bytes);
	out_text(p->out, " received, ");
	put_bytes(p, peer->tx_bytes);
	out_text(p->out, " sent\n");
}

static void put_peer(const struct page *p, const struct model_peer *peer)
{
	const struct paint *c = p->paint;
	const uint64_t handshake = peer->handshake_real / NS_PER_S;

	out_printf(p->out, "%s%speer%s: %s", c->yellow, c->bold, c->reset, c->yellow);
	show_put_key(p->out, peer->public_key.bytes);
	out_printf(p->out, "%s\n", c->reset);
	if (show_has_preshared_key(peer))
		put_secret(p, "preshared key", peer->preshared_key.bytes);
	if (endpoint_is_set(&peer->endpoint)) {
		put_label(p, "endpoint");
		show_put_endpoint(p->out, &peer->endpoint);
		out_text(p->out, "\n");
	}
	put_allowed(p, peer);
	if (handshake) {
		put_label(p, "latest handshake");
		put_age(p, handshake);
		out_text(p->out, "\n");
	}
	if (peer->rx_bytes || peer->tx_bytes)
		put_transfer(p, peer);
	if (peer->keepalive) {
		put_label(p, "persistent keepalive");
		out_text(p->out, "every ");
		show_put_duration(p->out, peer->keepalive, p->paint->cyan, p->paint->reset);
		out_text(p->out, "\n");
	}
}

static void put_device(const struct page *p, const struct show_view *v)
{
	const struct paint *c = p->paint;

	out_printf(p->out, "%s%s%sinterface%s: %s%s%s\n", c->reset, c->green, c->bold, c->reset,
		   c->green, v->name, c->reset);
	if (v->has_public_key) {
		put_label(p, "public key");
		show_put_key(p->out, v->public_key.bytes);
		out_text(p->out, "\n");
	}
	if (v->model->has_private_key)
		put_secret(p, "private key", v->model->private_key.bytes);
	if (v->model->listen_port) {
		put_label(p, "listening port");
		out_printf(p->out, "%u\n", v->model->listen_port);
	}
	if (v->model->fwmark) {
		put_label(p, "fwmark");
		out_printf(p->out, "0x%" PRIx32 "\n", v->model->fwmark);
	}
}

/* By handshake, then as they came. */
static int compare_peers(const void *a, const void *b)
{
	const struct model_peer *const *pa = a, *const *pb = b;

	if ((*pa)->handshake_real != (*pb)->handshake_real)
		return (*pa)->handshake_real > (*pb)->handshake_real ? -1 : 1;
	return *pa < *pb ? -1 : *pa > *pb;
}

bool show_pretty(struct out *o, const struct show_view *v, const struct show_style *s)
{
	const struct page page = { .out = o, .paint = s->colour ? &colours : &plain, .style = s };
	const size_t count = v->model->peer_count;
	const struct model_peer **order = calloc(count + 1, sizeof(*order));

	if (!order)
		return false;
	for (size_t i = 0; i < count; ++i)
		order[i] = &v->model->peers[i];
	qsort(order, count, sizeof(*order), compare_peers);
	put_device(&page, v);
	for (size_t i = 0; i < count; ++i) {
		out_text(o, "\n");
		put_peer(&page, order[i]);
	}
	free(order);
	return true;
}
