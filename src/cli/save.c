#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/quick.h"
#include "cli/replace_file.h"
#include "cli/run_file.h"
#include "cli/save.h"
#include "cli/tunnel_path.h"
#include "cli/wg_device.h"
#include "config/tunnel_read.h"
#include "config/tunnel_save.h"
#include "control/devices.h"
#include "device/harden.h"
#include "net/journal.h"
#include "net/observe.h"

/* The port that everybody takes: a host that chooses one hits it once in 28000 times. */
enum { USUAL_PORT = 51820 };

/* All that a save is made of. */
struct save {
	const struct tunnel_call *call;
	const struct tunnel_path *path;
	struct config_file file;
	struct tunnel tunnel;
	struct diags diags;
	struct model device;
	struct host_facts host;
	struct prefix *addresses;
	struct journal journal;    /* only looked at */
	struct config_file before; /* what the file said when it became what runs */
	struct tunnel base;
	bool has_base;
};

static int fail(const struct save *s, const char *words)
{
	fprintf(stderr, "%s: %s: %s\n", s->call->program, s->path->path, words);
	return EXIT_FAILURE;
}

static int fail_memory(const struct save *s)
{
	fprintf(stderr, "%s: out of memory\n", s->call->program);
	return EXIT_FAILURE;
}

static bool is_device(const char *name)
{
	struct device_list list;
	bool found = false;

	if (devices_list(DEVICES_DIR, &list))
		return false;
	for (size_t i = 0; i < list.count && !found; ++i)
		found = strcmp(list.items[i].name, name) == 0;
	devices_done(&list);
	return found;
}

/* A file with mistakes cannot be changed in its lines. All of them are told. */
static int read_file(struct save *s)
{
	const int error = file_load(&s->file, s->path->path);

	if (error)
		return fail(s, strerror(-error));
	if (!tunnel_read(&s->file, &s->tunnel, &s->diags))
		return fail_memory(s);
	for (size_t i = 0; i < s->diags.count; ++i) {
		const struct diag *d = &s->diags.rows[i];

		if (d->severity == DIAG_ERROR)
			fprintf(stderr, "%s: %s:%u:%u: %s%s%s\n", s->call->program, s->path->path,
				d->line, d->column, d->text, d->hint[0] ? "; " : "", d->hint);
	}
	if (s->diags.errors)
		return fail(s, "has mistakes; it stays as it is");
	if (!span_is_set(&s->tunnel.interface))
		return fail(s, "has no [Interface] section; it stays as it is");
	return EXIT_SUCCESS;
}

