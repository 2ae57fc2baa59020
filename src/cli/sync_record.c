#include <errno.h>
#include <string.h>

#include "base/rows.h"
#include "cli/conf_patch.h"
#include "cli/run_file.h"
#include "cli/show_fields.h"
#include "cli/tunnel_sync.h"

/*
 * /run/warren/NAME.sync, 0600: "warren sync 1", then a line for each step of the plan and for each
 * thing that was owned before, then "device" and the device as showconf has it.
 */
#define FIRST "warren sync 1\n"
#define ADD "add "
#define REMOVE "remove "
#define OWN "own "
#define DEVICE "device\n"

static void put_item(struct buffer *b, const char *word, const struct item *i)
{
	buffer_append(b, word, strlen(word));
	if (!item_write(i, b))
		b->failed = true;
	buffer_append(b, "\n", 1);
}

static bool put_device(struct buffer *b, const struct sync *s)
{
	struct show_view view;
	struct out o;

	if (!show_view_init(&view, s->c->name, &s->running))
		return false;
	out_init(&o, -1);
	show_config(&o, &view);
	buffer_append(b, o.text.bytes, o.text.len);
	b->failed = b->failed || !buffer_ok(&o.text);
	return out_done(&o) == 0;
}

static bool put_all(struct buffer *b, const struct sync *s)
{
	buffer_append(b, FIRST, strlen(FIRST));
	for (size_t i = 0; i < s->plan.count; ++i) {
		const struct step *step = &s->plan.rows[i];

		if (step->kind == STEP_ADD || step->kind == STEP_UP)
			put_item(b, ADD, &step->item);
		if (step->kind == STEP_REMOVE)
			put_item(b, REMOVE, &step->item);
	}
	for (size_t i = 0; i < s->before.count; ++i)
		put_item(b, OWN, &s->before.rows[i]);
	buffer_append(b, DEVICE, strlen(DEVICE));
	return put_device(b, s) && buffer_ok(b);
}

int sync_record_write(const struct sync *s)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	status = put_all(&b, s) ? run_file_write(&s->c->j, RUN_FILE_SYNC, &b) : -ENOMEM;
	buffer_done(&b);
	return status;
}

/* Reading */

struct text {
	const char *at;
	size_t len;
};

static bool take(struct text *t, const char *word)
{
	const size_t n = strlen(word);

	if (t->len < n || memcmp(t->at, word, n) != 0)
		return false;
	t->at += n;
	t->len -= n;
	return true;
}

static struct step *add_step(struct plan *p)
{
	void *rows = p->rows;

	if (!rows_grow(&rows, sizeof(*p->rows), p->count, &p->room))
		return NULL;
	p->rows = rows;
	p->rows[p->count] = (struct step){ 0 };
	return &p->rows[p->count++];
}

static int take_item(struct sync *s, struct text line)
{
	const bool is_own = take(&line, OWN);
	const bool is_add = !is_own && take(&line, ADD);
	struct item item = { 0 };
	struct step *step;
	int status = 0;

	if (!is_own && !is_add && !take(&line, REMOVE))
		return -EBADMSG;
	status = item_parse(line.at, line.len, &item);
	if (status < 0)
		return status == -ENOMEM ? status : -EBADMSG;
	if (is_own) {
		if (!items_copy(&s->before, &item))
			status = -ENOMEM;
		item_done(&item);
		return status;
	}
	step = add_step(&s->plan);
	if (!step) {
		item_done(&item);
		return -ENOMEM;
	}
	step->kind = is_add ? STEP_ADD : STEP_REMOVE;
	step->item = item;
	return 0;
}

static void say_nothing(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)ctx;
	(void)at;
	(void)words;
	(void)hint;
}

static int take_device(struct sync *s, const struct text *rest)
{
	struct config_file f;
	struct conf_patch patch;
	int status = file_parse(&f, "", rest->at, rest->len);

	if (status < 0)
		return status;
	conf_patch_init(&patch, &f);
	patch.settings.say = say_nothing;
	patch.settings.resolver.retries = 0;
	if (conf_patch_read(&patch, false, &s->running) != CONF_READ)
		status = -EBADMSG;
	file_done(&f);
	return status;
}

static int parse(struct sync *s, struct text rest)
{
	int status = 0;

	if (!take(&rest, FIRST))
		return -EBADMSG;
	while (status == 0 && !take(&rest, DEVICE)) {
		const char *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
		const size_t len = end ? (size_t)(end - rest.at) : 0;

		if (!end)
			return -EBADMSG;
		status = take_item(s, (struct text){ rest.at, len });
		rest.at += len + 1;
		rest.len -= len + 1;
	}
	return status ? status : take_device(s, &rest);
}

int sync_record_read(struct sync *s)
{
	struct buffer b;
	int status;

	buffer_init(&b);
	status = run_file_read(&s->c->j, RUN_FILE_SYNC, &b);
	if (status == 0)
		status = parse(s, (struct text){ b.bytes, b.len });
	buffer_done(&b);
	return status;
}
