#include "cli/tunnel_case.h"

#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/spawn.h"
#include "cli/check_out.h"
#include "cli/colour.h"
#include "cli/descent.h"
#include "cli/out.h"
#include "cli/run_file.h"
#include "cli/stop.h"
#include "cli/tunnel_hands.h"
#include "cli/tunnel_sync.h"
#include "net/observe.h"

void tunnel_case_init(struct tunnel_case *c, const struct tunnel_options *o)
{
	*c = (struct tunnel_case){
		.o = o,
		.j = { .run = -1, .state = -1, .fd = -1, .state_fd = -1, .lock = -1, .shared = -1 },
	};
	model_init(&c->patch);
	host_facts_init(&c->facts);
	items_init(&c->others);
	items_init(&c->dns);
	items_init(&c->firewall);
	tunnel_set_init(&c->run.set);
	findings_init(&c->run.findings);
	tunnel_hands_init(&c->hands, c);
}

void tunnel_case_done(struct tunnel_case *c)
{
	items_done(&c->firewall);
	items_done(&c->dns);
	items_done(&c->others);
	host_facts_done(&c->facts);
	spawn_hold(-1);
	journal_done(&c->j);
	model_done(&c->patch);
	check_run_done(&c->run);
	tunnel_path_done(&c->at);
	free(c->engine);
}

/* Words */

void tunnel_case_say(const struct tunnel_case *c, const struct diag *why)
{
	fprintf(stderr, "%s: %s\n", c->o->program, why->text);
	if (why->hint[0])
		fprintf(stderr, "    %s\n", why->hint);
}

int tunnel_case_fail(const struct tunnel_case *c, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", c->o->program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return EXIT_FAILURE;
}

int tunnel_case_need_root(const struct tunnel_case *c)
{
	return geteuid() == 0 ? 0 : tunnel_case_fail(c, "only root may do this; sudo helps");
}

/* The file */

/* What check says of wg-quick and is not so with us: DNS goes another way (A1), and what needs IPv6
 * is left out where there is none (A5). */
static bool is_for_others(const struct tunnel_case *c, const struct finding *f)
{
	return !c->o->quick && (strcmp(f->id, "A1") == 0 || strcmp(f->id, "A5") == 0);
}

static void sift(struct tunnel_case *c)
{
	struct findings *f = &c->run.findings;

	for (size_t i = f->count; i-- > 0;) {
		if (strcmp(f->items[i].id, "writable") == 0)
			c->hooks_refused = true;
		if (f->items[i].severity == DIAG_NOTE || is_for_others(c, &f->items[i]))
			findings_remove(f, i);
	}
}

static void print_short(const struct finding *f, struct out *o)
{
	out_text(o, f->severity == DIAG_ERROR ? "[!] error: " : "[!] ");
	if (f->at.file) {
		check_print_plain(f->at.file, o);
		if (f->at.line)
			out_printf(o, ":%u", f->at.line);
		out_text(o, ": ");
	}
	check_print_plain(f->cause ? f->cause : "", o);
	out_printf(o, " [%s]\n", f->id);
}

/* Under the name wg-quick only what is an error is worth a line that wg-quick does not have. */
static void print_findings(const struct tunnel_case *c, bool all)
{
	const struct findings *f = &c->run.findings;
	struct out o;

	out_init(&o, STDERR_FILENO);
	if (all)
		check_print_text(&c->run, colour_is_wanted(stderr), &o);
	for (size_t i = 0; !all && i < f->count; ++i)
		if (!c->o->quick || f->items[i].severity == DIAG_ERROR)
			print_short(&f->items[i], &o);
	(void)out_done(&o); /* words that nobody hears do not end it */
}

static bool has_hooks(const struct tunnel *t)
{
	for (size_t i = 0; i < TUNNEL_HOOKS; ++i)
		if (t->hooks[i].count)
			return true;
	return false;
}

/* Somebody else's file, or one that the owner of a folder above could replace. */
static bool is_of_others(const char *path)
{
	char *at = strdup(path), *slash = at;
	bool others = !at;
	struct stat st;

	while (!others && slash) {
		others = stat(*at ? at : "/", &st) < 0 || st.st_uid != geteuid();
		slash = strrchr(at, '/');
		if (slash)
			*slash = '\0';
	}
	free(at);
	return others;
}

/* F-S8: nothing is forced there. */
static int refuse_hooks(const struct tunnel_case *c)
{
	return tunnel_case_fail(c,
				"%s has hooks, which run as root: they are refused in a file that "
				"others can write\n    make it root's, mode 0600, in a folder that "
				"only root can write; nothing was done",
				c->at.path);
}

/* Values that wg-quick hands to ip as they are, and ip refuses. */
static bool has_refused_values(const struct findings *f)
{
	static const char *const ids[] = { "bad-address", "bad-mtu", "bad-table" };

	for (size_t i = 0; i < f->count; ++i)
		for (size_t j = 0; j < ELEMENTS(ids); ++j)
			if (f->items[i].severity == DIAG_ERROR &&
			    strcmp(f->items[i].id, ids[j]) == 0)
				return true;
	return false;
}

