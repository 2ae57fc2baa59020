#include "net/dns_network_manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "net/dns_saved.h"

#define PATH "/org/freedesktop/NetworkManager"
#define DNS_PATH PATH "/DnsManager"
#define DNS_INTERFACE DNS_NETWORK_MANAGER_NAME ".DnsManager"
#define PROPERTY "GlobalDnsConfiguration"
#define WHO "NetworkManager"
#define KEY "network-manager"

static bool property_is(const struct dns_bus *b, const char *name, const char *value)
{
	char *text = NULL;
	const bool same = b->get_property_string(b->bus, DNS_NETWORK_MANAGER_NAME, DNS_PATH,
						 DNS_INTERFACE, name, NULL, &text) >= 0 &&
			  strcmp(text, value) == 0;

	free(text);
	return same;
}

bool dns_network_manager_rules(const struct dns_bus *b)
{
	return dns_bus_has(b, DNS_NETWORK_MANAGER_NAME) > 0 && !property_is(b, "Mode", "none") &&
	       !property_is(b, "RcManager", "unmanaged");
}

/* What it has, in the words of dns_set.h. "" is nothing; *strange: more than these words say */

struct reading {
	const struct dns_bus *b;
	sd_bus_message *m;
	struct buffer servers;
	struct buffer search;
	bool strange;
};

static int read_texts(struct reading *r, const char *word, struct buffer *to)
{
	const char *text;
	int status = r->b->message_enter_container(r->m, 'v', "as");

	if (status >= 0)
		status = r->b->message_enter_container(r->m, 'a', "s");
	while (status >= 0 && (status = r->b->message_read(r->m, "s", &text)) > 0)
		buffer_printf(to, " %s=%s", word, text);
	if (status >= 0)
		status = r->b->message_exit_container(r->m);
	return status < 0 ? status : r->b->message_exit_container(r->m);
}

/* a{sv} within a variant or not: one reader for each of its values. */
static int read_pairs(struct reading *r, int (*value)(struct reading *r, const char *key))
{
	const char *key;
	int status = r->b->message_enter_container(r->m, 'a', "{sv}");

	while (status >= 0 && (status = r->b->message_enter_container(r->m, 'e', "sv")) > 0) {
		status = r->b->message_read(r->m, "s", &key);
		if (status >= 0)
			status = value(r, key);
		if (status >= 0)
			status = r->b->message_exit_container(r->m);
	}
	return status < 0 ? status : r->b->message_exit_container(r->m);
}

static int read_inner(struct reading *r, int (*value)(struct reading *r, const char *key))
{
	int status = r->b->message_enter_container(r->m, 'v', "a{sv}");

	if (status >= 0)
		status = read_pairs(r, value);
	return status < 0 ? status : r->b->message_exit_container(r->m);
}

/* Options that are empty say nothing. */
static int read_options(struct reading *r)
{
	struct buffer options;
	int status;

	buffer_init(&options);
	status = read_texts(r, "option", &options);
	r->strange = r->strange || options.len > 0;
	buffer_done(&options);
	return status;
}

static int read_of_domain(struct reading *r, const char *key)
{
	return strcmp(key, "servers") == 0 ? read_texts(r, "server", &r->servers) : read_options(r);
}

static int read_domain(struct reading *r, const char *key)
{
	r->strange = r->strange || strcmp(key, "*") != 0;
	return read_inner(r, read_of_domain);
}

static int read_of_all(struct reading *r, const char *key)
{
	if (strcmp(key, "searches") == 0)
		return read_texts(r, "search", &r->search);
	return strcmp(key, "domains") == 0 ? read_inner(r, read_domain) : read_options(r);
}

static int read_words(const struct dns_bus *b, struct buffer *ret, bool *strange)
{
	struct reading r = { .b = b };
	int status = b->get_property(b->bus, DNS_NETWORK_MANAGER_NAME, PATH,
				     DNS_NETWORK_MANAGER_NAME, PROPERTY, NULL, &r.m, "a{sv}");

	if (status >= 0)
		status = read_pairs(&r, read_of_all);
	if (r.servers.len)
		buffer_append(ret, r.servers.bytes + 1, r.servers.len - 1);
	if (r.search.len)
		buffer_append(ret, r.search.bytes, r.search.len);
	*strange = r.strange || (r.search.len && !r.servers.len);
	if (!buffer_ok(&r.servers) || !buffer_ok(&r.search) || !buffer_ok(ret))
		status = -ENOMEM;
	buffer_done(&r.servers);
	buffer_done(&r.search);
	(void)b->message_unref(r.m); /* gives NULL */
	return status < 0 ? status : 0;
}

