#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "config/tunnel_read.h"
#include "support.h"

static bool chance(uint64_t *seed, uint64_t n)
{
	return test_random_below(seed, n) == 0;
}

static struct prefix random_prefix(uint64_t *seed)
{
	struct prefix p = { .ip.family = chance(seed, 2) ? FAMILY_V6 : FAMILY_V4 };

	test_random_fill(seed, p.ip.bytes, p.ip.family == FAMILY_V6 ? 16 : 4);
	p.bits = (uint8_t)test_random_below(seed, ip_bits(&p.ip) + 1);
	return p;
}

static struct tunnel_prefix random_row(uint64_t *seed)
{
	struct tunnel_prefix row = { .prefix = random_prefix(seed), .has_bits = true };

	if (chance(seed, 3)) {
		row.has_bits = false;
		row.prefix.bits = (uint8_t)ip_bits(&row.prefix.ip);
	}
	return row;
}

/* A text of one line, of all that it may hold. */
static size_t random_text(uint64_t *seed, char *ret, const char *set)
{
	const size_t len = 1 + (size_t)test_random_below(seed, 40);

	for (size_t i = 0; i < len; ++i)
		ret[i] = set[test_random_below(seed, strlen(set))];
	ret[len] = '\0';
	return len;
}

static const char command_set[] = "abz09 #=;:\"'`$(){}[]<>|&\\%i!*?~\t-+,./\xe9";
static const char name_set[] = "abz09 #=;:\"'`$(){}[]<>|&\\%!*?~-+,./";
static const char host_set[] = "abcxyz0123456789.-_";

static void add_random_text(uint64_t *seed, struct tunnel_texts *list, enum keys_id id,
			    const char *set)
{
	char text[64];
	size_t len;

	do {
		len = random_text(seed, text, set);
	} while (!file_text_is_safe(id, text));
	assert_true(tunnel_add_text(list, text, len, &(struct span){ 0 }));
}

static void add_random_endpoint(uint64_t *seed, struct tunnel *t)
{
	struct tunnel_peer *p = &t->peers[t->model.peer_count - 1];
	struct model_peer *m = &t->model.peers[t->model.peer_count - 1];
	const struct prefix at = random_prefix(seed);
	char text[64] = "a";

	p->endpoint_port = (uint16_t)test_random(seed);
	if (chance(seed, 4))
		assert_true(tunnel_set_text(&p->endpoint_service, "domain", 6));
	if (p->endpoint_service)
		p->endpoint_port = 0;
	if (chance(seed, 2)) {
		(void)random_text(seed, text + 1, host_set);
	} else if (at.ip.family == FAMILY_V4) {
		(void)snprintf(text, sizeof(text), "%d.%d.%d.%d", at.ip.bytes[0], at.ip.bytes[1],
			       at.ip.bytes[2], at.ip.bytes[3]);
	} else {
		(void)snprintf(text, sizeof(text), "fe80::%x%s", 1 + at.ip.bytes[0] % 9,
			       chance(seed, 3) ? "%eth0" : "");
	}
	assert_true(tunnel_set_text(&p->endpoint_host, text, strlen(text)));
	m->has_endpoint = text[0] != 'a' && !strchr(text, '%') && !p->endpoint_service;
	if (!m->has_endpoint)
		return;
	m->endpoint = (struct endpoint){ .ip = at.ip, .port = p->endpoint_port };
	if (at.ip.family == FAMILY_V6)
		m->endpoint.ip =
			(struct ip){ .family = FAMILY_V6,
				     .bytes = { 0xfe,
						0x80, [15] = (uint8_t)(1 + at.ip.bytes[0] % 9) } };
}

