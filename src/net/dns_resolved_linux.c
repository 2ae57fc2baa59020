#include "net/dns_resolved.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"
#include "net/dns_bus.h"

#define PATH "/org/freedesktop/resolve1"
#define MANAGER DNS_RESOLVED_NAME ".Manager"
#define LINK DNS_RESOLVED_NAME ".Link"
#define WHO "systemd-resolved"

/* Asking it */

static int open_resolved(struct dns_bus *ret)
{
	int status = dns_bus_open(ret);

	if (status < 0)
		return status;
	status = dns_bus_has(ret, DNS_RESOLVED_NAME);
	if (status <= 0) {
		dns_bus_close(ret);
		return status == 0 ? -ENOENT : status;
	}
	return 0;
}

static int not_there(int status, struct diag *why)
{
	diag_set(why, DIAG_WARNING, "A1", 0, "systemd-resolved %s",
		 status == -EXDEV ? "serves another network namespace" : "is not running");
	diag_hint(why, "%s",
		  status == -EXDEV ? "give this namespace an /etc/netns/NAME/resolv.conf"
				   : "systemctl enable --now systemd-resolved");
	return status;
}

static int new_call(const struct dns_bus *b, const char *method, int index, sd_bus_message **ret)
{
	int status =
		b->message_new_method_call(b->bus, ret, DNS_RESOLVED_NAME, PATH, MANAGER, method);

	if (status < 0)
		return status;
	status = b->message_append(*ret, "i", index);
	if (status < 0)
		*ret = b->message_unref(*ret);
	return status;
}

/* What a filler gave decides whether m is sent; it is gone either way. */
static int send_or_drop(const struct dns_bus *b, sd_bus_message *m, int status, struct diag *why)
{
	if (status >= 0)
		return dns_bus_call(b, m, WHO, NULL, why);
	(void)b->message_unref(m); /* gives NULL */
	return status;
}

static int append_server(const struct dns_bus *b, sd_bus_message *m, const char *text)
{
	struct ip ip = { 0 };
	int status;

	if (!text_to_ip(text, &ip))
		return -EINVAL;
	status = b->message_open_container(m, 'r', "iay");
	if (status >= 0)
		status = b->message_append(m, "i", ip.family == FAMILY_V4 ? AF_INET : AF_INET6);
	if (status >= 0)
		status = b->message_append_array(m, 'y', ip.bytes, ip_bits(&ip) / 8);
	return status < 0 ? status : b->message_close_container(m);
}

static int set_servers(const struct dns_bus *b, int index, const struct dns_set *set,
		       struct diag *why)
{
	sd_bus_message *m = NULL;
	int status = new_call(b, "SetLinkDNS", index, &m);

	if (status < 0)
		return status;
	status = b->message_open_container(m, 'a', "(iay)");
	for (size_t i = 0; status >= 0 && i < set->server_count; ++i)
		status = append_server(b, m, set->servers[i]);
	if (status >= 0)
		status = b->message_close_container(m);
	return send_or_drop(b, m, status, why);
}

static int set_domains(const struct dns_bus *b, int index, const struct dns_set *set,
		       struct diag *why)
{
	sd_bus_message *m = NULL;
	int status = new_call(b, "SetLinkDomains", index, &m);

	if (status < 0)
		return status;
	status = b->message_open_container(m, 'a', "(sb)");
	for (size_t i = 0; status >= 0 && i < set->search_count; ++i) {
		const bool route_only = set->search[i][0] == '~';

		status = b->message_append(m, "(sb)", set->search[i] + route_only, (int)route_only);
	}
	if (status >= 0 && set->all)
		status = b->message_append(m, "(sb)", ".", 1);
	if (status >= 0)
		status = b->message_close_container(m);
	return send_or_drop(b, m, status, why);
}

static int set_default(const struct dns_bus *b, int index, bool on, struct diag *why)
{
	sd_bus_message *m = NULL;
	int status = new_call(b, "SetLinkDefaultRoute", index, &m);

	return status < 0 ? status : send_or_drop(b, m, b->message_append(m, "b", (int)on), why);
}

static int revert(const struct dns_bus *b, int index, struct diag *why)
{
	sd_bus_message *m = NULL;
	int status = new_call(b, "RevertLink", index, &m);

	return status < 0 ? status : send_or_drop(b, m, 0, why);
}

/* Servers first: with "~." and none, every name would fail meanwhile. */
static int set_all(const struct dns_bus *b, int index, const struct dns_set *set, struct diag *why)
{
	const bool says_default = set->all || set->search_count > 0;
	int status = says_default ? 0 : revert(b, index, why); /* of an earlier set */

	if (status == 0)
		status = set_servers(b, index, set, why);
	if (status == 0)
		status = set_domains(b, index, set, why);
	if (status == 0 && says_default)
		status = set_default(b, index, set->all, why);
	return status;
}

