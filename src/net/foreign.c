#include "net/foreign.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/spawn.h"
#include "net/foreign_decide.h"

enum { TIMEOUT_MS = 60000, ZONES_MAX = 16 };

/* What a program prints. -ENOENT: it is not there; -EIO: it failed. */
static int ask(const char *const *argv, struct buffer *ret)
{
	struct spawn_result r;
	int result = spawn_run(&(struct spawn){ .argv = argv, .timeout_ms = TIMEOUT_MS }, &r);

	if (result == 0 && r.code != 0)
		result = -EIO;
	if (result == 0)
		buffer_append(ret, r.output.bytes, r.output.len);
	spawn_result_done(&r);
	return result == 0 && !buffer_ok(ret) ? -ENOMEM : result;
}

/* Zones of firewalld: the default one, and those that have links. Names are lines that are not
 * indented, up to a blank. */
struct zones {
	struct buffer text;
	const char *names[ZONES_MAX + 1];
};

static void read_zones(struct zones *z)
{
	size_t count = 0;
	char *rest = NULL;

	(void)ask((const char *const[]){ "firewall-cmd", "--get-default-zone", NULL }, &z->text);
	(void)ask((const char *const[]){ "firewall-cmd", "--get-active-zones", NULL }, &z->text);
	buffer_append(&z->text, "", 1);
	if (!buffer_ok(&z->text))
		return;
	for (char *line = strtok_r(z->text.bytes, "\n", &rest); line && count < ZONES_MAX;
	     line = strtok_r(NULL, "\n", &rest)) {
		if (line[0] == ' ')
			continue;
		line[strcspn(line, " ")] = '\0';
		z->names[count++] = line;
	}
}

static bool has_program(const char *program)
{
	char path[SPAWN_NAME];

	return spawn_find(program, path);
}

static bool is_owned(const struct ruleset *r)
{
	for (size_t i = 0; i < r->count; ++i) {
		if (r->chains[i].owned && strcmp(r->chains[i].table, "firewalld") == 0)
			return true;
	}
	return false;
}

static int decide(const struct tunnel *t, const char *link, const struct ruleset *r, bool legacy,
		  struct items *ret)
{
	struct zones zones = { 0 };
	const struct foreign_host host = {
		.legacy = legacy,
		.has_iptables = has_program("iptables-nft") && has_program("ip6tables-nft"),
		.zones = zones.names,
	};
	bool good;

	buffer_init(&zones.text);
	if (is_owned(r))
		read_zones(&zones);
	good = foreign_places(t, link, r, &host, ret);
	buffer_done(&zones.text);
	return good ? 0 : -ENOMEM;
}

/* Is the table filter of iptables-legacy there? Asking the program would make one. */
static bool has_legacy(const char *names)
{
	char line[64];
	bool has = false;
	FILE *f = fopen(names, "re");

	while (f && fgets(line, sizeof(line), f))
		has = has || strcmp(line, "filter\n") == 0;
	if (f)
		(void)fclose(f); /* only read */
	return has;
}

static int look_at_legacy(const struct tunnel *t, const char *link, const char *family,
			  const char *names, const char *program, struct items *ret)
{
	struct buffer text;
	struct ruleset r;
	int result;

	if (!has_legacy(names))
		return 0;
	buffer_init(&text);
	result = ask((const char *const[]){ program, "-t", "filter", NULL }, &text);
	if (result == 0)
		result = ruleset_from_save(text.bytes, text.len, family, &r);
	if (result == 0) {
		result = decide(t, link, &r, true, ret);
		ruleset_done(&r);
	}
	buffer_done(&text);
	return result;
}

static int look_at_nft(const struct tunnel *t, const char *link, struct items *ret)
{
	struct buffer text;
	struct ruleset r;
	int result;

	buffer_init(&text);
	result = ask((const char *const[]){ "nft", "-j", "list", "ruleset", NULL }, &text);
	if (result == 0)
		result = ruleset_from_json(text.bytes, text.len, &r);
	if (result == 0) {
		result = decide(t, link, &r, false, ret);
		ruleset_done(&r);
	}
	buffer_done(&text);
	return result;
}

/* One that cannot be asked is no reason to leave the others unasked. */
static int tell(int result, const char *program, struct diag *why)
{
	if (result != 0)
		diag_set(why, DIAG_WARNING, "D3", 0,
			 "%s does not tell what would drop packets of Forward or OpenPort: %s",
			 program, strerror(-result));
	return result;
}

int foreign_decide(const struct tunnel *t, const char *link, struct items *ret, struct diag *why)
{
	int nft, legacy, legacy6;

	if (!t->own.forward && t->own.open.count == 0)
		return 0;
	nft = tell(look_at_nft(t, link, ret), "nft", why);
	legacy = tell(look_at_legacy(t, link, "ip", "/proc/net/ip_tables_names",
				     "iptables-legacy-save", ret),
		      "iptables-legacy-save", why);
	legacy6 = tell(look_at_legacy(t, link, "ip6", "/proc/net/ip6_tables_names",
				      "ip6tables-legacy-save", ret),
		       "ip6tables-legacy-save", why);
	return nft ? nft : legacy ? legacy : legacy6;
}
