#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "cli/conf_patch.h"
#include "cli/tunnel_case.h"
#include "cli/tunnel_engine.h"
#include "config/strip.h"
#include "control/resolve.h"
#include "net/dns.h"
#include "net/firewall.h"
#include "net/foreign.h"
#include "net/observe.h"
#include "net/route.h"

/* What a device gets, and what is chosen for its host. */

/* Names, our way: a peer whose name is not known comes up without endpoint (A10 to A12) */

static void say_again(void *ctx, const char *reason, double seconds)
{
	(void)ctx;
	fprintf(stderr, "[!] %s: trying again in %.0f s\n", reason, seconds);
}

/* Unless somebody wants more patience: whoever keeps the tunnel goes on asking. */
static void init_resolver(struct resolver *r)
{
	const char *retries = getenv("WG_ENDPOINT_RESOLUTION_RETRIES");

	resolver_init(r);
	r->again = say_again;
	r->retries = 0;
	if (retries && resolve_retries(retries, &r->retries) < 0)
		r->retries = 0;
}

static void resolve_peer(struct tunnel_case *c, size_t i, const struct resolver *r)
{
	const struct tunnel_peer *p = &c->t->peers[i];
	struct model_peer *m = &c->t->model.peers[i];
	const char *reason;
	char port[8];

	if (!p->endpoint_host || m->has_endpoint)
		return;
	(void)snprintf(port, sizeof(port), "%u", p->endpoint_port);
	if (resolve_endpoint(r, p->endpoint_host, p->endpoint_service ? p->endpoint_service : port,
			     &m->endpoint, &reason) == 0) {
		m->has_endpoint = true;
		return;
	}
	++c->failures;
	fprintf(stderr,
		"[!] %s, the endpoint in line %u, has no address now (%s): the peer comes up "
		"without one\n    `warren keep %s' goes on asking\n",
		p->endpoint_host, p->endpoint.line, reason, c->name);
}

static int resolve_listen_port(struct tunnel_case *c, const struct resolver *r)
{
	const char *reason;

	if (!c->t->listen_service)
		return 0;
	if (resolve_port(r, c->t->listen_service, &c->t->model.listen_port, &reason) < 0)
		return tunnel_case_fail(c, "ListenPort `%s': %s", c->t->listen_service, reason);
	c->t->model.has_listen_port = true;
	return 0;
}

/* With --force there may be peers without a key: no device takes them. */
static bool copy_model(const struct tunnel *t, struct model *to)
{
	const struct model *from = &t->model;

	to->private_key = from->private_key;
	to->has_private_key = from->has_private_key;
	to->listen_port = from->listen_port;
	to->has_listen_port = from->has_listen_port;
	to->fwmark = from->fwmark;
	to->has_fwmark = from->has_fwmark;
	for (size_t i = 0; i < from->peer_count; ++i) {
		const struct model_peer *p = &from->peers[i];
		struct model_peer *copy;

		if (!t->peers[i].has_public_key)
			continue;
		copy = model_add_peer(to);
		if (!copy)
			return false;
		*copy = *p;
		copy->allowed = NULL;
		copy->allowed_count = copy->allowed_room = 0;
		for (size_t a = 0; a < p->allowed_count; ++a)
			if (!model_add_allowed(copy, &p->allowed[a].prefix, p->allowed[a].remove))
				return false;
	}
	return true;
}

static int resolve_all(struct tunnel_case *c)
{
	struct resolver r;
	int code;

	init_resolver(&r);
	code = resolve_listen_port(c, &r);
	for (size_t i = 0; code == 0 && i < c->t->model.peer_count; ++i)
		resolve_peer(c, i, &r);
	if (code == 0 && !copy_model(c->t, &c->patch))
		return tunnel_case_fail(c, "out of memory");
	return code;
}

/* Names, and all else, as wg(8) reads what wg-quick leaves of the file */

static void say_plain(void *ctx, size_t at, const char *words, const char *hint)
{
	(void)ctx;
	(void)at;
	(void)hint;
	fprintf(stderr, "%s\n", words);
}

static int read_patch(struct tunnel_case *c, const struct config_file *f)
{
	struct conf_patch p;

	conf_patch_init(&p, f);
	p.settings.say = say_plain;
	return conf_patch_tell(conf_patch_read(&p, true, &c->patch));
}

static int read_stripped(struct tunnel_case *c)
{
	const struct config_file *whole = &c->run.files[0];
	struct strip_wrong wrong;
	struct config_file f;
	struct buffer b;
	int code;

	buffer_init(&b);
	switch (strip_bytes(whole->bytes, whole->len, &b, &wrong)) {
	case STRIP_DONE:
		break;
	case STRIP_SAVE_CONFIG:
		buffer_done(&b);
		return tunnel_case_fail(c, "`%.*s' is neither true nor false", (int)wrong.len,
					wrong.value);
	case STRIP_MEMORY:
		buffer_done(&b);
		return tunnel_case_fail(c, "out of memory");
	}
	if (file_parse(&f, whole->path, b.bytes, b.len) < 0) {
		buffer_done(&b);
		return tunnel_case_fail(c, "out of memory");
	}
	code = read_patch(c, &f);
	file_done(&f);
	buffer_done(&b);
	return code;
}

int tunnel_case_resolve(struct tunnel_case *c)
{
	return c->o->quick ? read_stripped(c) : resolve_all(c);
}

/* What is chosen */

