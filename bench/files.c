#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "config/tunnel_read.h"

/*
 * Configuration files: how long it takes to cut one of many peers into lines, to read what it says,
 * and to write it both ways; and to read many files of one peer.
 *
 * usage: bench_files [--json] [PEERS [FILES]]
 */
struct times {
	double parse, read, write, canonical, small;
	double bytes;
};

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail */
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void give_up(const char *why)
{
	fprintf(stderr, "bench_files: %s\n", why);
	exit(EXIT_FAILURE);
}

/* Some 32 bytes that differ for each n, as a key. */
static void print_key(struct buffer *b, const char *name, uint64_t n)
{
	uint8_t key[KEY_LEN];
	char text[TEXT_KEY_BASE64];

	for (size_t i = 0; i < sizeof(key); ++i) {
		n = n * 6364136223846793005U + 1442695040888963407U;
		key[i] = (uint8_t)(n >> 56);
	}
	text_base64_from_key(key, text);
	buffer_printf(b, "%s = %s\n", name, text);
}

static void make_file(struct buffer *b, unsigned int peers)
{
	buffer_printf(b, "[Interface]\n");
	print_key(b, "PrivateKey", peers);
	buffer_printf(b, "Address = 10.0.0.1/8, fd00::1/64\nListenPort = 51820\n");
	for (unsigned int i = 0; i < peers; ++i) {
		buffer_printf(b, "\n[Peer]\n# client %u\n", i);
		print_key(b, "PublicKey", i);
		print_key(b, "PresharedKey", i + peers);
		buffer_printf(b, "AllowedIPs = 10.%u.%u.%u/32, fd00::%x:%x/128\n", i >> 16 & 255,
			      i >> 8 & 255, i & 255, i >> 16, i & 0xffff);
		if (i % 2)
			buffer_printf(b, "Endpoint = 192.0.2.%u:51820\n", i & 255);
		buffer_printf(b, "PersistentKeepalive = 25\n");
	}
	if (!buffer_ok(b))
		give_up("out of memory");
}

static double measure_write(const struct config_file *f, const struct tunnel *t, double *ret)
{
	struct buffer b;
	double begin = now();
	double lossless;

	buffer_init(&b);
	file_write(f, &b);
	lossless = now() - begin;
	buffer_done(&b);
	begin = now();
	buffer_init(&b);
	if (!tunnel_write(t, &b))
		give_up("cannot write");
	*ret = now() - begin;
	buffer_done(&b);
	return lossless;
}

static void measure(const struct buffer *text, struct times *ret)
{
	struct config_file f;
	struct tunnel t;
	struct diags d;
	double begin = now();

	if (file_parse(&f, "wg0.conf", text->bytes, text->len))
		give_up("cannot parse");
	ret->parse = now() - begin;
	diags_init(&d);
	begin = now();
	if (!tunnel_read(&f, &t, &d) || d.count)
		give_up("cannot read");
	ret->read = now() - begin;
	ret->write = measure_write(&f, &t, &ret->canonical);
	diags_done(&d);
	tunnel_done(&t);
	file_done(&f);
}

static double measure_small(unsigned int files)
{
	struct buffer text;
	struct times each;
	double begin;

	buffer_init(&text);
	make_file(&text, 1);
	begin = now();
	for (unsigned int i = 0; i < files; ++i)
		measure(&text, &each);
	begin = now() - begin;
	buffer_done(&text);
	return begin;
}

static void print(const struct times *t, unsigned int peers, unsigned int files, bool json)
{
	if (json)
		printf("{\"peers\": %u, \"bytes\": %.0f, \"parse_s\": %.6f, \"read_s\": %.6f, "
		       "\"write_s\": %.6f, \"canonical_s\": %.6f, \"files\": %u, \"files_s\": "
		       "%.6f}\n",
		       peers, t->bytes, t->parse, t->read, t->write, t->canonical, files, t->small);
	else
		printf("%u peers, %.1f MB: parse %.3f s, read %.3f s, write %.3f s, canonical %.3f "
		       "s\n"
		       "%u files of one peer: %.3f s\n",
		       peers, t->bytes / 1e6, t->parse, t->read, t->write, t->canonical, files,
		       t->small);
}

int main(int argc, char **argv)
{
	const bool json = argc > 1 && strcmp(argv[1], "--json") == 0;
	unsigned int counts[2] = { 100000, 1000 };
	struct buffer text;
	struct times t = { 0 };

	for (int i = 1 + json; i < argc && i < 3 + json; ++i)
		counts[i - 1 - json] = (unsigned int)strtoul(argv[i], NULL, 10);
	buffer_init(&text);
	make_file(&text, counts[0]);
	t.bytes = (double)text.len;
	measure(&text, &t);
	t.small = measure_small(counts[1]);
	print(&t, counts[0], counts[1], json);
	buffer_done(&text);
	return EXIT_SUCCESS;
}
