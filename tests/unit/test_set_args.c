#include "cli/set_args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "control/uapi.h"

#define A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define HEX_A "public_key=0101010101010101010101010101010101010101010101010101010101010101\n"
#define HEX_B "public_key=0202020202020202020202020202020202020202020202020202020202020202\n"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111\n"
#define NONE "0000000000000000000000000000000000000000000000000000000000000000\n"

static bool read_key(const struct settings *s, const char *path, uint8_t ret[static KEY_LEN])
{
	if (strcmp(path, "nope") == 0) {
		settings_say(s, 0, NULL, "fopen: nope");
		return false;
	}
	memset(ret, strcmp(path, "empty") == 0 ? 0 : 0x11, KEY_LEN);
	return true;
}

/* No network: numbers only, and one name. */
static int lookup(const char *host, const char *service, const struct addrinfo *hints,
		  struct addrinfo **ret)
{
	struct addrinfo numeric = *hints;

	numeric.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
	if (host && strcmp(host, "vpn.example") == 0)
		host = "192.0.2.7";
	return getaddrinfo(host, service, &numeric, ret);
}

static void say(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)at;
	(void)hint;
	buffer_printf(ctx, "%s\n", words);
}

static int split(char *text, char *argv[], int room)
{
	int argc = 0;

	for (char *word = strtok(text, " "); word && argc < room; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, "''") == 0 ? (word[0] = '\0', word) : word;
	return argc;
}

/* In set: what is sent behind "set=1"; words: what is said before that. */
static const struct {
	const char *args, *words, *set; /* set NULL: it is wrong */
} rows[] = {
	{ "listen-port 5", "", "listen_port=5\n" },
	{ "listen-port 5 listen-port 6 fwmark 0x10", "", "listen_port=6\nfwmark=16\n" },
	{ "fwmark off", "", "fwmark=0\n" },
	{ "fwmark 010", "", "fwmark=10\n" },
	{ "fwmark 0X10", "Fwmark is neither 0/off nor 0-0xffffffff: `0X10'\n", NULL },
	{ "listen-port ''", "Unable to parse empty port\n", NULL },
	{ "listen-port x", "Name or service not known: `x'\n", NULL },
	{ "private-key file", "", "private_key=" ONES },
	{ "private-key empty", "", "private_key=" NONE },
	{ "private-key nope", "fopen: nope\n", NULL },
	{ "peer " A, "", HEX_A },
	{ "peer x", "Key is not the correct length or format: `x'\n", NULL },
	{ "peer", "Invalid argument: peer\n", NULL },
	{ "remove", "Invalid argument: remove\n", NULL },
	{ "endpoint 1.2.3.4:5", "Invalid argument: endpoint\n", NULL },
	{ "peer " A " listen-port 5", "Invalid argument: listen-port\n", NULL },
	{ "peer " A " endpoint", "Invalid argument: endpoint\n", NULL },
	{ "Peer " A, "Invalid argument: Peer\n", NULL },
	{ "peer " A " endpoint 1.2.3.4:5", "", HEX_A "endpoint=1.2.3.4:5\n" },
	{ "peer " A " endpoint vpn.example:5", "", HEX_A "endpoint=192.0.2.7:5\n" },
	{ "peer " A " endpoint ::1:5", "", HEX_A "endpoint=[::1]:5\n" },
	{ "peer " A " endpoint ''", "Unable to parse empty endpoint\n", NULL },
	{ "peer " A " endpoint [::1", "Unable to find matching brace of endpoint: `[::1'\n", NULL },
	{ "peer " A " endpoint [::1]", "Unable to find port of endpoint: `[::1]'\n", NULL },
	{ "peer " A " endpoint no.example:5", "Name or service not known: `no.example:5'\n", NULL },
	{ "peer " A " preshared-key file", "", HEX_A "preshared_key=" ONES },
	{ "peer " A " persistent-keepalive off", "", HEX_A "persistent_keepalive_interval=0\n" },
	{ "peer " A " persistent-keepalive 65536",
	  "Persistent keepalive interval is neither 0/off nor 1-65535: `65536'\n", NULL },
	{ "peer " A " remove endpoint 1.2.3.4:5 allowed-ips 10.0.0.0/8", "",
	  HEX_A "remove=true\n" },
	{ "peer " A " allowed-ips ''", "", HEX_A "replace_allowed_ips=true\n" },
	{ "peer " A " allowed-ips 10.0.0.1,fd00::/8", "",
	  HEX_A "replace_allowed_ips=true\nallowed_ip=10.0.0.1/32\nallowed_ip=fd00::/8\n" },
	{ "peer " A " allowed-ips +10.0.0.0/8,-fd00::/8", "",
	  HEX_A "allowed_ip=10.0.0.0/8\nallowed_ip=-fd00::/8\n" },
	{ "peer " A " allowed-ips 1.0.0.0/8,+2.0.0.0/8", "",
	  HEX_A "allowed_ip=1.0.0.0/8\nallowed_ip=2.0.0.0/8\n" },
	{ "peer " A " allowed-ips +1.0.0.0/8 allowed-ips 2.0.0.0/8", "",
	  HEX_A "replace_allowed_ips=true\nallowed_ip=1.0.0.0/8\nallowed_ip=2.0.0.0/8\n" },
	{ "peer " A " allowed-ips 1.0.0.0/8 allowed-ips +2.0.0.0/8", "",
	  HEX_A "allowed_ip=1.0.0.0/8\nallowed_ip=2.0.0.0/8\n" },
	{ "peer " A " allowed-ips 10.1.2.3/8",
	  "Warning: AllowedIP has nonzero host part: 10.1.2.3/8\n",
	  HEX_A "replace_allowed_ips=true\nallowed_ip=10.1.2.3/8\n" },
	{ "peer " A " allowed-ips 10.0.0.0/8,", "Unable to parse IP address: `'\n", NULL },
	{ "peer " A " allowed-ips +x/8", "Unable to parse IP address: `x'\n", NULL },
	{ "peer " A " allowed-ips +10.0.0.0/33",
	  "AllowedIP is not in the correct format: `+10.0.0.0/33'\n", NULL },
	{ "listen-port 1 peer " A " peer " B " remove peer " A " persistent-keepalive 25", "",
	  "listen_port=1\n" HEX_A HEX_B "remove=true\n" HEX_A
	  "persistent_keepalive_interval=25\n" },
};

