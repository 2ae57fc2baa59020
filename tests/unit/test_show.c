#include "cli/show_pretty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "base/time.h"
#include "cli/show_drops.h"
#include "cli/show_fields.h"
#include "cli/show_json.h"
#include "wg/reject.h"

enum { NOW = 1000000 };

#define KEY_A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define KEY_B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define PRIVATE "qKioqKioqKioqKioqKioqKioqKioqKioqKioqKioqGg="
#define SHARED "ERERERERERERERERERERERERERERERERERERERERERE="

static void add_allowed(struct model_peer *p, uint8_t family, uint8_t first, uint8_t bits)
{
	const struct prefix prefix = { .ip = { family, { first } }, .bits = bits };

	assert_true(model_add_allowed(p, &prefix, false));
}

/* Two peers, the second with the newer handshake; or nothing at all. */
static void make(struct model *m, bool is_full)
{
	struct model_peer *p;

	model_init(m);
	if (!is_full)
		return;
	memset(&m->private_key, 0xa8, sizeof(m->private_key));
	m->private_key.bytes[31] = 0x68;
	m->has_private_key = true;
	m->listen_port = 51820;
	m->fwmark = 0xCA6C;
	p = model_add_peer(m);
	assert_non_null(p);
	memset(&p->public_key, 1, sizeof(p->public_key));
	memset(&p->preshared_key, 0x11, sizeof(p->preshared_key));
	p->endpoint = (struct endpoint){ .ip = { FAMILY_V4, { 192, 0, 2, 1 } }, .port = 5 };
	p->keepalive = 3661;
	p->rx_bytes = 1048575;
	p->tx_bytes = 1048576;
	p->handshake_real = (NOW - 61) * NS_PER_S;
	add_allowed(p, FAMILY_V4, 10, 8);
	add_allowed(p, FAMILY_V6, 0xfd, 8);
	p = model_add_peer(m);
	assert_non_null(p);
	memset(&p->public_key, 2, sizeof(p->public_key));
	p->handshake_real = NOW * NS_PER_S;
	p->tx_bytes = 1023;
}

static void view(struct show_view *v, const struct model *m)
{
	assert_true(show_view_init(v, "wg0", m));
}

static void assert_text(struct out *o, const char *text)
{
	buffer_append(&o->text, "", 1);
	assert_true(buffer_ok(&o->text));
	assert_string_equal(o->text.bytes, text);
	assert_int_equal(out_done(o), 0);
}

static const struct {
	const char *field;
	bool with_name;
	const char *text;
} fields[] = {
	{ "private-key", false, PRIVATE "\n" },
	{ "listen-port", false, "51820\n" },
	{ "fwmark", false, "0xca6c\n" },
	{ "fwmark", true, "wg0\t0xca6c\n" },
	{ "peers", false, KEY_A "\n" KEY_B "\n" },
	{ "peers", true, "wg0\t" KEY_A "\nwg0\t" KEY_B "\n" },
	{ "preshared-keys", false, KEY_A "\t" SHARED "\n" KEY_B "\t(none)\n" },
	{ "endpoints", false, KEY_A "\t192.0.2.1:5\n" KEY_B "\t(none)\n" },
	{ "allowed-ips", false, KEY_A "\t10.0.0.0/8 fd00::/8\n" KEY_B "\t(none)\n" },
	{ "latest-handshakes", false, KEY_A "\t999939\n" KEY_B "\t1000000\n" },
	{ "transfer", false, KEY_A "\t1048575\t1048576\n" KEY_B "\t0\t1023\n" },
	{ "persistent-keepalive", false, KEY_A "\t3661\n" KEY_B "\toff\n" },
};

static void each_field(void **state)
{
	struct show_view v;
	struct model m;
	struct out o;

	(void)state;
	make(&m, true);
	view(&v, &m);
	for (size_t i = 0; i < ELEMENTS(fields); ++i) {
		out_init(&o, -1);
		assert_true(show_field(&o, &v, fields[i].field, fields[i].with_name));
		assert_text(&o, fields[i].text);
	}
	out_init(&o, -1);
	assert_false(show_field(&o, &v, "Dump", false));
	assert_false(show_field(&o, &v, "", false));
	assert_int_equal(out_done(&o), 0);
	model_done(&m);
}