/* The first that the kernel would take; NULL: there is none. */
static const struct host_route *default_route(const struct host_network *n, uint8_t family)
{
	const struct host_route *best = NULL;

	for (size_t i = 0; i < n->route_count; ++i) {
		const struct host_route *r = &n->routes[i];

		if (r->dst.ip.family == family && r->dst.bits == 0 && r->link && !r->dead &&
		    r->table == HOST_TABLE_MAIN && (!best || r->metric < best->metric))
			best = r;
	}
	return best;
}

static uint32_t default_mtu(const struct host_network *n)
{
	const struct host_route *r = default_route(n, FAMILY_V4);
	const struct host_link *link;

	if (!r)
		r = default_route(n, FAMILY_V6);
	if (!r || r->mtu)
		return r ? r->mtu : 0;
	link = host_link_by_index(n, r->link);
	return link ? link->mtu : 0;
}

/* The smallest path to any endpoint (F6); without any, the way out. */
static uint32_t path_mtu(const struct model *m, const struct host_network *n, uint32_t mark)
{
	struct route_path path;
	uint32_t mtu = 0;

	for (size_t i = 0; i < m->peer_count; ++i)
		if (m->peers[i].has_endpoint &&
		    route_path(&m->peers[i].endpoint, mark, &path) == 0 && path.mtu &&
		    (!mtu || path.mtu < mtu))
			mtu = path.mtu;
	return mtu ? mtu : default_mtu(n);
}

static void read_table_file(const char *path, struct buffer *b)
{
	FILE *f = fopen(path, "re");
	char piece[4096];
	size_t n;

	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buffer_append(b, piece, n);
	if (f)
		(void)fclose(f); /* only read */
	buffer_append(b, "\n", 1);
}

static void read_tables(struct buffer *b)
{
	static const char *const folders[] = { "/usr/share/iproute2", "/usr/lib/iproute2",
					       "/etc/iproute2" };
	char path[512];

	for (size_t i = 0; i < ELEMENTS(folders); ++i) {
		const struct dirent *entry;
		DIR *more;

		(void)snprintf(path, sizeof(path), "%s/rt_tables", folders[i]);
		read_table_file(path, b);
		(void)snprintf(path, sizeof(path), "%s/rt_tables.d", folders[i]);
		more = opendir(path);
		while (more && (entry = readdir(more))) {
			const size_t len = strlen(entry->d_name);

			if (len < 6 || strcmp(entry->d_name + len - 5, ".conf") != 0)
				continue;
			(void)snprintf(path, sizeof(path), "%s/rt_tables.d/%s", folders[i],
				       entry->d_name);
			read_table_file(path, b);
		}
		if (more)
			closedir(more);
	}
	buffer_append(b, "", 1);
}

static int choose_table(struct tunnel_case *c)
{
	struct buffer b;
	bool found;

	if (c->t->table != TUNNEL_TABLE_NAME)
		return 0;
	buffer_init(&b);
	read_tables(&b);
	found = buffer_ok(&b) && plan_table(c->t->table_name, b.bytes, &c->choice.table);
	buffer_done(&b);
	if (found)
		return 0;
	return tunnel_case_fail(c, "%s:%u: there is no routing table `%s'; its number will do",
				c->at.path, c->t->table_at.line, c->t->table_name);
}

static void tell(struct tunnel_case *c, const struct diag *why)
{
	if (why->severity != DIAG_NONE && !c->adopts)
		c->hands.tell(c->hands.ctx, why);
}

static int choose_rules(struct tunnel_case *c)
{
	const uint32_t mark = plan_mark_for(c->t, &c->facts.network, &c->choice);
	struct diag dns = { 0 }, foreign = { 0 };
	int status;

	if (!firewall_items(c->t, c->name, mark, &c->facts.network, &c->firewall) ||
	    !firewall_switches(c->t, &c->facts.network, &c->firewall))
		return tunnel_case_fail(c, "out of memory");
	if (!c->o->quick && foreign_decide(c->t, c->name, &c->firewall, &foreign) < 0 &&
	    foreign.severity == DIAG_NONE)
		diag_set(&foreign, DIAG_WARNING, "D3", 0,
			 "the rules of other firewalls cannot be looked at");
	tell(c, &foreign);
	status = dns_decide(c->t, c->name, c->o->quick, &c->dns, &dns);
	tell(c, &dns);
	if (status < 0 && c->o->quick && !c->adopts)
		return tunnel_case_fail(c, "DNS cannot be set");
	return 0;
}

static const char *engine_of(const struct tunnel_case *c)
{
	return c->o->engine == TUNNEL_ENGINE_USER ? tunnel_engine_program() : TUNNEL_ENGINE_KERNEL;
}

int tunnel_case_decide(struct tunnel_case *c, bool has_mark, uint32_t mark)
{
	struct host_network *n = &c->facts.network;
	int status = c->j.lock >= 0 ? journal_share(&c->j) : 0;

	if (status < 0)
		return tunnel_case_fail(c, "the lock of all tunnels cannot be had: %s",
					strerror(-status));
	status = observe_network(n);
	if (status == 0 && c->j.run >= 0)
		status = journal_others(&c->j, &c->others);
	if (status < 0)
		return tunnel_case_fail(c, "this host cannot be looked at: %s", strerror(-status));
	c->facts.looked = true;
	c->choice = (struct plan_choice){
		.link = c->name,
		.engine = engine_of(c),
		.mark = mark,
		.has_mark = has_mark,
		.fail_closed = true,
		.dns = &c->dns,
		.firewall = &c->firewall,
		.others = &c->others,
		.mtu = path_mtu(&c->patch, n, mark),
	};
	status = choose_table(c);
	return status ? status : choose_rules(c);
}
