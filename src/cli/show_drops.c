#include "cli/show_drops.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "cli/show_view.h"

static const struct {
	const char *reason;
	const char *words;
} meanings[] = {
	{ "no-wireguard-message", "something else than WireGuard came to the port" },
	{ "device-down", "the interface is down, or has no private key" },
	{ "handshake-queue-full", "more handshakes at once than the queue holds" },
	{ "bad-mac1", "a handshake for another public key than ours: the other end has a wrong "
		      "PublicKey for this one" },
	{ "rate-limited", "too many handshakes from one source in a flood" },
	{ "under-load", "answered with a cookie in a flood; its sender tries again" },
	{ "bad-static-key", "a handshake whose sender cannot be read: forged or damaged" },
	{ "unknown-public-key", "a handshake of somebody who is not a peer here" },
	{ "bad-initiation", "a handshake that is not authentic: forged, or the keys do not fit" },
	{ "old-timestamp",
	  "a handshake from the past: replayed, or the other end's clock went back, "
	  "or two machines use one key" },
	{ "initiation-flood", "handshakes of one peer within 20 ms of each other" },
	{ "changed-meanwhile", "the configuration changed while a handshake was computed" },
	{ "stale-response", "an answer to no handshake that waits for one" },
	{ "bad-response", "an answer that is not authentic: the preshared keys differ, or forged" },
	{ "bad-cookie-reply", "a cookie that is not authentic, or was not asked for" },
	{ "unknown-index", "data of a session that is not ours: after a restart, until the next "
			   "handshake" },
	{ "expired-key", "data under a key older than 180 seconds" },
	{ "message-limit", "more messages than one key may carry" },
	{ "bad-tag", "data that is not authentic: damaged or forged" },
	{ "replay", "data that came before, or too late" },
	{ "inner-version", "neither IPv4 nor IPv6 came through the tunnel" },
	{ "inner-length", "a packet through the tunnel whose length contradicts its header" },
	{ "inner-source", "a packet through the tunnel from an address that is not in this peer's "
			  "allowed IPs" },
	{ "out-no-ip-packet", "the host sent something else than IP into the tunnel" },
	{ "out-no-peer", "the destination is in no peer's allowed IPs" },
	{ "out-no-endpoint", "the peer for the destination has no endpoint yet" },
	{ "out-loop", "the peer's endpoint is routed into its own tunnel" },
	{ "out-queue-full", "waited for a handshake, and too many others did" },
	{ "out-no-answer", "waited for a handshake, and the peer did not answer" },
	{ "out-cleared", "waited for a handshake when the interface went down or the peer was "
			 "removed" },
	{ "send-failed", "the host refused to send a datagram" },
	{ "deliver-failed", "the host refused a packet from the tunnel" },
	{ "no-memory", "no memory" },
	{ "no-random", "the host gave no random bytes" },
	{ "crypto-failed", "the cryptographic library failed" },
};

const char *show_drops_words(const char *reason)
{
	for (size_t i = 0; i < ELEMENTS(meanings); ++i)
		if (strcmp(meanings[i].reason, reason) == 0)
			return meanings[i].words;
	return NULL;
}

/* "1.2.3.4:5", or an inner packet's address alone. False: unknown. */
static bool place_text(const struct endpoint *e, char ret[static TEXT_ENDPOINT])
{
	if (!endpoint_is_set(e))
		return false;
	if (e->port)
		text_from_endpoint(e, ret);
	else
		text_from_ip(&e->ip, ret);
	return true;
}

static void put_seen(struct out *o, uint64_t count, uint64_t last, uint64_t now,
		     const struct endpoint *from)
{
	const uint64_t seconds = last / NS_PER_S;
	char place[TEXT_ENDPOINT];

	out_printf(o, "%" PRIu64 " time%s", count, count == 1 ? "" : "s");
	if (seconds && seconds < now) {
		out_text(o, ", the last ");
		show_put_duration(o, now - seconds, "", "");
		out_text(o, " ago");
	} else if (seconds) {
		out_text(o, ", the last just now");
	}
	if (place_text(from, place))
		out_printf(o, ", from %s", place);
	out_text(o, "\n");
}

static void put_rejects(struct out *o, const struct reject *rejects, size_t count, uint64_t now)
{
	for (size_t i = 0; i < count; ++i) {
		const struct reject *r = &rejects[i];
		const char *words = show_drops_words(r->reason);

		out_printf(o, "  %s: ", r->reason);
		put_seen(o, r->count, r->last_real, now, &r->from);
		if (words)
			out_printf(o, "    %s\n", words);
	}
}

static void put_peers(struct out *o, const struct diagnosis *d, uint64_t now)
{
	for (size_t i = 0; i < d->peer_count; ++i) {
		out_text(o, "\npeer: ");
		show_put_key(o, d->peers[i].public_key.bytes);
		out_text(o, "\n");
		put_rejects(o, d->peers[i].rejects, d->peers[i].reject_count, now);
	}
}