/* F-C10: golden bytes; eight columns of a peer, and the device's four before them. */
static void fc10_dump(void **state)
{
	struct show_view v;
	struct model m;
	struct out o;

	(void)state;
	make(&m, true);
	view(&v, &m);
	out_init(&o, -1);
	assert_true(show_field(&o, &v, "dump", false));
	assert_text(&o, PRIVATE
		    "\t9MRwbGGJod1aX4P/tNPNT+z/114HLH2rnjx76hw44XM=\t51820\t0xca6c\n" KEY_A
		    "\t" SHARED "\t192.0.2.1:5\t10.0.0.0/8,fd00::/8\t999939\t1048575\t"
		    "1048576\t3661\n" KEY_B "\t(none)\t(none)\t(none)\t1000000\t0\t1023\toff\n");
	model_done(&m);
	make(&m, false);
	view(&v, &m);
	out_init(&o, -1);
	assert_true(show_field(&o, &v, "dump", true));
	assert_text(&o, "wg0\t(none)\t(none)\t0\toff\n");
	model_done(&m);
}

static void as_a_file(void **state)
{
	struct show_view v;
	struct model m;
	struct out o;

	(void)state;
	make(&m, true);
	view(&v, &m);
	out_init(&o, -1);
	show_config(&o, &v);
	assert_text(&o, "[Interface]\nListenPort = 51820\nFwMark = 0xca6c\nPrivateKey = " PRIVATE
			"\n\n[Peer]\nPublicKey = " KEY_A "\nPresharedKey = " SHARED
			"\nAllowedIPs = 10.0.0.0/8, fd00::/8\nEndpoint = 192.0.2.1:5\n"
			"PersistentKeepalive = 3661\n\n[Peer]\nPublicKey = " KEY_B "\n");
	model_done(&m);
	make(&m, false);
	view(&v, &m);
	out_init(&o, -1);
	show_config(&o, &v);
	assert_text(&o, "[Interface]\n\n");
	model_done(&m);
}

static void for_people(void **state)
{
	const struct show_style style = { .now = NOW };
	struct show_view v;
	struct model m;
	struct out o;

	(void)state;
	make(&m, true);
	view(&v, &m);
	out_init(&o, -1);
	assert_true(show_pretty(&o, &v, &style));
	assert_text(&o,
		    "interface: wg0\n  public key: 9MRwbGGJod1aX4P/tNPNT+z/114HLH2rnjx76hw44XM=\n"
		    "  private key: (hidden)\n  listening port: 51820\n  fwmark: 0xca6c\n\n"
		    "peer: " KEY_B "\n  allowed ips: (none)\n  latest handshake: Now\n"
		    "  transfer: 0 B received, 1023 B sent\n\n"
		    "peer: " KEY_A "\n  preshared key: (hidden)\n  endpoint: 192.0.2.1:5\n"
		    "  allowed ips: 10.0.0.0/8, fd00::/8\n"
		    "  latest handshake: 1 minute, 1 second ago\n"
		    "  transfer: 1024.00 KiB received, 1.00 MiB sent\n"
		    "  persistent keepalive: every 1 hour, 1 minute, 1 second\n");
	model_done(&m);
}

static void colours_and_keys(void **state)
{
	const struct show_style style = { .now = NOW - 100, .colour = true, .keys = true };
	struct show_view v;
	struct model m;
	struct out o;

	(void)state;
	make(&m, true);
	view(&v, &m);
	m.peer_count = 1;
	out_init(&o, -1);
	assert_true(show_pretty(&o, &v, &style));
	buffer_append(&o.text, "", 1);
	assert_non_null(strstr(o.text.bytes,
			       "\033[0m\033[32m\033[1minterface\033[0m: \033[32mwg0\033[0m\n"));
	assert_non_null(
		strstr(o.text.bytes, "\n\n\033[33m\033[1mpeer\033[0m: \033[33m" KEY_A "\033[0m\n"));
	assert_non_null(strstr(o.text.bytes, "  \033[1mprivate key\033[0m: " PRIVATE "\n"));
	assert_non_null(
		strstr(o.text.bytes, "10.0.0.0\033[36m/\033[0m8, fd00::\033[36m/\033[0m8\n"));
	assert_non_null(strstr(o.text.bytes, "(\033[31mSystem clock wound backward; connection "
					     "problems may ensue.\033[0m)\n"));
	assert_non_null(strstr(o.text.bytes, "1024.00 \033[36mKiB\033[0m received"));
	m.peer_count = 2;
	model_done(&m);
	assert_int_equal(out_done(&o), 0);
}

static const struct {
	uint64_t seconds;
	const char *text;
} durations[] = {
	{ 1, "1 second" },
	{ 60, "1 minute" },
	{ 61, "1 minute, 1 second" },
	{ 3600, "1 hour" },
	{ 86400 * 365, "1 year" },
	{ 86400 * 366 - 1, "1 year, 23 hours, 59 minutes, 59 seconds" },
	{ 86400 * 730 + 2, "2 years, 2 seconds" },
};

