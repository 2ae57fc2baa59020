#include "net/dns.h"

#include <errno.h>

#include "net/dns_look.h"
#include "net/dns_private.h"
#include "net/dns_set.h"

static int add_item(const struct tunnel *t, const char *link, bool quick, const char *prefix,
		    enum dns_back_end chosen, struct items *ret)
{
	struct item *const i = items_add(ret, ITEM_DNS, link);
	struct buffer b;
	bool ok;

	buffer_init(&b);
	ok = i && dns_set_write(t, prefix, quick, &b);
	buffer_append(&b, "", 1);
	ok = ok && buffer_ok(&b) && item_set_texts(i, dns_back_end_name(chosen), b.bytes);
	buffer_done(&b);
	return ok ? 0 : -ENOMEM;
}

/* Search domains alone do nothing, as with wg-quick. */
int dns_decide(const struct tunnel *t, const char *link, bool quick, struct items *ret,
	       struct diag *why)
{
	struct dns_host h;
	enum dns_back_end chosen;

	if (t->dns.count == 0)
		return 0;
	dns_look(DNS_FILE_PATH, &h);
	chosen = dns_host_choose(&h, dns_set_takes_all(t), quick, why);
	if (chosen == DNS_REFUSED)
		return 0;
	return add_item(t, link, quick, chosen == DNS_RESOLVCONF ? h.prefix : "", chosen, ret);
}