/* What it shall have */

struct writing {
	const struct dns_bus *b;
	sd_bus_message *m;
	int status;
};

static void open_at(struct writing *w, char type, const char *contents)
{
	if (w->status >= 0)
		w->status = w->b->message_open_container(w->m, type, contents);
}

static void close_at(struct writing *w, int times)
{
	while (times-- > 0 && w->status >= 0)
		w->status = w->b->message_close_container(w->m);
}

static void text_at(struct writing *w, const char *text)
{
	if (w->status >= 0)
		w->status = w->b->message_append(w->m, "s", text);
}

/* An entry of a{sv} whose value is of this type, open. */
static void open_pair(struct writing *w, const char *key, const char *type)
{
	open_at(w, 'e', "sv");
	text_at(w, key);
	open_at(w, 'v', type);
}

static void write_texts(struct writing *w, const char *key, char *const texts[], size_t count)
{
	open_pair(w, key, "as");
	open_at(w, 'a', "s");
	for (size_t i = 0; i < count; ++i)
		if (texts[i][0] != '~') /* it has no way to send only some names there */
			text_at(w, texts[i]);
	close_at(w, 3);
}

/* NULL: nothing. */
static void write_set(struct writing *w, const struct dns_set *set)
{
	open_at(w, 'v', "a{sv}");
	open_at(w, 'a', "{sv}");
	if (set) {
		write_texts(w, "searches", set->search, set->search_count);
		open_pair(w, "domains", "a{sv}");
		open_at(w, 'a', "{sv}");
		open_pair(w, "*", "a{sv}");
		open_at(w, 'a', "{sv}");
		write_texts(w, "servers", set->servers, set->server_count);
		close_at(w, 6);
	}
	close_at(w, 2);
}

static int write_words(const struct dns_bus *b, const char *words, struct diag *why)
{
	struct writing w = { .b = b };
	struct dns_set set = { 0 };
	int status = words[0] ? dns_set_parse(words, &set) : 0;

	if (status < 0)
		return status;
	w.status = b->message_new_method_call(b->bus, &w.m, DNS_NETWORK_MANAGER_NAME, PATH,
					      "org.freedesktop.DBus.Properties", "Set");
	text_at(&w, DNS_NETWORK_MANAGER_NAME);
	text_at(&w, PROPERTY);
	write_set(&w, words[0] ? &set : NULL);
	dns_set_done(&set);
	if (w.status >= 0)
		return dns_bus_call(b, w.m, WHO, NULL, why);
	(void)b->message_unref(w.m); /* gives NULL */
	return w.status;
}

/* In and out */

struct place {
	struct dns_bus b;
	struct dns_saved s;
	struct buffer now; /* what it has, closed by a NUL */
	bool strange;
};

static int not_there(int status, struct diag *why)
{
	diag_set(why, DIAG_WARNING, "H7", 0, "NetworkManager %s",
		 status == -EXDEV ? "serves another network namespace"
				  : "is not running, and its servers can only be changed by it");
	diag_hint(why, "%s", status == -EXDEV ? "" : "systemctl start NetworkManager, then again");
	return status;
}

static int open_manager(struct dns_bus *ret)
{
	int status = dns_bus_open(ret);

	if (status < 0)
		return status;
	status = dns_bus_has(ret, DNS_NETWORK_MANAGER_NAME);
	if (status <= 0)
		dns_bus_close(ret);
	return status == 0 ? -ENOENT : status < 0 ? status : 0;
}

static void leave(struct place *p)
{
	dns_saved_close(&p->s);
	dns_bus_close(&p->b);
	buffer_done(&p->now);
}