int dns_resolved_add(const char *link, const struct dns_set *set, struct diag *why)
{
	const int index = (int)if_nametoindex(link);
	struct diag ignored = { 0 };
	struct dns_bus b;
	int status = open_resolved(&b);

	if (status < 0)
		return not_there(status, why);
	status = index == 0 ? -ENODEV : set_all(&b, index, set, why);
	if (status < 0 && index != 0)
		(void)revert(&b, index, &ignored); /* half of it would be worse than none */
	if (status < 0 && why->severity == DIAG_NONE)
		diag_set(why, DIAG_WARNING, "H7", 0, "systemd-resolved was not told: %s",
			 strerror(-status));
	dns_bus_close(&b);
	return status;
}

/* Without resolved, or without the link, there is nothing to take back. */
int dns_resolved_remove(const char *link, struct diag *why)
{
	const int index = (int)if_nametoindex(link);
	struct dns_bus b;
	int status;

	if (index == 0 || open_resolved(&b) < 0)
		return 0;
	status = revert(&b, index, why);
	if (status < 0 && if_nametoindex(link) == 0)
		status = 0; /* it went meanwhile */
	dns_bus_close(&b);
	return status;
}

/* Reading what it has */

static int has_servers(const struct dns_bus *b, sd_bus_message *m, const struct dns_set *set)
{
	size_t count = 0;
	bool same = true;
	int status = b->message_enter_container(m, 'a', "(iay)");

	while (status >= 0 && (status = b->message_enter_container(m, 'r', "iay")) > 0) {
		const void *bytes;
		size_t len;
		int family;
		struct ip ip = { 0 };

		status = b->message_read(m, "i", &family);
		if (status >= 0)
			status = b->message_read_array(m, 'y', &bytes, &len);
		if (status >= 0)
			status = b->message_exit_container(m);
		same = same && status >= 0 && count < set->server_count &&
		       text_to_ip(set->servers[count], &ip) && len == ip_bits(&ip) / 8 &&
		       memcmp(bytes, ip.bytes, len) == 0;
		++count;
	}
	return status < 0 ? status : same && count == set->server_count;
}

/* The domain at this place of what set_domains writes; NULL: behind the last. */
static const char *wanted_domain(const struct dns_set *set, size_t at, bool *route_only)
{
	const char *domain = at < set->search_count ? set->search[at] : NULL;

	*route_only = domain ? domain[0] == '~' : true;
	if (domain)
		return domain + *route_only;
	return at == set->search_count && set->all ? "." : NULL;
}

static int has_domains(const struct dns_bus *b, sd_bus_message *m, const struct dns_set *set)
{
	size_t count = 0;
	const char *domain;
	bool same = true, route_only;
	int routes, status = b->message_enter_container(m, 'a', "(sb)");

	while (status >= 0 && (status = b->message_read(m, "(sb)", &domain, &routes)) > 0) {
		const char *const wanted = wanted_domain(set, count++, &route_only);

		same = same && wanted && strcasecmp(domain, wanted) == 0 &&
		       route_only == (routes != 0);
	}
	return status < 0 ? status : same && !wanted_domain(set, count, &route_only);
}

static int has_default(const struct dns_bus *b, sd_bus_message *m, const struct dns_set *set)
{
	int on, status = b->message_read(m, "b", &on);

	return status < 0 ? status : (!set->all && !set->search_count) || set->all == (on != 0);
}

static int ask(const struct dns_bus *b, const char *path, const char *property, const char *type,
	       int (*judge)(const struct dns_bus *b, sd_bus_message *m, const struct dns_set *set),
	       const struct dns_set *set)
{
	sd_bus_message *m = NULL;
	int status =
		b->get_property(b->bus, DNS_RESOLVED_NAME, path, LINK, property, NULL, &m, type);

	if (status >= 0)
		status = judge(b, m, set);
	(void)b->message_unref(m); /* gives NULL */
	return status;
}

static int compare(const struct dns_bus *b, int index, const struct dns_set *set)
{
	sd_bus_message *call = NULL, *m = NULL;
	struct diag ignored = { 0 };
	const char *path;
	int status = new_call(b, "GetLink", index, &call);

	if (status >= 0)
		status = dns_bus_call(b, call, WHO, &m, &ignored);
	if (status >= 0)
		status = b->message_read(m, "o", &path);
	if (status >= 0)
		status = ask(b, path, "DNS", "a(iay)", has_servers, set);
	if (status > 0)
		status = ask(b, path, "Domains", "a(sb)", has_domains, set);
	if (status > 0)
		status = ask(b, path, "DefaultRoute", "b", has_default, set);
	(void)b->message_unref(m); /* gives NULL */
	return status;
}

int dns_resolved_is_there(const char *link, const struct dns_set *set)
{
	const int index = (int)if_nametoindex(link);
	struct dns_bus b;
	int status;

	if (index == 0)
		return 0;
	status = open_resolved(&b);
	if (status < 0)
		return status;
	status = compare(&b, index, set);
	dns_bus_close(&b);
	return status;
}
