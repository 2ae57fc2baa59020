#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/patch_print.h"
#include "cli/run_file.h"
#include "cli/tunnel_sync.h"
#include "cli/wg_device.h"
#include "control/devices.h"
#include "model/difference.h"

/* Back to how it was. The journal knows what of the plan was done. */

static void tell(struct sync *s, int status, const struct diag *why)
{
	struct diag plain = { 0 };

	if (why->severity == DIAG_NONE)
		diag_set(&plain, DIAG_ERROR, "sync", 0, "%s", strerror(-status));
	s->c->hands.tell(s->c->hands.ctx, why->severity ? why : &plain);
}

/* As a way down goes: patient, and nothing is undone in turn. On disk it is still a sync. */
static int put(struct sync *s, const struct item *i, bool remove)
{
	struct step step = { .kind = remove ? STEP_REMOVE : STEP_ADD, .item = *i };
	const struct plan plan = { .rows = &step, .count = 1 };
	const enum journal_phase phase = s->c->j.phase;
	struct diag why = { 0 };
	int status;

	s->c->j.phase = JOURNAL_DOWN;
	status = apply_plan(&plan, &s->c->j, &s->c->hands, &why);
	s->c->j.phase = phase;
	if (status == -EEXIST && !remove) /* somebody was faster, and it is ours again */
		status = journal_own(&s->c->j, i);
	if (status < 0)
		tell(s, status, &why);
	return status;
}

/* The journal's own row: it knows what a switch was before. */
static int take_off(struct sync *s, const struct item *now)
{
	struct items one;
	int status = -ENOMEM;

	items_init(&one);
	if (items_copy(&one, now))
		status = put(s, &one.rows[0], true);
	items_done(&one);
	return status;
}

static int undo_add(struct sync *s, const struct item *i)
{
	const struct item *now = items_find(&s->c->j.owned, i), *was = items_find(&s->before, i);

	if (was)
		return now && item_equal(now, was) ? 0 : put(s, was, false);
	return now ? take_off(s, now) : 0;
}

static int undo_remove(struct sync *s, const struct item *i)
{
	return items_find(&s->c->j.owned, i) ? 0 : put(s, i, false);
}

static int undo_device(struct sync *s)
{
	struct model now, patch;
	struct diag why = { 0 };
	struct device d;
	int status;

	model_init(&now);
	model_init(&patch);
	status = wg_device_get(s->c->name, &now);
	s->running.has_listen_port = s->running.has_fwmark = true;
	if (status == 0 && !model_difference(&s->running, &now, false, &patch))
		status = -ENOMEM;
	if (status == 0 && !model_is_empty(&patch)) {
		patch_print(&patch, s->c->name, stderr);
		device_init(&d, DEVICES_DIR, s->c->name);
		status = d.backend.set(d.backend.ctx, &patch, &why);
		status = status > 0 ? -status : status;
	}
	if (status < 0)
		tell(s, status, &why);
	model_done(&patch);
	model_done(&now);
	return status;
}

int sync_undo(struct sync *s)
{
	int first = 0, status;

	for (size_t i = s->plan.count; i-- > 0;) {
		const struct step *step = &s->plan.rows[i];

		status = 0;
		if (step->kind == STEP_ADD || step->kind == STEP_UP)
			status = undo_add(s, &step->item);
		else if (step->kind == STEP_REMOVE)
			status = undo_remove(s, &step->item);
		first = first ? first : status;
	}
	status = undo_device(s);
	first = first ? first : status;
	status = journal_phase(&s->c->j, JOURNAL_UPPED);
	if (status == 0)
		run_file_remove(&s->c->j, RUN_FILE_SYNC);
	return first ? first : status;
}

static int recover(struct sync *s)
{
	int status = sync_record_read(s);

	if (status < 0)
		return tunnel_case_fail(s->c, "how %s was before is not known (%s)", s->c->name,
					strerror(-status));
	status = sync_undo(s);
	return status < 0 ? tunnel_case_fail(s->c, "not all of it could be taken back") : 0;
}

int tunnel_sync_recover(struct tunnel_case *c)
{
	struct sync s = { .c = c };
	int code;

	model_init(&s.running);
	items_init(&s.before);
	plan_init(&s.plan);
	code = recover(&s);
	plan_done(&s.plan);
	items_done(&s.before);
	model_done(&s.running);
	return code;
}
