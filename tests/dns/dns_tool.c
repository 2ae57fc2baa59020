/*
 * dns_tool add|remove|there LINK NAME TEXT: one ITEM_DNS to, from or on this host (net/dns.h), for
 * the live tests. look: whom the host would tell. Prints what was said against it; ends with 0, 1
 * for a failure, and for `there' with 0 yes, 3 no.
 */
#include <stdio.h>
#include <string.h>

#include "net/dns.h"
#include "net/dns_look.h"
#include "net/dns_private.h"

static int finish(const char *verb, int status, const struct diag *why)
{
	if (why->severity != DIAG_NONE)
		printf("%s: %s\n%s\n", why->id, why->text, why->hint);
	if (strcmp(verb, "there") == 0 && status >= 0)
		return status ? 0 : 3;
	if (status < 0)
		printf("status %d\n", status);
	return status < 0;
}

static int look(bool quick)
{
	struct dns_host h;
	struct diag why = { 0 };

	dns_look(DNS_FILE_PATH, &h);
	printf("back end %s\n", dns_back_end_name(dns_host_choose(&h, false, quick, &why)));
	printf("prefix %s\n", h.prefix);
	return finish("look", 0, &why);
}

int main(int argc, char *argv[])
{
	struct diag why = { 0 };
	struct item i = { .kind = ITEM_DNS };

	if (argc >= 2 && strcmp(argv[1], "look") == 0)
		return look(argc > 2);
	if (argc != 5)
		return 2;
	(void)snprintf(i.link, sizeof(i.link), "%s", argv[2]);
	i.name = argv[3];
	i.text = argv[4];
	if (strcmp(argv[1], "add") == 0)
		return finish(argv[1], dns_add(&i, &why), &why);
	if (strcmp(argv[1], "remove") == 0)
		return finish(argv[1], dns_remove(&i, &why), &why);
	return finish(argv[1], dns_is_there(&i), &why);
}
