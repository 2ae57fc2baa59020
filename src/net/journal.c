#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "net/journal_private.h"

/* Lines of a journal: the pure half of it. */

static const char *const phases[] = {
	[JOURNAL_UP] = "up",
	[JOURNAL_UPPED] = "upped",
	[JOURNAL_DOWN] = "down",
	[JOURNAL_SYNC] = "sync",
};

const char *journal_phase_name(enum journal_phase phase)
{
	return phases[phase];
}

/* Texts: whatever could end a line or a word is %XX. */

static bool is_plain(char c)
{
	return c > ' ' && c != '%' && c != 0x7f;
}

void journal_write_text(struct buffer *b, const char *text)
{
	for (; *text; ++text)
		if (is_plain(*text) || (unsigned char)*text >= 0x80)
			buffer_append(b, text, 1);
		else
			buffer_printf(b, "%%%02x", (unsigned char)*text);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int take_text(const char *text, size_t len, char **ret)
{
	char *copy = malloc(len + 1);
	size_t n = 0;

	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < len; ++i) {
		const int high = i + 2 < len && text[i] == '%' ? hex_digit(text[i + 1]) : -1;
		const int low = high >= 0 ? hex_digit(text[i + 2]) : -1;

		if (text[i] != '%') {
			copy[n++] = text[i];
			continue;
		}
		if (low < 0 || (high == 0 && low == 0)) {
			free(copy);
			return -EBADMSG;
		}
		copy[n++] = (char)(high * 16 + low);
		i += 2;
	}
	copy[n] = '\0';
	free(*ret);
	*ret = copy;
	return 0;
}

/* Items */

struct item *journal_last(const struct items *in, const struct item *like)
{
	for (size_t i = in->count; i-- > 0;)
		if (item_same(&in->rows[i], like))
			return &in->rows[i];
	return NULL;
}

void journal_strike(struct items *from, const struct item *like)
{
	struct item *const at = journal_last(from, like);

	if (!at)
		return;
	item_done(at);
	memmove(at, at + 1, (size_t)(from->rows + from->count - at - 1) * sizeof(*at));
	--from->count;
}

bool journal_take_own(struct journal *j, const struct item *i)
{
	journal_strike(&j->wanted, i);
	if (i->kind != ITEM_ADDRESS && i->kind != ITEM_ROUTE)
		journal_strike(&j->owned, i);
	return items_copy(&j->owned, i);
}

static int take_item(struct journal *j, enum journal_line kind, const char *text, size_t len)
{
	struct item item = { 0 };
	const int status = item_parse(text, len, &item);
	bool done = true;

	if (status < 0)
		return status == -ENOMEM ? status : -EBADMSG;
	if (kind == JOURNAL_LOST)
		journal_strike(&j->owned, &item);
	else
		done = kind == JOURNAL_OWN ? journal_take_own(j, &item)
					   : items_copy(&j->wanted, &item);
	item_done(&item);
	return done ? 0 : -ENOMEM;
}

static int take_phase(struct journal *j, const char *text, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(phases); ++i)
		if (len == strlen(phases[i]) && memcmp(text, phases[i], len) == 0) {
			j->phase = (enum journal_phase)i;
			return 0;
		}
	return -EBADMSG;
}

/* Lines */

static const char *const words[] = {
	[JOURNAL_PHASE] = "phase ", [JOURNAL_FILE] = "file ", [JOURNAL_ENGINE] = "engine ",
	[JOURNAL_OWN] = "own ",     [JOURNAL_WANT] = "want ", [JOURNAL_LOST] = "lost ",
};

const char *journal_word(enum journal_line kind)
{
	return words[kind];
}

static int take_line(struct journal *j, const char *line, size_t len)
{
	for (size_t i = 0; i < ELEMENTS(words); ++i) {
		const size_t word = strlen(words[i]);
		const char *rest = line + word;

		if (len < word || memcmp(line, words[i], word) != 0)
			continue;
		switch ((enum journal_line)i) {
		case JOURNAL_PHASE:
			return take_phase(j, rest, len - word);
		case JOURNAL_FILE:
			return take_text(rest, len - word, &j->file);
		case JOURNAL_ENGINE:
			return take_text(rest, len - word, &j->engine);
		case JOURNAL_OWN:
		case JOURNAL_WANT:
		case JOURNAL_LOST:
			return take_item(j, (enum journal_line)i, rest, len - word);
		}
	}
	return -EBADMSG;
}

/* "warren journal 1 BOOT" */
static int take_first(const char *line, size_t len, const char *boot, bool *ret_other_boot)
{
	static const char name[] = "warren journal ", version[] = "1 ";
	const size_t head = sizeof(name) - 1 + sizeof(version) - 1;

	if (len < sizeof(name) - 1 || memcmp(line, name, sizeof(name) - 1) != 0)
		return -EBADMSG;
	if (len < head || memcmp(line + sizeof(name) - 1, version, sizeof(version) - 1) != 0)
		return -EPROTONOSUPPORT;
	*ret_other_boot = len - head != strlen(boot) || memcmp(line + head, boot, len - head) != 0;
	return 0;
}

void journal_write_first(struct buffer *b, const char *boot)
{
	buffer_printf(b, "warren journal 1 %s\n", boot);
}

int journal_parse(struct journal *j, const char *text, size_t len, const char *boot,
		  bool *ret_other_boot, size_t *ret_used)
{
	size_t at = 0;
	int status = 0;

	*ret_other_boot = false;
	while (status == 0 && at < len) {
		const char *end = memchr(text + at, '\n', len - at);
		const size_t line = end ? (size_t)(end - text) - at : 0;

		if (!end)
			break;
		status = at ? take_line(j, text + at, line)
			    : take_first(text, line, boot, ret_other_boot);
		at += line + 1;
	}
	*ret_used = at;
	return status;
}
