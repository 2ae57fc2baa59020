#include "net/dns_resolvconf.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/spawn.h"
#include "net/dns_file.h"
#include "net/dns_saved.h"

#define PROGRAM "resolvconf"
#define ORDER "/etc/resolvconf/interface-order"

enum { TIMEOUT_MS = 60 * 1000, RECORD = DNS_PREFIX + HOST_NAME };

/* Which one it is */

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-';
}

void dns_resolvconf_prefix(const char *order, size_t len, char ret[static DNS_PREFIX])
{
	const char *const end = order + len;

	ret[0] = '\0';
	for (const char *line = order; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		size_t word = 0;

		if (!stop)
			stop = end;
		while (line + word < stop && is_word_byte(line[word]))
			++word;
		if (word > 0 && line + word + 1 == stop && line[word] == '*' &&
		    word + 2 <= DNS_PREFIX) {
			(void)snprintf(ret, DNS_PREFIX, "%.*s.", (int)word, line);
			return;
		}
		line = stop + 1;
	}
}

/* A link is systemd's resolvectl under this name; the others are scripts that say who they are. */
static enum dns_program kind_of(const char *path)
{
	struct buffer b;
	enum dns_program kind = DNS_OPENRESOLV;
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
		char *const real = realpath(path, NULL);
		const bool is_resolvectl = real && strstr(real, "/resolvectl");

		free(real);
		if (is_resolvectl)
			return DNS_RESOLVECTL;
	}
	buffer_init(&b);
	if (dns_read_at(AT_FDCWD, path, true, &b) == 0 && b.len &&
	    memmem(b.bytes, b.len, "part of the resolvconf package", 30))
		kind = DNS_DEBIAN;
	buffer_done(&b);
	return kind;
}

enum dns_program dns_resolvconf_look(char ret_prefix[static DNS_PREFIX])
{
	char path[SPAWN_NAME];
	struct buffer b;
	struct stat st;

	ret_prefix[0] = '\0';
	if (!spawn_find(PROGRAM, path))
		return DNS_NO_PROGRAM;
	buffer_init(&b);
	if (lstat(path, &st) == 0 && !S_ISLNK(st.st_mode) &&
	    dns_read_at(AT_FDCWD, ORDER, true, &b) == 0)
		dns_resolvconf_prefix(b.bytes, b.len, ret_prefix);
	buffer_done(&b);
	return kind_of(path);
}

/* Calling it */

static void record_name(const char *link, const struct dns_set *set, char ret[static RECORD])
{
	(void)snprintf(ret, RECORD, "%s%s", set->prefix, link);
}

static int add_record(const char *link, const struct dns_set *set, struct spawn_result *ret)
{
	char name[RECORD];
	const char *const argv[] = { PROGRAM, "-a", name, "-m", "0", "-x", NULL };
	struct buffer lines;
	int status;

	record_name(link, set, name);
	buffer_init(&lines);
	dns_set_lines(set, set->quick, &lines);
	status = buffer_ok(&lines) ? spawn_run(&(struct spawn){ .argv = argv,
								.input = lines.bytes,
								.input_len = lines.len,
								.timeout_ms = TIMEOUT_MS },
					       ret)
				   : -ENOMEM;
	buffer_done(&lines);
	return status;
}

static int failed(int status, const struct spawn_result *r, struct diag *why)
{
	char said[DIAG_TEXT / 2];

	spawn_first_error(r, said, sizeof(said));
	if (status == -ENOENT)
		diag_set(why, DIAG_WARNING, "A1", 0, "resolvconf: command not found");
	else if (status < 0)
		diag_set(why, DIAG_WARNING, "H7", 0, "resolvconf: %s", strerror(-status));
	else
		diag_set(why, DIAG_WARNING, "H7", 0, "resolvconf ended with status %d%s%s", r->code,
			 said[0] ? ": " : "", said);
	diag_hint(why, "%s",
		  status == -ENOENT ? "install openresolv, or systemd-resolved, or delete DNS"
				    : "");
	return status < 0 ? status : -EIO;
}

