#include "net/dns.h"

#include <errno.h>

#include "net/dns_file.h"
#include "net/dns_host.h"
#include "net/dns_network_manager.h"
#include "net/dns_private.h"
#include "net/dns_resolvconf.h"
#include "net/dns_resolved.h"
#include "net/dns_set.h"

static const struct dns_place place = { DNS_FILE_PATH, DNS_STATE_PATH };

static enum dns_back_end back_end_of(const struct item *i)
{
	return dns_back_end_by_name(i->name);
}

static int not_one_of_ours(struct diag *why)
{
	diag_set(why, DIAG_WARNING, "H7", 0, "this is no way of setting DNS that is known here");
	return -EINVAL;
}

static int parse(const struct item *i, struct dns_set *ret, struct diag *why)
{
	const int status = dns_set_parse(i->text ? i->text : "", ret);

	if (status == -EINVAL)
		diag_set(why, DIAG_WARNING, "H7", 0, "what is noted of DNS is damaged");
	return status;
}

static int add(const struct item *i, const struct dns_set *set, struct diag *why)
{
	switch (back_end_of(i)) {
	case DNS_REFUSED:
		break;
	case DNS_RESOLVED:
		return dns_resolved_add(i->link, set, why);
	case DNS_NETWORK_MANAGER:
		return dns_network_manager_add(place.state, i->link, set, why);
	case DNS_RESOLVCONF:
		return dns_resolvconf_add(place.file, i->link, set, why);
	case DNS_FILE:
		return dns_file_add(&place, i->link, set, why);
	}
	return not_one_of_ours(why);
}

static int take(const struct item *i, const struct dns_set *set, struct diag *why)
{
	switch (back_end_of(i)) {
	case DNS_REFUSED:
		break;
	case DNS_RESOLVED:
		return dns_resolved_remove(i->link, why);
	case DNS_NETWORK_MANAGER:
		return dns_network_manager_remove(place.state, i->link, why);
	case DNS_RESOLVCONF:
		return dns_resolvconf_remove(i->link, set, why);
	case DNS_FILE:
		return dns_file_remove(&place, i->link, why);
	}
	return not_one_of_ours(why);
}

static int is_there(const struct item *i, const struct dns_set *set)
{
	switch (back_end_of(i)) {
	case DNS_REFUSED:
		break;
	case DNS_RESOLVED:
		return dns_resolved_is_there(i->link, set);
	case DNS_NETWORK_MANAGER:
		return dns_network_manager_is_there(place.state, i->link, set);
	case DNS_RESOLVCONF:
		return dns_resolvconf_is_there(place.file, i->link, set);
	case DNS_FILE:
		return dns_file_is_there(&place, i->link, set);
	}
	return -EINVAL;
}

int dns_add(const struct item *i, struct diag *why)
{
	struct dns_set set;
	int status = parse(i, &set, why);

	if (status < 0)
		return status;
	status = add(i, &set, why);
	dns_set_done(&set);
	return status;
}

int dns_remove(const struct item *i, struct diag *why)
{
	struct dns_set set;
	int status = parse(i, &set, why);

	if (status < 0)
		return status;
	status = take(i, &set, why);
	dns_set_done(&set);
	return status;
}

int dns_is_there(const struct item *i)
{
	struct dns_set set;
	struct diag ignored = { 0 };
	int status = parse(i, &set, &ignored);

	if (status < 0)
		return status;
	status = is_there(i, &set);
	dns_set_done(&set);
	return status;
}
