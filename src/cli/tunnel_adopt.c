#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/tunnel_case.h"
#include "cli/tunnel_engine.h"
#include "net/adopt.h"
#include "net/dns.h"
#include "net/firewall.h"

/* What a tunnel has that something else brought up, so far as no snapshot of the network tells. */

static bool adopt_tables(const struct tunnel_case *c, struct items *ret)
{
	for (size_t i = 0; i < c->firewall.count; ++i) {
		const struct item *table = &c->firewall.rows[i];

		if (table->kind == ITEM_TABLE && firewall_is_there(table) == 1 &&
		    !items_copy(ret, table))
			return false;
	}
	return true;
}

/* wg-quick gives DNS to resolvconf only, and takes it back without asking whether it is there. */
static bool adopt_dns(const struct tunnel_case *c, struct items *ret)
{
	struct diag why = { 0 };
	struct items dns;
	bool done = true;

	items_init(&dns);
	if (dns_decide(c->t, c->name, true, &dns, &why) == 0)
		for (size_t i = 0; i < dns.count && done; ++i)
			done = (!c->adopts && dns_is_there(&dns.rows[i]) != 1) ||
			       items_copy(ret, &dns.rows[i]);
	items_done(&dns);
	return done;
}

static int own(struct tunnel_case *c, const struct items *found, const char *engine)
{
	int status = journal_begin(&c->j, JOURNAL_UPPED, c->at.absolute, engine);

	for (size_t i = 0; status == 0 && i < found->count; ++i)
		status = journal_own(&c->j, &found->rows[i]);
	return status;
}

static int keep_in_mind(struct tunnel_case *c, const struct items *found)
{
	for (size_t i = 0; i < found->count; ++i)
		if (!items_copy(&c->j.owned, &found->rows[i]))
			return -ENOMEM;
	return 0;
}

int tunnel_case_adopt(struct tunnel_case *c, uint32_t mark)
{
	const struct host_link *link = host_link_by_name(&c->facts.network, c->name);
	const char *engine =
		link && link->wireguard ? TUNNEL_ENGINE_KERNEL : tunnel_engine_program();
	struct items found;
	int status = -ENOMEM;

	if (!c->o->dry_run && !c->o->quick)
		fprintf(stderr, "[!] %s was not brought up by warren: taking it over\n", c->name);
	items_init(&found);
	if (adopt_items(c->name, engine, mark, &c->facts.network, &c->others, &found) &&
	    adopt_tables(c, &found) && adopt_dns(c, &found))
		status = c->o->dry_run ? keep_in_mind(c, &found) : own(c, &found, engine);
	items_done(&found);
	return status < 0 ? tunnel_case_fail(c, "%s cannot be taken over: %s", c->name,
					     strerror(-status))
			  : 0;
}
