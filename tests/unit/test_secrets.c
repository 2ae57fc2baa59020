/*
 * After a file was read, changed, written and ended, no part of its keys is left in memory: neither
 * on the heap nor where the stack was. The test itself holds them only as their complement.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text.h"
#include "config/tunnel_read.h"

/* Reads what a sanitizer guards: freed memory, too. */
#define UNCHECKED __attribute__((no_sanitize("address")))

enum { PART = 12, REGION_MAX = 64 << 20 };

struct secret {
	uint8_t hidden[TEXT_KEY_BASE64]; /* the complement of its text */
	uint8_t hidden_bytes[KEY_LEN];
};

static void make_secret(struct secret *s, uint8_t seed)
{
	uint8_t key[KEY_LEN];
	char text[TEXT_KEY_BASE64];

	for (size_t i = 0; i < sizeof(key); ++i)
		key[i] = (uint8_t)(seed + 37 * i * i + 11 * i);
	text_base64_from_key(key, text);
	for (size_t i = 0; i < sizeof(text); ++i)
		s->hidden[i] = (uint8_t)~text[i];
	for (size_t i = 0; i < sizeof(key); ++i)
		s->hidden_bytes[i] = (uint8_t)~key[i];
	explicit_bzero(key, sizeof(key));
	explicit_bzero(text, sizeof(text));
}

UNCHECKED static bool is_at(const volatile uint8_t *p, const uint8_t *hidden)
{
	for (size_t i = 0; i < PART; ++i) {
		if (p[i] + hidden[i] != 0xff)
			return false;
	}
	return true;
}

/* Any PART bytes in a row of it, at the places of a multiple of 4. */
UNCHECKED static bool holds(const volatile uint8_t *begin, size_t len, const uint8_t *hidden,
			    size_t n)
{
	for (size_t part = 0; part + PART <= n; part += 4) {
		for (size_t i = 0; i + PART <= len; ++i) {
			if (is_at(begin + i, hidden + part))
				return true;
		}
	}
	return false;
}

__attribute__((no_sanitize("address"))) static bool
region_holds(unsigned long begin, unsigned long end, const struct secret *s)
{
	const volatile uint8_t *p = (const volatile uint8_t *)begin;

	return holds(p, end - begin, s->hidden, TEXT_KEY_BASE64 - 1) ||
	       holds(p, end - begin, s->hidden_bytes, KEY_LEN);
}

static bool memory_holds(const struct secret *s)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long begin, end;
	bool found = false;
	char line[512], rights[5];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %4s", &begin, &end, rights) != 3 || rights[1] != 'w' ||
		    end - begin > REGION_MAX)
			continue;
		found = found || region_holds(begin, end, s);
	}
	assert_int_equal(fclose(maps), 0);
	return found;
}

static void append_secret(struct buffer *b, const char *name, const struct secret *s)
{
	char text[TEXT_KEY_BASE64];

	for (size_t i = 0; i < sizeof(text); ++i)
		text[i] = (char)~s->hidden[i];
	buffer_append(b, name, strlen(name));
	buffer_append(b, text, sizeof(text) - 1);
	buffer_append(b, "\n", 1);
	explicit_bzero(text, sizeof(text));
}

struct secrets {
	struct secret private, psk, broken;
};

static void make_text(struct buffer *b, const struct secrets *s)
{
	buffer_append(b, "[Interface]\n", 12);
	append_secret(b, "PrivateKey = ", &s->private);
	append_secret(b, "ListenPort = ", &s->broken);
	append_secret(b, "", &s->broken);
	for (int i = 0; i < 20; ++i) {
		buffer_append(b, "[Peer]\n", 7);
		append_secret(b, "PublicKey = x", &s->broken);
		append_secret(b, "Preshared Key = ", &s->psk);
		append_secret(b, "# ", &s->broken);
	}
}

static void use(const struct buffer *text)
{
	struct config_file f;
	struct tunnel_set set;
	struct diags d;
	struct buffer b;

	assert_int_equal(file_parse(&f, "wg0.conf", text->bytes, text->len), 0);
	diags_init(&d);
	tunnel_set_init(&set);
	for (int i = 0; i < 9; ++i) {
		struct tunnel *t = tunnel_set_add(&set);

		assert_non_null(t);
		assert_true(tunnel_read(&f, t, &d));
		assert_true(t->model.has_private_key && t->model.peers[19].has_preshared_key);
	}
	buffer_init(&b);
	file_write(&f, &b);
	assert_true(tunnel_write(&set.rows[0], &b));
	assert_true(buffer_ok(&b));
	assert_int_equal(file_set_value(&f, 1, "new"), 0);
	assert_int_equal(file_add(&f, 1, KEYS_MTU, "1400"), 0);
	file_remove(&f, 2);
	buffer_done(&b);
	tunnel_set_done(&set);
	diags_done(&d);
	file_done(&f);
}

static void fs4_no_key_is_left_behind(void **state)
{
	struct secrets s;
	struct buffer text;

	(void)state;
	make_secret(&s.private, 1);
	make_secret(&s.psk, 2);
	make_secret(&s.broken, 3);
	assert_false(memory_holds(&s.private));
	buffer_init(&text);
	make_text(&text, &s);
	assert_true(memory_holds(&s.private) && memory_holds(&s.broken));
	use(&text);
	buffer_done(&text);
	assert_false(memory_holds(&s.private));
	assert_false(memory_holds(&s.psk));
	assert_false(memory_holds(&s.broken));
}

/* With nothing done afterwards that would write over what was left. */
static void fs4_reading_leaves_nothing(void **state)
{
	struct config_file f;
	struct tunnel t;
	struct diags d;
	struct secret s;
	struct buffer text;

	(void)state;
	make_secret(&s, 4);
	buffer_init(&text);
	buffer_append(&text, "[Interface]\n", 12);
	append_secret(&text, "PrivateKey = ", &s);
	assert_int_equal(file_parse(&f, "", text.bytes, text.len), 0);
	buffer_done(&text);
	diags_init(&d);
	assert_true(tunnel_read(&f, &t, &d));
	assert_true(t.model.has_private_key);
	tunnel_done(&t);
	diags_done(&d);
	file_done(&f);
	assert_false(memory_holds(&s));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(fs4_reading_leaves_nothing),
		cmocka_unit_test(fs4_no_key_is_left_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
