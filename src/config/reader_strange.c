/*
 * Lines that are not what the file should hold: what they may have been meant to be. A line that
 * nobody knows may be a key that was pasted bare, so hardly anything of it is ever quoted.
 */
#include <string.h>

#include "base/bytes.h"
#include "config/reader.h"
#include "config/value.h"

static struct file_slice whole(const struct file_line *l)
{
	uint32_t at = 0, end = l->len;

	while (at < end && value_is_blank(l->text[at]))
		++at;
	while (end > at && value_is_blank(l->text[end - 1]))
		--end;
	return (struct file_slice){ .at = at, .len = end - at };
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static size_t letters(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && is_letter(text[n]))
		++n;
	return n;
}

/* "option x 'y'", "list x 'y'", "config wireguard_wg0": OpenWrt's. */
static bool is_uci(const char *text, size_t len)
{
	static const char *const words[] = { "option", "list", "config" };
	const size_t n = letters(text, len);

	for (size_t i = 0; i < ELEMENTS(words); ++i) {
		if (n == strlen(words[i]) && n < len && value_is_blank(text[n]) &&
		    value_equals(text, n, words[i]))
			return true;
	}
	return false;
}

static void complain_uci(struct reader *r, const char *text, size_t len)
{
	const struct span at = reader_span(r, text, len);

	if (!r->told_program)
		diag_hint(reader_complain(r, COMPLAINT_OTHER_PROGRAM, &at,
					  "this is a configuration of OpenWrt (UCI)"),
			  "it belongs into /etc/config/network of an OpenWrt system");
	r->told_program = true;
	if (letters(text, len) == 4 && memchr(text, ',', len)) /* list */
		diag_hint(reader_complain(
				  r, COMPLAINT_OPENWRT_LIST, &at,
				  "several values in one item of a list: only the first is used"),
			  "write one `list` line for each");
}

static bool is_foreign_comment(const char *text, size_t len)
{
	return text[0] == ';' || (len >= 2 && text[0] == '/' && text[1] == '/');
}

static bool is_assigned(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && value_is_blank(text[i]))
		++i;
	return i < len && text[i] == '=';
}

/* "PrivateKey: x", "ListenPort 51820": a key that we know and no '=' behind it. */
static enum keys_id known_word(const char *text, size_t len)
{
	const size_t n = letters(text, len);

	return n < len && (value_is_blank(text[n]) || text[n] == ':') &&
			       !is_assigned(text + n, len - n)
		       ? keys_find(text, n, false)
		       : KEYS_UNKNOWN;
}

/* What junk and unknown keys have in common; false: none of it. */
static bool complain_common(struct reader *r, const char *text, size_t len)
{
	const struct span at = reader_span(r, text, len);
	const enum keys_id id = known_word(text, len);

	if (is_foreign_comment(text, len))
		diag_hint(reader_complain(r, COMPLAINT_COMMENT_SIGN, &at,
					  "this is not how a comment begins"),
			  "begin it with '#'");
	else if (is_uci(text, len))
		complain_uci(r, text, len);
	else if (id != KEYS_UNKNOWN)
		diag_hint(reader_complain(r, COMPLAINT_JUNK, &at, "no '=' behind %s",
					  keys_row(id)->name),
			  "write %s = value", keys_row(id)->name);
	else
		return false;
	return true;
}

void reader_junk(struct reader *r)
{
	const struct file_slice all = whole(r->line);
	const char *text = r->line->text + all.at;
	const struct span at = reader_span(r, text, all.len);

	if (!complain_common(r, text, all.len))
		diag_hint(reader_complain(r, COMPLAINT_JUNK, &at,
					  "this line is no section, no key and no comment"),
			  "write Key = value; a comment begins with '#'");
}

/* A key of WireGuard that stands alone; its '=' at the end was taken for the one of the line. */
static bool is_bare_key(const char *text, size_t len)
{
	for (size_t i = 0; i < len; ++i) {
		if (!is_letter(text[i]) && !(text[i] >= '0' && text[i] <= '9') && text[i] != '+' &&
		    text[i] != '/')
			return false;
	}
	return len == 43;
}