static void add_random_allowed(uint64_t *seed, struct tunnel *t)
{
	struct model_peer *m = &t->model.peers[t->model.peer_count - 1];
	const size_t count = (size_t)test_random_below(seed, 6);
	const bool signs = chance(seed, 4);

	m->replace_allowed = true;
	for (size_t i = 0; i < count; ++i) {
		struct tunnel_prefix row = random_row(seed);

		if (signs && chance(seed, 2))
			row.sign = chance(seed, 2) ? '+' : '-';
		m = &t->model.peers[t->model.peer_count - 1];
		m->replace_allowed = m->replace_allowed && !row.sign;
		assert_true(tunnel_add_allowed(t, t->model.peer_count - 1, &row));
	}
	/* a further line, that replaces all again */
	if (signs && !m->replace_allowed && chance(seed, 2)) {
		const struct tunnel_prefix row = random_row(seed);

		m->replace_allowed = true;
		assert_true(tunnel_add_allowed(t, t->model.peer_count - 1, &row));
	}
}

static void add_random_peer(uint64_t *seed, struct tunnel *t)
{
	struct model_peer *m;
	char name[65];

	assert_true(tunnel_add_peer(t));
	m = &t->model.peers[t->model.peer_count - 1];
	test_random_fill(seed, m->public_key.bytes, KEY_LEN);
	t->peers[t->model.peer_count - 1].has_public_key = true;
	m->has_preshared_key = chance(seed, 2);
	if (m->has_preshared_key)
		test_random_fill(seed, m->preshared_key.bytes, KEY_LEN);
	m->has_keepalive = chance(seed, 2);
	if (m->has_keepalive)
		m->keepalive = (uint16_t)test_random(seed);
	add_random_allowed(seed, t);
	if (chance(seed, 2))
		add_random_endpoint(seed, t);
	if (chance(seed, 2)) {
		do {
			(void)random_text(seed, name, name_set);
		} while (!file_text_is_safe(KEYS_OWN_NAME, name));
		assert_true(tunnel_set_text(&t->peers[t->model.peer_count - 1].name.text, name,
					    strlen(name)));
	}
}

static void set_random_own(uint64_t *seed, struct tunnel_own *own)
{
	own->kill_switch = (enum tunnel_kill_switch)test_random_below(seed, 3);
	own->forward = chance(seed, 2);
	own->masquerade = chance(seed, 2);
	own->reresolve = chance(seed, 2);
	own->mss_clamp = chance(seed, 2);
	if (own->mss_clamp && chance(seed, 2))
		own->mss = (uint16_t)(68 + test_random_below(seed, 60000));
	for (uint64_t i = test_random_below(seed, 3); i > 0; --i) {
		const struct tunnel_prefix row = random_row(seed);

		assert_true(tunnel_add_prefix(&own->excluded, &row));
	}
	for (uint64_t i = test_random_below(seed, 3); i > 0; --i) {
		struct tunnel_port p = { .port = (uint16_t)(1 + test_random_below(seed, 65535)) };

		p.tcp = chance(seed, 2);
		p.udp = !p.tcp || chance(seed, 2);
		assert_true(tunnel_add_port(&own->open, &p));
	}
}

static void set_random_table(uint64_t *seed, struct tunnel *t)
{
	t->table = (enum tunnel_table)test_random_below(seed, 4);
	if (t->table == TUNNEL_TABLE_NUMBER)
		t->table_number = (uint32_t)(1 + test_random_below(seed, UINT32_MAX));
	if (t->table == TUNNEL_TABLE_NAME)
		assert_true(tunnel_set_text(&t->table_name, "ma-in_1", 7));
}

