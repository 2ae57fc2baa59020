#include "config/peer_name.h"

#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "config/value.h"

struct text {
	const char *at;
	size_t len;
};

/* The better source wins; the first of equals. */
enum rank { RANK_NONE, RANK_ABOVE, RANK_INSIDE, RANK_HEADER, RANK_FORM, RANK_FRIENDLY, RANK_OWN };

static void skip(struct text *t, size_t n)
{
	t->at += n;
	t->len -= n;
}

static void trim(struct text *t, const char *more)
{
	while (t->len && (value_is_blank(*t->at) || (*t->at && strchr(more, *t->at))))
		skip(t, 1);
	while (t->len && (value_is_blank(t->at[t->len - 1]) ||
			  (t->at[t->len - 1] && strchr(more, t->at[t->len - 1]))))
		--t->len;
}

static bool take_prefix(struct text *t, const char *prefix)
{
	const size_t n = strlen(prefix);

	if (t->len < n || strncasecmp(t->at, prefix, n) != 0)
		return false;
	skip(t, n);
	return true;
}

/* " (8d6f…)", the number that wg-easy puts behind a name. */
static void drop_uuid(struct text *t)
{
	enum { UUID = sizeof(" (00000000-0000-0000-0000-000000000000)") - 1 };

	if (t->len > UUID && t->at[t->len - 1] == ')' &&
	    memcmp(t->at + t->len - UUID, " (", 2) == 0)
		t->len -= UUID;
}

static bool is_good(const struct text *t)
{
	uint32_t code;

	if (!t->len || t->len > PEER_NAME_MAX)
		return false;
	for (size_t i = 0; i < t->len;) {
		i += utf8_next(t->at + i, t->len - i, &code);
		if (code == UTF8_WRONG || utf8_is_control(code))
			return false;
	}
	return true;
}

/* A remark that could be a name: not a line that was commented out, and not a long text. */
static bool is_plain(const struct text *t)
{
	return !memchr(t->at, '=', t->len) && !memchr(t->at, '[', t->len) &&
	       !memchr(t->at, ':', t->len);
}

static bool take_end(struct text *t)
{
	static const char *const ends[] = { "end_peer", "end " };

	for (size_t i = 0; i < ELEMENTS(ends); ++i)
		if (take_prefix(t, ends[i]))
			return true;
	return false;
}

bool peer_name_is_end(const struct file_line *comment)
{
	struct text t = { comment->text + comment->comment.at, comment->comment.len };

	trim(&t, "#");
	return take_end(&t);
}

/* The rank of a comment, whose name it leaves in t. */
static enum rank judge(struct text *t, enum rank plain)
{
	static const char *const friendly[] = { "friendly_name=", "friendly_name =" };
	static const char *const forms[] = { "client:", "name:",       "peer:",      "name =",
					     "name=",   "begin_peer ", "begin ",     "client ",
					     "user:",   "peer_name =", "peer_name=", "Name# =" };

	trim(t, "#");
	for (size_t i = 0; i < ELEMENTS(friendly); ++i) {
		if (take_prefix(t, friendly[i])) {
			trim(t, "");
			return RANK_FRIENDLY;
		}
	}
	if (take_end(t))
		return RANK_NONE;
	for (size_t i = 0; i < ELEMENTS(forms); ++i) {
		if (take_prefix(t, forms[i])) {
			trim(t, "");
			drop_uuid(t);
			return plain ? RANK_FORM : RANK_NONE;
		}
	}
	return is_plain(t) ? plain : RANK_NONE;
}

struct search {
	const struct config_file *f;
	struct peer_name *best;
	enum rank rank;
};

static void offer(struct search *s, size_t line, struct text t, enum rank rank)
{
	/* of our own keys the last one counts */
	if (rank == RANK_NONE || rank < s->rank || (rank == s->rank && rank != RANK_OWN) ||
	    !is_good(&t))
		return;
	s->rank = rank;
	*s->best = (struct peer_name){ .text = t.at, .len = t.len, .line = line };
}

static void offer_comment(struct search *s, size_t line, enum rank plain)
{
	const struct file_line *l = &s->f->lines[line];
	struct text t = { l->text + l->comment.at, l->comment.len };
	enum rank rank;

	if (!t.len)
		return;
	rank = judge(&t, plain);
	offer(s, line, t, rank);
}

/* The comments that stand right above a line. */
static void offer_above(struct search *s, size_t line)
{
	for (size_t i = line; i > 0 && s->f->lines[i - 1].kind == FILE_COMMENT; --i)
		offer_comment(s, i - 1, RANK_ABOVE);
}

void peer_name_find(const struct config_file *f, size_t section, struct peer_name *ret)
{
	const struct file_section *part = &f->sections[section];
	struct search s = { .f = f, .best = ret };
	bool in_head = true;

	*ret = (struct peer_name){ 0 };
	for (size_t i = part->first; i < part->end; ++i) {
		const struct file_line *l = &f->lines[i];

		if (l->kind == FILE_OWN && l->id == KEYS_OWN_NAME)
			offer(&s, i, (struct text){ l->text + l->value.at, l->value.len },
			      RANK_OWN);
		else if (l->kind == FILE_SECTION)
			offer_comment(&s, i, RANK_HEADER);
		else if (l->kind == FILE_COMMENT)
			offer_comment(&s, i, in_head ? RANK_INSIDE : RANK_NONE);
		in_head = in_head && l->kind != FILE_ENTRY;
	}
	offer_above(&s, part->first);
}
