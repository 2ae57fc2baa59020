#include "device/offload_switch.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

static const char *const names[OFFLOAD_SWITCHES] = {
	"tun-tso", "tun-uso", "join-tcp", "join-udp", "udp-gso", "udp-gro",
};

/* MAJOR.MINOR.PATCH as one number. */
#define KERNEL(major, minor, patch) ((major)*1000000U + (minor)*1000U + (patch))

/*
 * Kernels from `since` on and before `until`. Where a fault came and went in stable releases too,
 * the range of the mainline stands here; what a backport brings, the probe or the first refused
 * batch finds.
 */
static const struct kernel_row {
	unsigned int since;
	unsigned int until;
	struct offload_fault fault;
} kernels[] = {
	/* UDP_SEGMENT is not known, and passed over in silence: one giant datagram leaves. */
	{ 0, KERNEL(4, 18, 0), { .off = OFFLOAD_UDP_GSO } },
	/* UDP_GRO hands over datagrams of another protocol's socket, and cannot be asked for. */
	{ 0, KERNEL(5, 12, 0), { .off = OFFLOAD_UDP_GRO } },
	/* UDP super-packets written to a TUN are lost where they are unwrapped from VXLAN again. */
	{ 0, KERNEL(6, 8, 5), { .off = OFFLOAD_JOIN_UDP } },
	/* A batch whose last datagram is as long as the others leaves with broken headers. */
	{ KERNEL(7, 0, 0), KERNEL(7, 1, 5), { .equal_tail = true } },
};

const char *offload_switch_name(int i)
{
	return names[i];
}

static unsigned int find(const char *word, size_t len)
{
	if (len == 3 && memcmp(word, "all", len) == 0)
		return OFFLOAD_SWITCHES_ALL;
	for (unsigned int i = 0; i < OFFLOAD_SWITCHES; ++i) {
		if (strlen(names[i]) == len && memcmp(names[i], word, len) == 0)
			return 1U << i;
	}
	return 0;
}

/* One word: what is on after it. */
static bool apply(const char *word, size_t len, unsigned int *switches)
{
	const bool takes_away = len > 0 && *word == '-';
	const unsigned int bits = find(word + takes_away, len - takes_away);

	if (len == 4 && memcmp(word, "none", len) == 0) {
		*switches = 0;
		return true;
	}
	*switches = takes_away ? *switches & ~bits : *switches | bits;
	return bits != 0;
}

bool offload_switch_parse(const char *text, unsigned int *ret, struct diag *why)
{
	/* Words that take away begin from all, words that add from nothing. */
	unsigned int switches = *text == '-' ? OFFLOAD_SWITCHES_ALL : 0;

	for (;;) {
		const size_t len = strcspn(text, ",");

		if (!apply(text, len, &switches)) {
			diag_set(why, DIAG_ERROR, "offload", 0,
				 "`%.*s' is no offload; there are all, none, tun-tso, tun-uso, "
				 "join-tcp, join-udp, udp-gso, udp-gro",
				 (int)(len < 20 ? len : 20), text);
			return false;
		}
		if (!text[len])
			break;
		text += len + 1;
	}
	*ret = switches;
	return true;
}

struct offload_fault offload_switch_kernel(const char *release)
{
	unsigned int major, minor, patch = 0;
	struct offload_fault fault = { 0 };

	if (sscanf(release, "%3u.%3u.%3u", &major, &minor, &patch) < 2) /* NOLINT(cert-err34-c) */
		return fault;
	for (size_t i = 0; i < ELEMENTS(kernels); ++i) {
		const unsigned int at = KERNEL(major, minor, patch);

		if (at < kernels[i].since || at >= kernels[i].until)
			continue;
		fault.off |= kernels[i].fault.off;
		fault.equal_tail |= kernels[i].fault.equal_tail;
	}
	return fault;
}
