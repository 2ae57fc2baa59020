#include "net/dns.h"

#include "net/dns_host.h"
#include "net/dns_private.h"
#include "net/dns_set.h"

static void of_resolvconf(const char *link, const struct dns_set *set, bool remove,
			  struct buffer *b)
{
	if (remove)
		buffer_printf(b, "resolvconf -d %s%s -f", set->prefix, link);
	else
		buffer_printf(b, "resolvconf -a %s%s -m 0 -x", set->prefix, link);
}

/* Three in one line: resolvectl has no command for all of it. */
static void of_resolved(const char *link, const struct dns_set *set, bool remove, struct buffer *b)
{
	if (remove) {
		buffer_printf(b, "resolvectl revert %s", link);
		return;
	}
	buffer_printf(b, "resolvectl dns %s", link);
	for (size_t i = 0; i < set->server_count; ++i)
		buffer_printf(b, " %s", set->servers[i]);
	if (set->search_count || set->all)
		buffer_printf(b, "; resolvectl domain %s", link);
	for (size_t i = 0; i < set->search_count; ++i)
		buffer_printf(b, " '%s'", set->search[i]);
	if (set->all)
		buffer_printf(b, " '~.'");
	if (set->search_count || set->all)
		buffer_printf(b, "; resolvectl default-route %s %s", link, set->all ? "yes" : "no");
}

static void of_others(const struct dns_set *set, bool remove, const char *where, struct buffer *b)
{
	if (remove) {
		buffer_printf(b, "restore %s", where);
		return;
	}
	buffer_printf(b, "write to %s:", where);
	for (size_t i = 0; i < set->server_count; ++i)
		buffer_printf(b, " nameserver %s", set->servers[i]);
	for (size_t i = 0; i < set->search_count; ++i)
		buffer_printf(b, "%s%s", i ? " " : " search ", set->search[i]);
}

bool dns_command(const struct item *i, bool remove, struct buffer *b)
{
	const enum dns_back_end by = dns_back_end_by_name(i->name);
	struct dns_set set;

	if (by == DNS_REFUSED || dns_set_parse(i->text ? i->text : "", &set) < 0)
		return false;
	if (by == DNS_RESOLVCONF)
		of_resolvconf(i->link, &set, remove, b);
	else if (by == DNS_RESOLVED)
		of_resolved(i->link, &set, remove, b);
	else
		of_others(&set, remove,
			  by == DNS_FILE ? DNS_FILE_PATH : "NetworkManager's global DNS", b);
	dns_set_done(&set);
	return true;
}

bool dns_is_on_disk(const struct item *i)
{
	const enum dns_back_end by = dns_back_end_by_name(i->name);

	return by == DNS_FILE || by == DNS_NETWORK_MANAGER;
}
