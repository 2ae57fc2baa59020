#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "config/check.h"
#include "config/tunnel_read.h"
#include "crypto/crypto.h"

/*
 * What `warren check` costs: one hub and its clients, a file each, read and judged together. The
 * median of the rounds, from bytes in memory to findings; reading from a disk is not in it.
 */
enum { COUNT = 1000, ROUNDS = 9 };

struct text {
	char *bytes;
	size_t len;
};

static void fail(const char *what)
{
	fprintf(stderr, "bench_check: %s\n", what);
	exit(EXIT_FAILURE);
}

static void make_key(char private[static TEXT_KEY_BASE64], char public[static TEXT_KEY_BASE64])
{
	struct key_private k;
	struct key_public p;

	if (!crypto_random(&k, sizeof(k)))
		fail("no random bytes");
	crypto_clamp(&k);
	if (!crypto_public(&k, &p))
		fail("no public key");
	text_base64_from_key(k.bytes, private);
	text_base64_from_key(p.bytes, public);
}

static struct text take(struct buffer *b)
{
	struct text text = { malloc(b->len + 1), b->len };

	if (!buffer_ok(b) || !text.bytes)
		fail("out of memory");
	memcpy(text.bytes, b->bytes, b->len);
	buffer_done(b);
	return text;
}

/* texts[0] is the hub. */
static void make_files(struct text texts[static COUNT])
{
	char hub[TEXT_KEY_BASE64], hub_public[TEXT_KEY_BASE64];
	struct buffer h;

	make_key(hub, hub_public);
	buffer_init(&h);
	buffer_printf(&h,
		      "[Interface]\nPrivateKey = %s\nAddress = 10.64.0.1/16\nListenPort = 51820\n",
		      hub);
	for (unsigned int i = 1; i < COUNT; ++i) {
		char key[TEXT_KEY_BASE64], public[TEXT_KEY_BASE64];
		struct buffer b;

		make_key(key, public);
		buffer_init(&b);
		buffer_printf(&b,
			      "[Interface]\nPrivateKey = %s\nAddress = 10.64.%u.%u/32\nDNS = "
			      "10.64.0.1\n\n"
			      "[Peer]\nPublicKey = %s\nAllowedIPs = 10.64.0.0/16, 192.168.0.0/24\n"
			      "Endpoint = vpn.example.org:51820\nPersistentKeepalive = 25\n",
			      key, i / 250, i % 250 + 2, hub_public);
		buffer_printf(
			&h, "\n[Peer]\n# client %u\nPublicKey = %s\nAllowedIPs = 10.64.%u.%u/32\n",
			i, public, i / 250, i % 250 + 2);
		texts[i] = take(&b);
	}
	texts[0] = take(&h);
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static size_t judge(const struct text texts[static COUNT])
{
	struct config_file *files = calloc(COUNT, sizeof(*files));
	struct tunnel_set set;
	struct findings found;
	struct diags diags;
	size_t count;

	tunnel_set_init(&set);
	findings_init(&found);
	diags_init(&diags);
	for (size_t i = 0; files && i < COUNT; ++i) {
		char name[32];
		struct tunnel *t;

		(void)snprintf(name, sizeof(name), "client%zu.conf", i);
		if (file_parse(&files[i], name, texts[i].bytes, texts[i].len) < 0 ||
		    !(t = tunnel_set_add(&set)) || !tunnel_read(&files[i], t, &diags))
			fail("out of memory");
	}
	if (!files || !check_run(&set, NULL, &found))
		fail("out of memory");
	count = found.count + diags.count;
	for (size_t i = 0; i < COUNT; ++i)
		file_done(&files[i]);
	free(files);
	diags_done(&diags);
	findings_done(&found);
	tunnel_set_done(&set);
	return count;
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int main(int argc, char *argv[])
{
	static struct text texts[COUNT];
	uint64_t took[ROUNDS];
	size_t found = 0;

	make_files(texts);
	for (size_t i = 0; i < ROUNDS; ++i) {
		const uint64_t begin = now();

		found = judge(texts);
		took[i] = now() - begin;
	}
	for (size_t i = 0; i < COUNT; ++i)
		free(texts[i].bytes);
	qsort(took, ROUNDS, sizeof(took[0]), compare);
	if (argc > 1 && strcmp(argv[1], "--json") == 0)
		printf("{\"files\": %d, \"ms_median\": %.1f, \"findings\": %zu}\n", COUNT,
		       (double)took[ROUNDS / 2] / 1e6, found);
	else
		printf("%d files together: %.1f ms (median of %d), %zu findings\n", COUNT,
		       (double)took[ROUNDS / 2] / 1e6, ROUNDS, found);
	return 0;
}