/* A word that can't be a part of a key. */
static bool is_word(const char *text, size_t len)
{
	enum { WORD_MAX = 24 };

	for (size_t i = 0; i < len; ++i) {
		if (!is_letter(text[i]) && text[i] != '_' && text[i] != '-' && text[i] != ' ')
			return false;
	}
	return len > 0 && len <= WORD_MAX;
}

static void complain_unknown(struct reader *r, const char *text, size_t len)
{
	const struct span at = reader_span(r, text, len);
	const bool own = r->line->kind == FILE_OWN;
	const enum keys_id near = keys_nearest(text, len, own);
	char quote[READER_QUOTE];
	struct diag *d;

	if (is_word(text, len))
		d = reader_complain(r, own ? COMPLAINT_OWN_KEY : COMPLAINT_KEY, &at, "no key %s",
				    reader_quote(text, len, "of this name", quote));
	else
		d = reader_complain(r, own ? COMPLAINT_OWN_KEY : COMPLAINT_KEY, &at,
				    "this is no key");
	if (is_bare_key(text, len))
		diag_hint(d, "write PrivateKey = or PublicKey = before it");
	else if (!own && keys_find(text, len, true) != KEYS_UNKNOWN)
		diag_hint(d, "it is one of Warren's: write #: %s = value",
			  keys_row(keys_find(text, len, true))->name);
	else if (near != KEYS_UNKNOWN)
		diag_hint(d, "did you mean %s?", keys_row(near)->name);
	else if (own)
		diag_hint(d, "\"#:\" begins a key of Warren; a comment begins with \"# \"");
}

void reader_unknown_key(struct reader *r)
{
	const struct file_slice all = whole(r->line);
	const char *text = r->line->text;

	if (r->line->kind == FILE_OWN || !complain_common(r, text + all.at, all.len))
		complain_unknown(r, text + r->line->key.at, r->line->key.len);
}

static bool is_networkd(const char *text, size_t len)
{
	static const char *const names[] = { "NetDev", "WireGuard", "WireGuardPeer",
					     "Match",  "Network",   "Route" };

	for (size_t i = 0; i < ELEMENTS(names); ++i) {
		if (value_equals(text, len, names[i]))
			return true;
	}
	return false;
}

void reader_unknown_section(struct reader *r)
{
	const struct file_slice all = whole(r->line);
	const struct span at = reader_span(r, r->line->text + all.at, all.len);
	const char *name = r->line->text + r->line->key.at;
	const size_t len = r->line->key.len;
	struct diag *d;

	if (is_networkd(name, len)) {
		if (!r->told_program)
			diag_hint(reader_complain(r, COMPLAINT_OTHER_PROGRAM, &at,
						  "this is a configuration of systemd-networkd"),
				  "it belongs into /etc/systemd/network");
		r->told_program = true;
		return;
	}
	d = reader_complain(r, COMPLAINT_SECTION, &at, "neither [Interface] nor [Peer]");
	if (r->section != KEYS_OTHER_SECTION)
		diag_hint(d, "did you mean %s?", keys_section_name(r->section));
}

void reader_foreign_key(struct reader *r)
{
	const struct span at = file_span(r->f, r->line, &r->line->key);
	const char *name = r->line->text + r->line->key.at;

	if (r->line->id == KEYS_AMNEZIA) {
		if (!span_is_set(&r->t->amnezia))
			diag_hint(reader_complain(
					  r, COMPLAINT_AMNEZIA, &at,
					  "%.*s is a key of AmneziaWG, which is another protocol",
					  (int)r->line->key.len, name),
				  "a plain WireGuard peer cannot talk to it: use AmneziaWG, or ask "
				  "for a WireGuard file");
		else
			return;
		r->t->amnezia = at;
		return;
	}
	if (!r->told_program)
		diag_hint(reader_complain(r, COMPLAINT_OTHER_PROGRAM, &at, "%.*s is a key of %s",
					  (int)r->line->key.len, name,
					  r->line->id == KEYS_ANDROID ? "the Android app"
								      : "systemd-networkd"),
			  "wg and wg-quick refuse it: remove the line");
	r->told_program = r->line->id != KEYS_ANDROID;
}