static void each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		char *text = strdup(rows[i].args), *argv[16];
		struct buffer words, sent;
		struct set_args args;
		struct model patch;
		bool ok;

		assert_non_null(text);
		buffer_init(&words);
		buffer_init(&sent);
		model_init(&patch);
		set_args_init(&args);
		args.read_key = read_key;
		args.settings.resolver.lookup = lookup;
		args.settings.say = say;
		args.settings.ctx = &words;
		ok = set_args_parse(&args, split(text, argv, ELEMENTS(argv)), argv, &patch);
		buffer_append(&words, "", 1);
		assert_string_equal(words.bytes, rows[i].words);
		assert_int_equal(ok, rows[i].set != NULL);
		if (ok) {
			uapi_write_patch(&sent, &patch);
			buffer_append(&sent, "", 1);
			assert_memory_equal(sent.bytes, "set=1\n", 6);
			sent.bytes[sent.len - 2] = '\0'; /* the blank line */
			assert_string_equal(sent.bytes + 6, rows[i].set);
		}
		model_done(&patch);
		buffer_done(&sent);
		buffer_done(&words);
		free(text);
	}
}

/* What may be a secret is not quoted: F-S10. */
static void fs10_secrets_are_not_quoted(void **state)
{
	static const enum keys_id secrets[] = { KEYS_PRIVATE_KEY, KEYS_PRESHARED_KEY };
	struct buffer words;
	struct settings s = { .say = say, .ctx = &words };
	struct model m;

	(void)state;
	model_init(&m);
	assert_non_null(model_add_peer(&m));
	for (size_t i = 0; i < ELEMENTS(secrets); ++i) {
		buffer_init(&words);
		assert_int_equal(settings_apply(&s, &m, secrets[i], "c2VjcmV0"), SETTINGS_WRONG);
		buffer_append(&words, "", 1);
		assert_string_equal(words.bytes,
				    "Key is not the correct length or format: `(hidden)'\n");
		buffer_done(&words);
	}
	model_done(&m);
}

static void say_hint(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)at;
	buffer_printf(ctx, "%s; %s\n", words, hint ? hint : "");
}

/* The key itself in the place of its file: F-S10. */
static void fs10_key_for_a_file_is_not_quoted(void **state)
{
	static char word[] = "private-key", path[] = "/nonexistent/key", key[] = A;
	static const struct {
		char *value;
		const char *words;
	} files[] = {
		{ path, "fopen: No such file or directory; /nonexistent/key\n" },
		{ key, "fopen: No such file or directory; a file that holds the key is wanted "
		       "here, not the key\n" },
	};
	struct buffer words;
	struct set_args args;
	struct model patch;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(files); ++i) {
		char *const argv[] = { word, files[i].value, NULL };

		buffer_init(&words);
		model_init(&patch);
		set_args_init(&args);
		args.settings.say = say_hint;
		args.settings.ctx = &words;
		assert_false(set_args_parse(&args, 2, argv, &patch));
		buffer_append(&words, "", 1);
		assert_string_equal(words.bytes, files[i].words);
		model_done(&patch);
		buffer_done(&words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(fs10_secrets_are_not_quoted),
		cmocka_unit_test(fs10_key_for_a_file_is_not_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