static void put_knocks(struct out *o, const struct diagnosis *d, uint64_t now)
{
	if (d->knock_count)
		out_text(o, "\nnot peers, but knocked\n");
	for (size_t i = 0; i < d->knock_count; ++i) {
		out_text(o, "  ");
		show_put_key(o, d->knocks[i].public_key.bytes);
		out_text(o, ": ");
		put_seen(o, d->knocks[i].count, d->knocks[i].last_real, now, &d->knocks[i].from);
	}
}

static void put_icmp(struct out *o, const struct diagnosis *d, uint64_t now)
{
	if (d->icmp_count)
		out_text(o, "\nerrors of the network\n");
	for (size_t i = 0; i < d->icmp_count; ++i) {
		const struct icmp_report *r = &d->icmp[i];
		const struct endpoint reporter = { .ip = r->reporter };
		char to[TEXT_ENDPOINT] = "?";

		(void)place_text(&r->to, to); /* else it is unknown */
		out_printf(o, "  to %s: %s: ", to, strerror(r->error));
		put_seen(o, r->count, r->last_real, now, &reporter);
	}
}

void show_drops_text(struct out *o, const char *name, const struct diagnosis *d, uint64_t now)
{
	out_text(o, "interface: ");
	out_text(o, name);
	out_text(o, d->reject_count ? "\n" : "\n  nothing was dropped\n");
	put_rejects(o, d->rejects, d->reject_count, now);
	put_peers(o, d, now);
	put_knocks(o, d, now);
	put_icmp(o, d, now);
}

static void put_member(struct json_out *j, const char *name, uint64_t value)
{
	json_out_name(j, name);
	json_out_uint(j, value);
}

static void put_json_seen(struct json_out *j, uint64_t count, uint64_t last,
			  const struct endpoint *from)
{
	char place[TEXT_ENDPOINT];

	put_member(j, "count", count);
	put_member(j, "last", last / NS_PER_S);
	if (!place_text(from, place))
		return;
	json_out_name(j, "from");
	json_out_text(j, place);
}

static void put_json_rejects(struct json_out *j, const struct reject *rejects, size_t count)
{
	json_out_open(j, '[');
	for (size_t i = 0; i < count; ++i) {
		json_out_open(j, '{');
		json_out_name(j, "reason");
		json_out_text(j, rejects[i].reason);
		put_json_seen(j, rejects[i].count, rejects[i].last_real, &rejects[i].from);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

static void put_json_key(struct json_out *j, const struct key_public *key)
{
	char text[TEXT_KEY_BASE64];

	text_base64_from_key(key->bytes, text);
	json_out_name(j, "publicKey");
	json_out_text(j, text);
}

static void put_json_peers(struct json_out *j, const struct diagnosis *d)
{
	json_out_name(j, "peers");
	json_out_open(j, '[');
	for (size_t i = 0; i < d->peer_count; ++i) {
		json_out_open(j, '{');
		put_json_key(j, &d->peers[i].public_key);
		json_out_name(j, "drops");
		put_json_rejects(j, d->peers[i].rejects, d->peers[i].reject_count);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

static void put_json_knocks(struct json_out *j, const struct diagnosis *d)
{
	json_out_name(j, "knocks");
	json_out_open(j, '[');
	for (size_t i = 0; i < d->knock_count; ++i) {
		const struct knock *k = &d->knocks[i];

		json_out_open(j, '{');
		put_json_key(j, &k->public_key);
		put_json_seen(j, k->count, k->last_real, &k->from);
		json_out_close(j, '}');
	}
	json_out_close(j, ']');
}

static void put_json_icmp(struct json_out *j, const struct icmp_report *r)
{
	const struct endpoint reporter = { .ip = r->reporter };
	char to[TEXT_ENDPOINT];

	json_out_open(j, '{');
	if (place_text(&r->to, to)) {
		json_out_name(j, "to");
		json_out_text(j, to);
	}
	put_member(j, "type", r->type);
	put_member(j, "code", r->code);
	put_member(j, "errno", (uint64_t)(r->error < 0 ? -r->error : r->error));
	put_json_seen(j, r->count, r->last_real, &reporter);
	json_out_close(j, '}');
}

void show_drops_json(struct json_out *j, const char *name, const struct diagnosis *d)
{
	json_out_open(j, '{');
	put_member(j, "version", 1);
	json_out_name(j, "interface");
	json_out_text(j, name);
	json_out_name(j, "drops");
	put_json_rejects(j, d->rejects, d->reject_count);
	put_json_peers(j, d);
	put_json_knocks(j, d);
	json_out_name(j, "icmp");
	json_out_open(j, '[');
	for (size_t i = 0; i < d->icmp_count; ++i)
		put_json_icmp(j, &d->icmp[i]);
	json_out_close(j, ']');
	json_out_name(j, "counts");
	json_out_open(j, '{');
	for (size_t i = 0; i < d->count_count; ++i)
		put_member(j, d->counts[i].name, d->counts[i].value);
	json_out_close(j, '}');
	json_out_close(j, '}');
	out_text(j->out, "\n");
}