static int read_device(struct save *s)
{
	const char *name = s->path->name;
	int error;

	if (!is_device(name)) {
		fprintf(stderr, "%s: `%s' is not a WireGuard interface\n", s->call->program, name);
		return EXIT_FAILURE;
	}
	if (s->call->quick)
		fprintf(stderr, "[#] wg showconf %s\n", name);
	error = wg_device_get(name, &s->device);
	if (error) {
		fprintf(stderr, "%s: %s: %s\n", s->call->program, name, strerror(-error));
		return EXIT_FAILURE;
	}
	if (!s->device.has_private_key && s->tunnel.model.has_private_key) {
		fprintf(stderr,
			"%s: %s has no private key: it is not what %s made; nothing is saved\n",
			s->call->program, name, s->path->path);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

/* One that the host may have chosen. */
static bool port_is_chosen(uint16_t port)
{
	unsigned int first = 32768, last = 60999;
	FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");

	if (range) {
		if (fscanf(range, "%u %u", &first, &last) != 2) { /* NOLINT(cert-err34-c) */
			first = 32768;
			last = 60999;
		}
		fclose(range);
	}
	return port != USUAL_PORT && port >= first && port <= last;
}

/* The mark of a default route or a kill switch: its rules carry it. */
static bool mark_is_chosen(const struct save *s)
{
	const struct host_network *n = &s->host.network;

	for (size_t i = 0; i < n->rule_count; ++i)
		if (n->rules[i].invert && n->rules[i].mark == s->device.fwmark &&
		    n->rules[i].table == s->device.fwmark)
			return true;
	return s->tunnel.own.kill_switch != TUNNEL_KILL_OFF;
}

/* A link of our own has only the addresses that somebody gave it; others may make themselves one
 * of fe80::/10. */
static bool is_given(const struct host_link *link, const struct tunnel *t, const struct prefix *p)
{
	if (link->wireguard || !ip_is_link_local(&p->ip))
		return true;
	for (size_t i = 0; i < t->addresses.count; ++i)
		if (ip_equal(&t->addresses.rows[i].prefix.ip, &p->ip))
			return true;
	return false;
}

/* A tunnel of ours noted it at `up', `sync' and `save'. */
static int read_base(struct save *s)
{
	struct diags ignored;
	struct buffer b;
	bool done = true;

	if (journal_peek(&s->journal, &journal_host, s->path->name) < 0)
		return EXIT_SUCCESS;
	buffer_init(&b);
	diags_init(&ignored);
	if (run_file_read(&s->journal, RUN_FILE_BASE, &b) == 0 &&
	    file_parse(&s->before, "", b.bytes, b.len) == 0) {
		done = tunnel_read(&s->before, &s->base, &ignored);
		s->has_base = done && !ignored.errors;
	}
	if (s->has_base && (b.len != s->file.len || memcmp(b.bytes, s->file.bytes, b.len) != 0))
		fprintf(stderr,
			"[!] %s was edited since %s became what it says: the edits stay, and "
			"`warren sync %s' applies\n    them; the rest is saved\n",
			s->path->path, s->path->name, s->path->name);
	diags_done(&ignored);
	buffer_done(&b);
	return done ? EXIT_SUCCESS : fail_memory(s);
}

/* From now on this is what was not edited. A base with edits in it stays: they are still to come.
 */
static void note_base(struct save *s, const struct buffer *b)
{
	struct buffer before;
	bool edited;

	if (!s->has_base)
		return;
	buffer_init(&before);
	file_write(&s->before, &before);
	edited = before.len != s->file.len || memcmp(before.bytes, s->file.bytes, before.len) != 0;
	if (!edited && run_file_write(&s->journal, RUN_FILE_BASE, b) < 0)
		run_file_remove(&s->journal, RUN_FILE_BASE);
	buffer_done(&before);
}

static int look_at_host(struct save *s, struct tunnel_running *r)
{
	const struct host_network *n = &s->host.network;
	const struct host_link *link;

	if (observe_network(&s->host.network))
		return fail_memory(s);
	s->addresses = calloc(n->address_count + 1, sizeof(*s->addresses));
	if (!s->addresses)
		return fail_memory(s);
	link = host_link_by_name(n, s->path->name);
	*r = (struct tunnel_running){
		.device = &s->device,
		.addresses = s->addresses,
		.has_addresses = link != NULL,
		.no_ipv6 = n->ipv6_off,
		.port_is_chosen = port_is_chosen(s->device.listen_port),
		.mark_is_chosen = mark_is_chosen(s),
		.mtu = link ? link->mtu : 0,
		.base = s->has_base ? &s->base : NULL,
	};
	for (size_t i = 0; link && i < n->address_count; ++i)
		if (n->addresses[i].link == link->index &&
		    is_given(link, &s->tunnel, &n->addresses[i].prefix))
			s->addresses[r->address_count++] = n->addresses[i].prefix;
	return EXIT_SUCCESS;
}

/* Our own mistake must not cost anybody a file. */
static bool can_be_read(const struct save *s, const struct buffer *b)
{
	struct config_file f;
	struct tunnel t;
	struct diags d;
	bool good;

	if (file_parse(&f, s->path->path, b->bytes, b->len))
		return false;
	diags_init(&d);
	good = tunnel_read(&f, &t, &d) && !d.errors;
	tunnel_done(&t);
	diags_done(&d);
	file_done(&f);
	return good;
}

static bool is_private(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & 0777) == 0600;
}

static int write_file(struct save *s, const struct buffer *b)
{
	const struct config_file *f = &s->file;
	int error;

	if (!can_be_read(s, b))
		return fail(s, "what would be saved cannot be read; it stays as it is");
	if (b->len == f->len && memcmp(b->bytes, f->bytes, f->len) == 0)
		error = is_private(s->path->path) ? 0 : replace_mode(s->path->path);
	else
		error = replace_file(s->path->path, f->bytes, f->len, b->bytes, b->len, true);
	if (error == -ESTALE)
		return fail(s, "was changed by somebody meanwhile; nothing is saved");
	return error ? fail(s, strerror(-error)) : EXIT_SUCCESS;
}

static int save(struct save *s)
{
	struct tunnel_running running;
	struct buffer b;
	int code;

	code = read_file(s);
	if (!code)
		code = read_device(s);
	if (!code)
		code = read_base(s);
	if (!code)
		code = look_at_host(s, &running);
	if (code)
		return code;
	buffer_init(&b);
	code = tunnel_save(&s->file, &s->tunnel, &running, &b) ? write_file(s, &b) : fail_memory(s);
	if (!code)
		note_base(s, &b);
	buffer_done(&b);
	return code;
}

int save_tunnel(const struct tunnel_call *call, const struct tunnel_path *path)
{
	struct save s = {
		.call = call,
		.path = path,
		.journal = { .run = -1,
			     .state = -1,
			     .fd = -1,
			     .state_fd = -1,
			     .lock = -1,
			     .shared = -1 },
	};
	int code;

	tunnel_init(&s.base);
	tunnel_init(&s.tunnel);
	diags_init(&s.diags);
	model_init(&s.device);
	host_facts_init(&s.host);
	code = save(&s);
	free(s.addresses);
	tunnel_done(&s.base);
	file_done(&s.before);
	journal_done(&s.journal);
	host_facts_done(&s.host);
	model_done(&s.device);
	diags_done(&s.diags);
	tunnel_done(&s.tunnel);
	file_done(&s.file);
	return code;
}

int save_run(const struct tunnel_call *call)
{
	struct tunnel_path p;
	int code;

	harden_process(); /* keys pass through */
	code = tunnel_path_find(&p, call->word, call->program, call->quick);
	if (!code)
		code = save_tunnel(call, &p);
	tunnel_path_done(&p);
	return code;
}

static int run(int argc, char *argv[])
{
	const struct tunnel_call call = { .program = "warren", .word = argv[argc - 1] };

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		printf("Usage: warren save FILE|NAME\n"
		       "Writes what runs into its file: peers, keys, addresses, endpoints, and "
		       "the\n"
		       "port, mark and MTU where the file has them. Whatever else stands there "
		       "stays,\n"
		       "comments and host names too. The file is replaced whole or not at all.\n");
		return EXIT_SUCCESS;
	}
	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "Usage: warren save FILE|NAME\n");
		return EXIT_USAGE;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "warren: save must be run as root\n");
		return EXIT_FAILURE;
	}
	return save_run(&call);
}

const struct command command_save = {
	.name = "save", .usage = "FILE|NAME", .purpose = "write what runs into its file", .run = run
};
