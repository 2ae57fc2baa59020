#include <errno.h>
#include <string.h>

#include "crypto/crypto.h"
#include "device/device_private.h"

/* Why packets were refused, copied out of the core and the device into struct diagnosis. */

static size_t count_rejects(const struct reject_set *set)
{
	size_t n = 0;

	for (int i = 0; set && i < REJECT_REASONS; ++i)
		n += set->by_reason[i].count > 0;
	return n;
}

static bool copy_rejects(const struct reject_set *set, struct reject **ret, size_t *ret_count)
{
	size_t at = 0;

	if (!diagnosis_take_rejects(ret, ret_count, count_rejects(set)))
		return false;
	for (int i = 0; set && i < REJECT_REASONS; ++i) {
		const struct reject_counter *c = &set->by_reason[i];

		if (c->count)
			(*ret)[at++] = (struct reject){
				.reason = reject_name((enum reject_reason)i),
				.count = c->count,
				.last_real = c->last_real,
				.from = c->from,
			};
	}
	return true;
}

static bool copy_peer_rejects(struct device *d, struct diagnosis *ret)
{
	struct peer *p = NULL;
	size_t at = 0;

	while ((p = core_next_peer(d->core, p))) {
		struct peer_view view;
		struct peer_rejects *row;

		core_view_peer(p, &view);
		crypto_wipe(&view.psk, sizeof(view.psk));
		if (!view.rejects)
			continue;
		row = &ret->peers[at++];
		row->public_key = view.public_key;
		if (!copy_rejects(view.rejects, &row->rejects, &row->reject_count))
			return false;
	}
	return true;
}

static void copy_knocks(const struct rejects *from, struct diagnosis *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < REJECT_KNOCKS; ++i) {
		const struct reject_knock *k = &from->knocks[i];

		if (k->seen.count)
			ret->knocks[at++] = (struct knock){
				.public_key = k->key,
				.count = k->seen.count,
				.last_real = k->seen.last_real,
				.from = k->seen.from,
			};
	}
}

static size_t count_knocks(const struct rejects *r)
{
	size_t n = 0;

	for (size_t i = 0; i < REJECT_KNOCKS; ++i)
		n += r->knocks[i].seen.count > 0;
	return n;
}

static const char *const offload_names[OFFLOAD_SWITCHES] = {
	"offload-tun-tso",  "offload-tun-uso", "offload-join-tcp",
	"offload-join-udp", "offload-udp-gso", "offload-udp-gro",
};

/* Wanted, and taken by the kernel. */
static bool is_in_use(const struct device *d, unsigned int which)
{
	const unsigned int tcp = OFFLOAD_TCP4 | OFFLOAD_TCP6, udp = OFFLOAD_UDP4 | OFFLOAD_UDP6;
	unsigned int kinds = OFFLOAD_ALL;

	if (which & (OFFLOAD_TUN_TSO | OFFLOAD_TUN_USO))
		kinds = d->tun.offloads;
	else if (which & (OFFLOAD_JOIN_TCP | OFFLOAD_JOIN_UDP))
		kinds = atomic_load(&d->join_kinds);
	return device_offload(d, which) &&
	       kinds & (which & (OFFLOAD_TUN_TSO | OFFLOAD_JOIN_TCP) ? tcp : udp);
}

static void copy_counts(struct device *d, struct diagnosis *ret)
{
	static const char *const names[COUNT_LAST] = {
		[COUNT_TUN_READS] = "tun-reads",
		[COUNT_TUN_READ_PACKETS] = "tun-read-packets",
		[COUNT_TUN_WRITES] = "tun-writes",
		[COUNT_TUN_WRITE_PACKETS] = "tun-write-packets",
		[COUNT_UDP_SENDS] = "udp-sends",
		[COUNT_UDP_SEND_PACKETS] = "udp-send-packets",
		[COUNT_UDP_RECEIVES] = "udp-receives",
		[COUNT_UDP_RECEIVE_PACKETS] = "udp-receive-packets",
		[COUNT_UDP_RESENT_WITHOUT_SOURCE] = "udp-resent-without-source",
		[COUNT_UDP_BATCHES_REFUSED] = "udp-batches-refused",
		[COUNT_TUN_WRITES_REFUSED] = "tun-writes-refused",
		[COUNT_HANDSHAKES_HANDLED] = "handshakes-handled",
		[COUNT_CALLS_FAILED] = "calls-failed",
	};

	size_t at = 0;

	for (int i = 0; i < COUNT_LAST; ++i)
		ret->counts[at++] = (struct named_count){ names[i], atomic_load(&d->counts[i]) };
	ret->counts[at++] = (struct named_count){ "udp-receive-drops", device_receive_drops(d) };
	ret->counts[at++] =
		(struct named_count){ "cipher-avx2", strcmp(crypto_cipher_name(), "avx2") == 0 };
	for (int i = 0; i < OFFLOAD_SWITCHES; ++i)
		ret->counts[at++] = (struct named_count){ offload_names[i], is_in_use(d, 1U << i) };
}

static int diagnose(struct device *d, struct diagnosis *ret)
{
	const struct rejects *r = core_rejects(d->core);
	struct icmp_report icmp[EVIDENCE_ROWS];
	const size_t n = evidence_read(&d->evidence, icmp);

	if (!copy_rejects(&r->device, &ret->rejects, &ret->reject_count) ||
	    !diagnosis_take(ret, r->peer_sets, count_knocks(r), n,
			    COUNT_LAST + 2 + OFFLOAD_SWITCHES))
		return -ENOMEM;
	for (size_t i = 0; i < n; ++i)
		ret->icmp[i] = icmp[i];
	copy_knocks(r, ret);
	copy_counts(d, ret);
	return copy_peer_rejects(d, ret) ? 0 : -ENOMEM;
}

int device_diagnose(void *ctx, struct diagnosis *ret)
{
	struct device *d = ctx;
	int err;

	lanes_fold(d, device_now());
	pthread_mutex_lock(&d->lock);
	err = diagnose(d, ret);
	pthread_mutex_unlock(&d->lock);
	return err;
}