static void set_random_interface(uint64_t *seed, struct tunnel *t)
{
	struct model *m = &t->model;

	m->has_private_key = chance(seed, 2);
	if (m->has_private_key)
		test_random_fill(seed, m->private_key.bytes, KEY_LEN);
	m->has_listen_port = chance(seed, 2);
	if (m->has_listen_port)
		m->listen_port = (uint16_t)test_random(seed);
	m->has_fwmark = chance(seed, 2);
	if (m->has_fwmark)
		m->fwmark = chance(seed, 4) ? 0 : (uint32_t)test_random(seed);
	for (uint64_t i = test_random_below(seed, 4); i > 0; --i) {
		const struct tunnel_prefix row = random_row(seed);

		assert_true(tunnel_add_prefix(&t->addresses, &row));
	}
	for (uint64_t i = test_random_below(seed, 3); i > 0; --i) {
		struct tunnel_prefix row = random_row(seed);

		row.has_bits = false;
		row.prefix.bits = (uint8_t)ip_bits(&row.prefix.ip);
		assert_true(tunnel_add_prefix(&t->dns, &row));
	}
	if (chance(seed, 2))
		assert_true(tunnel_add_text(&t->search, "corp.example", 12, &(struct span){ 0 }));
	if (chance(seed, 2))
		t->mtu = (uint16_t)(68 + test_random_below(seed, 60000));
	t->save_config = chance(seed, 2);
	for (int i = 0; i < TUNNEL_HOOKS; ++i) {
		for (uint64_t n = test_random_below(seed, 3); n > 0; --n)
			add_random_text(seed, &t->hooks[i], KEYS_PRE_UP + (enum keys_id)i,
					command_set);
	}
}

static void write_text(const struct tunnel *t, struct buffer *b)
{
	buffer_init(b);
	assert_true(tunnel_write(t, b));
}

static void read_text(const struct buffer *b, struct config_file *f, struct tunnel *t)
{
	struct diags d;

	assert_int_equal(file_parse(f, "", b->bytes, b->len), 0);
	diags_init(&d);
	assert_true(tunnel_read(f, t, &d));
	for (size_t i = 0; i < d.count; ++i) {
		if (d.rows[i].severity != DIAG_NOTE && strcmp(d.rows[i].id, "service-name") != 0)
			fail_msg("%s in\n%.*s", d.rows[i].text, (int)b->len, b->bytes);
	}
	diags_done(&d);
}

/* What is written is read as the same tunnel, without a complaint, and written as the same text. */
static void fc1_what_is_written_is_read(void **state)
{
	uint64_t seed = 8;

	(void)state;
	for (int run = 0; run < 5000; ++run) {
		struct tunnel t, again;
		struct buffer b, twice;
		struct config_file f;

		tunnel_init(&t);
		set_random_interface(&seed, &t);
		set_random_table(&seed, &t);
		set_random_own(&seed, &t.own);
		for (uint64_t i = test_random_below(&seed, 5); i > 0; --i)
			add_random_peer(&seed, &t);
		write_text(&t, &b);
		read_text(&b, &f, &again);
		if (!tunnel_equal(&t, &again))
			fail_msg("run %d:\n%.*s", run, (int)b.len, b.bytes);
		write_text(&again, &twice);
		assert_int_equal(b.len, twice.len);
		assert_memory_equal(b.bytes, twice.bytes, b.len);
		buffer_done(&b);
		buffer_done(&twice);
		tunnel_done(&t);
		tunnel_done(&again);
		file_done(&f);
	}
}

/* A name or a host that would bring a line of its own is not written. */
static void fc1_unsafe_texts_are_refused(void **state)
{
	static const char *const texts[] = { "a\nPostUp = reboot",
					     "a\r",
					     "a\x1b",
					     "a\x7f",
					     "a\v",
					     "a\xc2\x85"
					     "PostUp = x",
					     "a\xe2\x80\xa8x",
					     "",
					     " a",
					     "a ",
					     "\n[Interface]\nPostUp = reboot" };

	(void)state;
	for (size_t i = 0; i < ELEMENTS(texts) * 4; ++i) {
		const char *text = texts[i / 4];
		struct tunnel t;
		struct buffer b;

		tunnel_init(&t);
		assert_true(tunnel_add_peer(&t));
		if (i % 4 == 0)
			assert_true(tunnel_set_text(&t.peers[0].name.text, text, strlen(text)));
		else if (i % 4 == 1)
			assert_true(tunnel_add_text(&t.hooks[TUNNEL_POST_UP], text, strlen(text),
						    &(struct span){ 0 }));
		else if (i % 4 == 2)
			assert_true(tunnel_add_text(&t.search, text, strlen(text),
						    &(struct span){ 0 }));
		else
			assert_true(tunnel_set_text(&t.listen_service, text, strlen(text)));
		buffer_init(&b);
		if (tunnel_write(&t, &b))
			fail_msg("wrote text %zu at place %zu", i / 4, i % 4);
		buffer_done(&b);
		tunnel_done(&t);
	}
}