/* -ENOENT and no words of why: nothing was ever kept here. */
static int enter(const char *state, bool make, struct place *ret, struct diag *why)
{
	int status = dns_saved_open(state, KEY, make, &ret->s);

	if (status < 0)
		return status;
	buffer_init(&ret->now);
	status = open_manager(&ret->b);
	if (status < 0) {
		dns_saved_close(&ret->s);
		return not_there(status, why);
	}
	status = read_words(&ret->b, &ret->now, &ret->strange);
	buffer_append(&ret->now, "", 1);
	if (status == 0 && !buffer_ok(&ret->now))
		status = -ENOMEM;
	if (status < 0)
		leave(ret);
	return status;
}

/* The words of the newest tunnel, "" if there is none. */
static int newest_words(const struct place *p, const char *but, struct buffer *ret)
{
	char link[HOST_NAME];
	const int status = dns_saved_newest(&p->s, but, link, ret);

	buffer_append(ret, "", 1);
	return status < 0 ? status : buffer_ok(ret) ? 0 : -ENOMEM;
}

/* Is it what the tunnels here have made of it? */
static bool is_ours(const struct place *p)
{
	struct buffer newest;
	bool same;

	buffer_init(&newest);
	same = newest_words(p, NULL, &newest) == 0 && !p->strange &&
	       strcmp(newest.bytes, p->now.bytes) == 0;
	buffer_done(&newest);
	return same;
}

static int set_newest(const struct place *p, const char *but, struct diag *why)
{
	struct buffer words;
	int status;

	buffer_init(&words);
	status = newest_words(p, but, &words);
	if (status == 0 && strcmp(words.bytes, p->now.bytes) != 0)
		status = write_words(&p->b, words.bytes, why);
	buffer_done(&words);
	return status;
}

static int refused(struct diag *why)
{
	diag_set(why, DIAG_WARNING, "H7", 0,
		 "NetworkManager has servers for all links that somebody else has set");
	diag_hint(why, "take [global-dns] out of its configuration, or set the servers there");
	return -EBUSY;
}

/* Its order of things: written down first, so that a kill in between can be undone. */
static int put(const struct place *p, const char *link, const struct dns_set *set, struct diag *why)
{
	struct buffer words;
	int status;

	buffer_init(&words);
	dns_set_words(set, &words);
	status = buffer_ok(&words) ? dns_saved_put(&p->s, link, words.bytes, words.len) : -ENOMEM;
	buffer_done(&words);
	return status < 0 ? status : set_newest(p, NULL, why);
}

static int told(int status, struct diag *why)
{
	if (status < 0 && why->severity == DIAG_NONE)
		diag_set(why, DIAG_WARNING, "H7", 0, "NetworkManager was not told: %s",
			 strerror(-status));
	return status;
}

int dns_network_manager_add(const char *state, const char *link, const struct dns_set *set,
			    struct diag *why)
{
	struct place p = { 0 };
	int status = enter(state, true, &p, why);

	if (status < 0)
		return told(status, why);
	status = p.now.bytes[0] && !is_ours(&p) ? refused(why) : put(&p, link, set, why);
	leave(&p);
	return told(status, why);
}

int dns_network_manager_remove(const char *state, const char *link, struct diag *why)
{
	struct place p = { 0 };
	int status = enter(state, false, &p, why);

	if (status == -ENOENT && why->severity == DIAG_NONE)
		return 0; /* nothing was ever kept */
	if (status < 0)
		return told(status, why);
	status = is_ours(&p) ? set_newest(&p, link, why) : 0;
	if (status == 0)
		status = dns_saved_drop(&p.s, link);
	leave(&p);
	return told(status, why);
}

int dns_network_manager_is_there(const char *state, const char *link, const struct dns_set *set)
{
	struct diag ignored = { 0 };
	struct place p = { 0 };
	struct buffer words, kept;
	int status = enter(state, false, &p, &ignored);

	if (status < 0)
		return status == -ENOENT && ignored.severity == DIAG_NONE ? 0 : status;
	buffer_init(&words);
	buffer_init(&kept);
	dns_set_words(set, &words);
	status = dns_saved_get(&p.s, link, &kept);
	if (status > 0)
		status = buffer_ok(&words) && words.len == kept.len &&
			 memcmp(words.bytes, kept.bytes, kept.len) == 0 && is_ours(&p);
	buffer_done(&words);
	buffer_done(&kept);
	leave(&p);
	return status;
}
