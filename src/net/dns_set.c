#include "net/dns_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The whole address space of a family, or both halves of it: how people write a default route. */
static bool covers_all(const struct tunnel_peer *peers, size_t count, uint8_t family)
{
	bool half[2] = { false, false };

	for (size_t i = 0; i < count; ++i)
		for (size_t k = 0; k < peers[i].allowed.count; ++k) {
			const struct tunnel_prefix *p = &peers[i].allowed.rows[k];

			if (p->prefix.ip.family != family || p->prefix.bits > 1 || p->sign == '-')
				continue;
			if (p->prefix.bits == 0)
				return true;
			half[p->prefix.ip.bytes[0] >> 7] = true;
		}
	return half[0] && half[1];
}

bool dns_set_takes_all(const struct tunnel *t)
{
	return covers_all(t->peers, t->model.peer_count, FAMILY_V4) ||
	       covers_all(t->peers, t->model.peer_count, FAMILY_V6);
}

/* A word has no blank in it and starts no other: the file's parser cuts at blanks and commas. */
bool dns_set_write(const struct tunnel *t, const char *prefix, bool quick, struct buffer *b)
{
	char ip[TEXT_IP];

	for (size_t i = 0; i < t->dns.count; ++i) {
		text_from_ip(&t->dns.rows[i].prefix.ip, ip);
		buffer_printf(b, "%sserver=%s", i ? " " : "", ip);
	}
	for (size_t i = 0; i < t->search.count; ++i)
		buffer_printf(b, " search=%s", t->search.rows[i].text);
	if (prefix[0])
		buffer_printf(b, " prefix=%s", prefix);
	if (dns_set_takes_all(t))
		buffer_printf(b, " all");
	if (quick)
		buffer_printf(b, " quick");
	return buffer_ok(b);
}

static int take_word(struct dns_set *s, char *word)
{
	struct ip ip;

	if (strncmp(word, "server=", 7) == 0 && text_to_ip(word + 7, &ip))
		s->servers[s->server_count++] = word + 7;
	else if (strncmp(word, "search=", 7) == 0 && word[7])
		s->search[s->search_count++] = word + 7;
	else if (strncmp(word, "prefix=", 7) == 0 && strlen(word + 7) < sizeof(s->prefix))
		memcpy(s->prefix, word + 7, strlen(word + 7) + 1);
	else if (strcmp(word, "all") == 0)
		s->all = true;
	else if (strcmp(word, "quick") == 0)
		s->quick = true;
	else
		return -EINVAL;
	return 0;
}

static bool has_control(const char *text)
{
	for (; *text; ++text)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

int dns_set_parse(const char *text, struct dns_set *ret)
{
	const size_t room = strlen(text) / 2 + 1; /* words, at most */
	struct dns_set s = { .words = strdup(text),
			     .servers = calloc(2 * room, sizeof(*s.servers)) };
	int status = s.words && s.servers ? 0 : -ENOMEM;
	char *rest, *word;

	s.search = s.servers ? s.servers + room : NULL;
	if (status == 0 && has_control(text))
		status = -EINVAL;
	for (word = status ? NULL : strtok_r(s.words, " ", &rest); word && status == 0;
	     word = strtok_r(NULL, " ", &rest))
		status = take_word(&s, word);
	if (status == 0 && s.server_count == 0)
		status = -EINVAL;
	if (status < 0) {
		dns_set_done(&s);
		return status;
	}
	*ret = s;
	return 0;
}

void dns_set_done(struct dns_set *s)
{
	free(s->servers); /* and search behind them */
	free(s->words);
	*s = (struct dns_set){ 0 };
}

void dns_set_words(const struct dns_set *s, struct buffer *b)
{
	for (size_t i = 0; i < s->server_count; ++i)
		buffer_printf(b, "%sserver=%s", i ? " " : "", s->servers[i]);
	for (size_t i = 0; i < s->search_count; ++i)
		if (s->search[i][0] != '~')
			buffer_printf(b, " search=%s", s->search[i]);
}

void dns_set_lines(const struct dns_set *s, bool all, struct buffer *b)
{
	bool any = false;

	for (size_t i = 0; i < s->server_count; ++i)
		buffer_printf(b, "nameserver %s\n", s->servers[i]);
	for (size_t i = 0; i < s->search_count; ++i) {
		if (s->search[i][0] == '~' && !all)
			continue;
		buffer_printf(b, "%s%s", any ? " " : "search ", s->search[i]);
		any = true;
	}
	if (any)
		buffer_printf(b, "\n");
}