/* Where resolvconf writes the file all is well, even if another tunnel's servers come first. */
static bool is_asked(const char *file, const struct dns_set *set)
{
	struct dns_host h = { 0 };
	struct buffer b;
	bool asks;

	if (dns_file_look(file, &h) == 0 &&
	    (h.owner == DNS_OWNER_OPENRESOLV || h.owner == DNS_OWNER_DEBIAN))
		return true;

	buffer_init(&b);
	asks = dns_read_at(AT_FDCWD, file, true, &b) == 0 &&
	       dns_resolvconf_asks(b.bytes, b.len, set);
	buffer_done(&b);
	return asks;
}

static int changed_nothing(const char *file, const char *link, const struct dns_set *set,
			   struct diag *why)
{
	struct diag ignored = { 0 };

	(void)dns_resolvconf_remove(link, set, &ignored); /* the failure before it counts */
	diag_set(why, DIAG_WARNING, "H7", 0,
		 "resolvconf said yes, and %s does not name %s: something else writes that file",
		 file, set->servers[0]);
	diag_hint(why, "let resolvconf write it (`resolvconf -u'), or remove resolvconf");
	return -ENOTSUP;
}

int dns_resolvconf_add(const char *file, const char *link, const struct dns_set *set,
		       struct diag *why)
{
	struct spawn_result r = { 0 };
	int status = add_record(link, set, &r);

	if (status < 0 || r.code != 0)
		status = failed(status, &r, why);
	spawn_result_done(&r);
	if (status == 0 && !set->quick && !is_asked(file, set))
		status = changed_nothing(file, link, set, why);
	return status;
}

/* What it says of a record that it never had is no matter, as with wg-quick. */
int dns_resolvconf_remove(const char *link, const struct dns_set *set, struct diag *why)
{
	char name[RECORD];
	const char *const argv[] = { PROGRAM, "-d", name, "-f", NULL };
	struct spawn_result r = { 0 };
	int status;

	record_name(link, set, name);
	status = spawn_run(&(struct spawn){ .argv = argv, .timeout_ms = TIMEOUT_MS }, &r);
	if (status < 0 && status != -ENOENT)
		status = failed(status, &r, why);
	spawn_result_done(&r);
	return status == -ENOENT ? 0 : status;
}

/* Looking */

/* The address behind "nameserver"; false: another line. */
static bool server_of(const char *line, size_t len, char *ret, size_t room)
{
	static const char word[] = "nameserver";
	size_t at = sizeof(word) - 1, size = 0;

	if (len <= at || memcmp(line, word, at) != 0 || (line[at] != ' ' && line[at] != '\t'))
		return false;
	while (at < len && (line[at] == ' ' || line[at] == '\t'))
		++at;
	while (at + size < len && line[at + size] > ' ')
		++size;
	if (size == 0 || size >= room)
		return false;
	memcpy(ret, line + at, size);
	ret[size] = '\0';
	return true;
}

static bool is_of(const struct dns_set *set, const char *server)
{
	for (size_t i = 0; i < set->server_count; ++i)
		if (strcasecmp(server, set->servers[i]) == 0)
			return true;
	return strncmp(server, "127.", 4) == 0 || strcmp(server, "::1") == 0;
}

bool dns_resolvconf_asks(const char *bytes, size_t len, const struct dns_set *set)
{
	const char *const end = bytes + len;

	for (const char *line = bytes; line < end;) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		char server[64];

		if (!stop)
			stop = end;
		if (server_of(line, (size_t)(stop - line), server, sizeof(server)) &&
		    is_of(set, server))
			return true;
		line = stop + 1;
	}
	return false;
}

/* 1, 0, or -ENOENT: this kind of resolvconf keeps no such folder. */
static int has_record(const char *folder, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (stat(folder, &st) < 0)
		return -ENOENT;
	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	return stat(path, &st) == 0;
}

int dns_resolvconf_is_there(const char *file, const char *link, const struct dns_set *set)
{
	char name[RECORD];
	int status;

	record_name(link, set, name);
	status = has_record("/run/resolvconf/interfaces", name); /* openresolv */
	if (status == -ENOENT)
		status = has_record("/run/resolvconf/interface", name); /* Debian's */
	if (status > 0 && !set->quick)
		status = is_asked(file, set);
	return status;
}