static bool is_too_bad(const struct tunnel_case *c)
{
	const struct findings *f = &c->run.findings;

	if (c->o->quick)
		return has_refused_values(f);
	return (findings_count(f, DIAG_ERROR) || c->run.left_out) && !c->o->force;
}

static int judge(struct tunnel_case *c, bool strict)
{
	const bool refused = strict && c->hooks_refused && has_hooks(c->t);
	const bool ends = strict && is_too_bad(c);

	if (strict) /* who takes it down wants it gone, not judged */
		print_findings(c, ends || refused);
	if (refused)
		return refuse_hooks(c);
	if (!ends)
		return 0;
	return tunnel_case_fail(c, "nothing was done%s",
				c->o->has_force ? "; --force goes on all the same" : "");
}

int tunnel_case_load(struct tunnel_case *c, bool host, bool strict)
{
	int code = tunnel_path_find(&c->at, c->o->word, c->o->program, c->o->quick);

	if (code)
		return code;
	memcpy(c->name, c->at.name, sizeof(c->name));
	if (!check_run_read(&c->run, &c->at.path, 1, host))
		return tunnel_case_fail(c, "out of memory");
	if (c->run.unread || !c->run.set.count)
		return EXIT_FAILURE;
	c->t = &c->run.set.rows[0];
	/* The name is of the path that was given, whatever its link points to. */
	memcpy(c->t->name, c->name, sizeof(c->t->name));
	sift(c);
	c->hooks_refused = c->hooks_refused || is_of_others(c->at.path);
	return judge(c, strict);
}

/* The journal */

static int fail_journal(const struct tunnel_case *c, int status)
{
	switch (status) {
	case -EINTR:
		return tunnel_case_fail(c, "interrupted; nothing was done");
	case -EPERM:
		return tunnel_case_fail(c, "%s is not root's alone: nobody else may write there",
					c->j.run < 0           ? journal_host.run
					: c->j.state == -EPERM ? journal_host.state
							       : "a file of its journal");
	case -EROFS:
		return tunnel_case_fail(c,
					"%s cannot be written: what is done must be noted there, "
					"to be undone; a tmpfs will do",
					journal_host.run);
	case -EPROTONOSUPPORT:
		return tunnel_case_fail(c,
					"the journal of %s was written by a newer warren: take it "
					"down with that",
					c->name);
	case -EBADMSG:
		return tunnel_case_fail(c,
					"the journal /run/warren/%s.journal is damaged: what %s "
					"has on this host is not known\n    remove it, and what is "
					"left of the tunnel, by hand",
					c->j.base, c->name);
	}
	return tunnel_case_fail(c, "the journal of %s cannot be opened: %s", c->name,
				strerror(-status));
}

static void tell_wait(const struct tunnel_case *c, int holder)
{
	char by[32] = "";

	if (holder)
		(void)snprintf(by, sizeof(by), " (process %d)", holder); /* fits */
	if (sync_is_waiting(&c->j))
		fprintf(stderr,
			"[!] a sync of %s%s waits to be confirmed, and this for it: `warren sync "
			"--confirm yes|no %s' ends it\n",
			c->name, by, c->name);
	else
		fprintf(stderr, "[!] another command is at work on %s%s: waiting for it\n", c->name,
			by);
}

int tunnel_case_lock(struct tunnel_case *c)
{
	int status = journal_open(&c->j, &journal_host, c->name, false);
	int holder;

	if (status == -EAGAIN) {
		holder = journal_holder(&journal_host, c->name);
		if (holder && descends_from(holder))
			return tunnel_case_fail(c,
						"a hook of %s cannot wait for the command that "
						"runs it (process %d)",
						c->name, holder);
		tell_wait(c, holder);
		journal_done(&c->j);
		status = journal_open(&c->j, &journal_host, c->name, true);
	}
	if (status < 0)
		return fail_journal(c, stop_is_asked() ? -EINTR : status);
	spawn_hold(c->j.lock);
	return 0;
}

int tunnel_case_recover(struct tunnel_case *c)
{
	struct diag why = { 0 };
	int status;

	if (!c->j.found)
		return 0;
	fprintf(stderr,
		c->j.phase == JOURNAL_UPPED
			? "[!] the device of %s is gone: taking back what is left of it\n"
			: "[!] %s was left half done by an earlier command: taking it back\n",
		c->name);
	if (c->j.phase == JOURNAL_SYNC && tunnel_sync_recover(c) == 0 && if_nametoindex(c->name))
		return 0; /* it is up, as it was before that */
	run_file_remove_all(&c->j);
	status = apply_recover(&c->j, &c->hands, &why);
	if (status == 0)
		return 0;
	tunnel_case_say(c, &why);
	return tunnel_case_fail(c, "what is left of %s is still in its journal; try again",
				c->name);
}

void tunnel_case_note_base(struct tunnel_case *c)
{
	struct buffer b;

	buffer_init(&b);
	buffer_append(&b, c->run.files[0].bytes, c->run.files[0].len);
	if (!buffer_ok(&b) || run_file_write(&c->j, RUN_FILE_BASE, &b) < 0)
		run_file_remove(&c->j, RUN_FILE_BASE); /* a save then knows of no edits */
	buffer_done(&b);
}
