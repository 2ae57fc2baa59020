#ifndef NET_FOREIGN_PRIVATE_H
#define NET_FOREIGN_PRIVATE_H

#include "net/foreign.h"

enum {
	FOREIGN_WORDS = 8, /* of an item's text */
	FOREIGN_TEXT = 256,
	FOREIGN_ARGS = 24,
};

enum foreign_tool { FOREIGN_NFT, FOREIGN_IPTABLES, FOREIGN_FIREWALL_CMD };
enum foreign_verb { FOREIGN_ADD, FOREIGN_REMOVE, FOREIGN_ASK };

/* An item's text, read. The texts stand in `words`. */
struct foreign_rule {
	enum foreign_tool tool;
	const char *program;
	const char *family; /* NFT */
	const char *table;
	const char *chain; /* or zone */
	const char *what;  /* "in", "out", "PORT/udp", "PORT/tcp" */
	char port[8];      /* of a port */
	const char *protocol;
	char tag[64]; /* its comment */
	char words[FOREIGN_TEXT];
};

MUST_CHECK bool foreign_parse(const struct item *i, struct foreign_rule *ret);

/* The arguments of iptables and firewall-cmd; they point into r, the item and scratch. */
struct foreign_args {
	const char *argv[FOREIGN_ARGS];
	char scratch[2][FOREIGN_TEXT];
};
void foreign_args(const struct foreign_rule *r, const struct item *i, enum foreign_verb verb,
		  struct foreign_args *ret);
/* nft's command that inserts it. */
void foreign_insert(const struct foreign_rule *r, const struct item *i, struct buffer *b);

#endif