static void fc1_host_with_a_line_break(void **state)
{
	struct tunnel t;
	struct buffer b;

	(void)state;
	tunnel_init(&t);
	assert_true(tunnel_add_peer(&t));
	assert_true(tunnel_set_text(&t.peers[0].endpoint_host, "a\nPostUp = x", 12));
	t.peers[0].endpoint_port = 1;
	buffer_init(&b);
	assert_false(tunnel_write(&t, &b));
	buffer_done(&b);
	tunnel_done(&t);
}

static void empty_tunnel(void **state)
{
	struct tunnel t;
	struct buffer b;

	(void)state;
	tunnel_init(&t);
	write_text(&t, &b);
	assert_int_equal(b.len, sizeof("[Interface]\n") - 1);
	buffer_done(&b);
	tunnel_done(&t);
}

/* Equal means equal: each thing that differs alone makes a difference. */
static void differences_are_seen(void **state)
{
	uint64_t seed = 9;
	struct tunnel a, b;

	(void)state;
	for (int run = 0; run < 200; ++run) {
		tunnel_init(&a);
		tunnel_init(&b);
		for (int i = 0; i < 2; ++i) {
			uint64_t same = 100 + (uint64_t)run;
			struct tunnel *t = i ? &b : &a;

			set_random_interface(&same, t);
			set_random_table(&same, t);
			set_random_own(&same, &t->own);
			add_random_peer(&same, t);
		}
		assert_true(tunnel_equal(&a, &b));
		switch (test_random_below(&seed, 18)) {
		case 0:
			b.model.private_key.bytes[31] ^= 1;
			break;
		case 1:
			b.model.listen_port ^= 1;
			break;
		case 2:
			b.model.fwmark ^= 1;
			break;
		case 3:
			b.model.peers[0].public_key.bytes[0] ^= 1;
			break;
		case 4:
			b.model.peers[0].preshared_key.bytes[0] ^= 1;
			break;
		case 5:
			b.model.peers[0].keepalive ^= 1;
			break;
		case 6:
			b.model.peers[0].endpoint.port ^= 1;
			break;
		case 7:
			assert_true(tunnel_set_text(&b.peers[0].name.text, "other", 5));
			break;
		case 8:
			assert_true(tunnel_set_text(&b.peers[0].endpoint_host, "other", 5));
			break;
		case 9:
			assert_true(tunnel_add_allowed(
				&b, 0, &(struct tunnel_prefix){ .prefix.ip.family = FAMILY_V4 }));
			break;
		case 10:
			assert_true(tunnel_add_prefix(&b.addresses, &(struct tunnel_prefix){ 0 }));
			break;
		case 11:
			assert_true(tunnel_add_prefix(&b.dns, &(struct tunnel_prefix){ 0 }));
			break;
		case 12:
			assert_true(
				tunnel_add_text(&b.hooks[run % 4], "x", 1, &(struct span){ 0 }));
			break;
		case 13:
			b.mtu ^= 1;
			break;
		case 14:
			b.table = (b.table + 1) % 4;
			break;
		case 15:
			b.own.kill_switch = (b.own.kill_switch + 1) % 3;
			break;
		case 16:
			b.save_config = !b.save_config;
			break;
		case 17:
			assert_true(tunnel_add_peer(&b));
			break;
		}
		assert_false(tunnel_equal(&a, &b));
		assert_false(tunnel_equal(&b, &a));
		tunnel_done(&a);
		tunnel_done(&b);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fc1_what_is_written_is_read),
		cmocka_unit_test(fc1_unsafe_texts_are_refused),
		cmocka_unit_test(fc1_host_with_a_line_break),
		cmocka_unit_test(empty_tunnel),
		cmocka_unit_test(differences_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
