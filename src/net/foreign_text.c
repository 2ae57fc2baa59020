#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "net/foreign_private.h"

static bool read_what(struct foreign_rule *r)
{
	const char *slash = strchr(r->what, '/');
	uint64_t port;

	if (!slash)
		return strcmp(r->what, "in") == 0 || strcmp(r->what, "out") == 0;
	if ((size_t)(slash - r->what) >= sizeof(r->port))
		return false;
	memcpy(r->port, r->what, (size_t)(slash - r->what));
	r->protocol = slash + 1;
	return text_to_uint(r->port, UINT16_MAX, &port) &&
	       (strcmp(r->protocol, "tcp") == 0 || strcmp(r->protocol, "udp") == 0);
}

static bool read_words(struct foreign_rule *r, const char *const *words, size_t count)
{
	r->program = words[0];
	r->tool = strcmp(words[0], "nft") == 0            ? FOREIGN_NFT
		  : strcmp(words[0], "firewall-cmd") == 0 ? FOREIGN_FIREWALL_CMD
							  : FOREIGN_IPTABLES;
	if (r->tool == FOREIGN_IPTABLES && strncmp(words[0], "ip", 2) != 0)
		return false;
	if (count != (r->tool == FOREIGN_NFT ? 5 : 3))
		return false;
	if (r->tool == FOREIGN_NFT) {
		r->family = words[1];
		r->table = words[2];
	}
	r->chain = words[count - 2];
	r->what = words[count - 1];
	return read_what(r);
}

bool foreign_parse(const struct item *i, struct foreign_rule *ret)
{
	const char *words[FOREIGN_WORDS];
	char *rest = NULL;
	size_t count = 0;

	*ret = (struct foreign_rule){ 0 };
	if (!i->text || strlen(i->text) >= sizeof(ret->words))
		return false;
	memcpy(ret->words, i->text, strlen(i->text) + 1);
	for (char *word = strtok_r(ret->words, " ", &rest); word && count < FOREIGN_WORDS;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	if (count < 3 || !read_words(ret, words, count))
		return false;
	(void)snprintf(ret->tag, sizeof(ret->tag), "warren %s %s", i->link, ret->what);
	return true;
}

static void put(const char ***at, const char *word)
{
	*(*at)++ = word;
}

static void iptables_args(const struct foreign_rule *r, const struct item *i,
			  enum foreign_verb verb, const char **at)
{
	put(&at, "-w");
	put(&at, verb == FOREIGN_ADD ? "-I" : verb == FOREIGN_REMOVE ? "-D" : "-C");
	put(&at, r->chain);
	if (r->protocol) {
		put(&at, "-p");
		put(&at, r->protocol);
		put(&at, "--dport");
		put(&at, r->port);
	} else {
		put(&at, strcmp(r->what, "in") == 0 ? "-i" : "-o");
		put(&at, i->link);
	}
	put(&at, "-m");
	put(&at, "comment");
	put(&at, "--comment");
	put(&at, r->tag);
	put(&at, "-j");
	put(&at, "ACCEPT");
}

static void firewalld_args(const struct foreign_rule *r, const struct item *i,
			   enum foreign_verb verb, const char **at, char scratch[2][FOREIGN_TEXT])
{
	const char *word = verb == FOREIGN_ADD      ? "add"
			   : verb == FOREIGN_REMOVE ? "remove"
						    : "query";

	(void)snprintf(scratch[0], FOREIGN_TEXT, "--zone=%s", r->chain);
	if (r->protocol)
		(void)snprintf(scratch[1], FOREIGN_TEXT, "--%s-port=%s", word, r->what);
	else
		(void)snprintf(scratch[1], FOREIGN_TEXT, "--%s-interface=%s", word, i->link);
	put(&at, scratch[0]);
	put(&at, scratch[1]);
}

void foreign_args(const struct foreign_rule *r, const struct item *i, enum foreign_verb verb,
		  struct foreign_args *ret)
{
	*ret = (struct foreign_args){ 0 };
	ret->argv[0] = r->program;
	if (r->tool == FOREIGN_IPTABLES)
		iptables_args(r, i, verb, ret->argv + 1);
	else
		firewalld_args(r, i, verb, ret->argv + 1, ret->scratch);
}

void foreign_insert(const struct foreign_rule *r, const struct item *i, struct buffer *b)
{
	buffer_printf(b, "insert rule %s %s %s ", r->family, r->table, r->chain);
	if (r->protocol)
		buffer_printf(b, "%s dport %s", r->protocol, r->port);
	else
		buffer_printf(b, "%s \"%s\"", strcmp(r->what, "in") == 0 ? "iifname" : "oifname",
			      i->link);
	buffer_printf(b, " accept comment \"%s\"", r->tag);
}

static void print_args(const struct foreign_args *a, struct buffer *b)
{
	for (size_t i = 0; a->argv[i]; ++i) {
		const char *quote = strchr(a->argv[i], ' ') ? "\"" : "";

		buffer_printf(b, "%s%s%s%s", i ? " " : "", quote, a->argv[i], quote);
	}
}

bool foreign_command(const struct item *i, bool remove, struct buffer *b)
{
	struct foreign_rule r;
	struct foreign_args a;

	if (!foreign_parse(i, &r))
		return false;
	if (r.tool != FOREIGN_NFT) {
		foreign_args(&r, i, remove ? FOREIGN_REMOVE : FOREIGN_ADD, &a);
		print_args(&a, b);
	} else if (remove) {
		buffer_printf(b, "nft delete rule %s %s %s # %s", r.family, r.table, r.chain,
			      r.tag);
	} else {
		buffer_printf(b, "nft ");
		foreign_insert(&r, i, b);
	}
	return true;
}
