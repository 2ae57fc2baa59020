#include "net/dns_look.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "net/dns_bus.h"
#include "net/dns_file.h"
#include "net/dns_network_manager.h"
#include "net/dns_resolvconf.h"
#include "net/dns_resolved.h"
#include "net/dns_saved.h"

/* The C library asks it there, whatever network namespace it is in: the file system is shared. */
#define RESOLVED_SOCKET "/run/systemd/resolve/io.systemd.Resolve"

static bool has_word(const char *line, size_t len, const char *word)
{
	const size_t size = strlen(word);

	for (size_t at = 0, end; at < len; at = end + 1) {
		for (end = at; end < len && line[end] != ' ' && line[end] != '\t'; ++end)
			continue;
		if (end - at == size && memcmp(line + at, word, size) == 0)
			return true;
	}
	return false;
}

bool dns_look_nss(const char *bytes, size_t len)
{
	const char *const end = bytes + len;

	for (const char *line = bytes; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		const char *comment;

		if (!stop)
			stop = end;
		comment = memchr(line, '#', (size_t)(stop - line));
		if (stop - line > 6 && memcmp(line, "hosts:", 6) == 0)
			return has_word(line + 6, (size_t)((comment ? comment : stop) - line - 6),
					"resolve");
		line = stop + 1;
	}
	return false;
}

static bool nss_asks_resolved(void)
{
	struct buffer b;
	bool asks;

	buffer_init(&b);
	asks = access(RESOLVED_SOCKET, F_OK) == 0 &&
	       dns_read_at(AT_FDCWD, "/etc/nsswitch.conf", true, &b) == 0 &&
	       dns_look_nss(b.bytes, b.len);
	buffer_done(&b);
	return asks;
}

static void look_at_bus(struct dns_host *ret)
{
	struct dns_bus b;
	int has;

	if (dns_bus_open(&b) < 0)
		return;
	has = dns_bus_has(&b, DNS_RESOLVED_NAME);
	ret->resolved = has > 0;
	ret->resolved_elsewhere = has == -EXDEV;
	ret->network_manager = dns_network_manager_rules(&b);
	dns_bus_close(&b);
}

void dns_look(const char *file, struct dns_host *ret)
{
	*ret = (struct dns_host){ 0 };
	(void)dns_file_look(file, ret); /* it stays nobody's, and adding will say why */
	look_at_bus(ret);
	ret->nss_resolve = nss_asks_resolved();
	ret->program = dns_resolvconf_look(ret->prefix);
}