static void durations_in_words(void **state)
{
	struct out o;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(durations); ++i) {
		out_init(&o, -1);
		show_put_duration(&o, durations[i].seconds, "", "");
		assert_text(&o, durations[i].text);
	}
}

/* No secret in it, whatever else; F-S10. */
static void fs10_json_has_no_secret(void **state)
{
	struct json_out j = { 0 };
	struct show_view v;
	struct model m;
	struct out o;
	json_t *root, *device, *peer;

	(void)state;
	make(&m, true);
	view(&v, &m);
	out_init(&o, -1);
	j.out = &o;
	show_json_begin(&j);
	show_json_device(&j, &v);
	v.name = "a\"\\\x01\xff";
	m.peer_count = 0;
	show_json_device(&j, &v);
	show_json_end(&j);
	m.peer_count = 2;
	root = json_loadb(o.text.bytes, o.text.len, 0, NULL);
	assert_non_null(root);
	buffer_append(&o.text, "", 1);
	assert_null(strstr(o.text.bytes, PRIVATE));
	assert_null(strstr(o.text.bytes, SHARED));
	assert_int_equal(json_integer_value(json_object_get(root, "version")), 1);
	device = json_object_get(json_object_get(root, "interfaces"), "wg0");
	assert_int_equal(json_integer_value(json_object_get(device, "listenPort")), 51820);
	assert_true(json_is_true(json_object_get(device, "hasPrivateKey")));
	peer = json_object_get(json_object_get(device, "peers"), KEY_A);
	assert_true(json_is_true(json_object_get(peer, "hasPresharedKey")));
	assert_int_equal(json_integer_value(json_object_get(peer, "latestHandshake")), NOW - 61);
	assert_int_equal(json_array_size(json_object_get(peer, "allowedIps")), 2);
	assert_string_equal(json_string_value(json_object_get(peer, "endpoint")), "192.0.2.1:5");
	peer = json_object_get(json_object_get(device, "peers"), KEY_B);
	assert_null(json_object_get(peer, "hasPresharedKey"));
	assert_null(json_object_get(peer, "endpoint"));
	assert_non_null(
		json_object_get(json_object_get(root, "interfaces"), "a\"\\\x01\xef\xbf\xbd"));
	json_decref(root);
	model_done(&m);
	assert_int_equal(out_done(&o), 0);
}

static void every_reason_has_words(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < REJECT_REASONS; ++i)
		assert_non_null(show_drops_words(reject_name((enum reject_reason)i)));
	assert_null(show_drops_words("of-tomorrow"));
}

static void drops_in_words(void **state)
{
	struct diagnosis d;
	struct out o;

	(void)state;
	diagnosis_init(&d);
	out_init(&o, -1);
	show_drops_text(&o, "wg0", &d, NOW);
	assert_text(&o, "interface: wg0\n  nothing was dropped\n");
	assert_true(diagnosis_take_rejects(&d.rejects, &d.reject_count, 2));
	d.rejects[0] = (struct reject){ .reason = "out-no-peer",
					.count = 1,
					.last_real = (NOW - 4) * NS_PER_S,
					.from.ip = { FAMILY_V4, { 10, 9, 0, 1 } } };
	d.rejects[1] = (struct reject){ .reason = "of-tomorrow", .count = 2 };
	out_init(&o, -1);
	show_drops_text(&o, "wg0", &d, NOW);
	assert_text(&o,
		    "interface: wg0\n  out-no-peer: 1 time, the last 4 seconds ago, from 10.9.0.1\n"
		    "    the destination is in no peer's allowed IPs\n  of-tomorrow: 2 times\n");
	diagnosis_done(&d);
}

static void failure_to_write_is_kept(void **state)
{
	struct out o;

	(void)state;
	out_init(&o, 1000);
	for (int i = 0; i < 100000; ++i)
		out_text(&o, "0123456789");
	assert_int_not_equal(o.error, 0);
	assert_true(out_done(&o) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_field),
		cmocka_unit_test(fc10_dump),
		cmocka_unit_test(as_a_file),
		cmocka_unit_test(for_people),
		cmocka_unit_test(colours_and_keys),
		cmocka_unit_test(durations_in_words),
		cmocka_unit_test(fs10_json_has_no_secret),
		cmocka_unit_test(every_reason_has_words),
		cmocka_unit_test(drops_in_words),
		cmocka_unit_test(failure_to_write_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
