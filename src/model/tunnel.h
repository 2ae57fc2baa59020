#ifndef MODEL_TUNNEL_H
#define MODEL_TUNNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/prefix.h"
#include "model/model.h"
#include "model/span.h"

/*
 * What one configuration file says: the model of its wg keys, and beside it what wg-quick and
 * Warren read, each with the place where it stands. Names of hosts stay text; nothing is looked up.
 * A tunnel owns all of it; tunnel_done wipes keys. A zeroed span is of something that the file
 * does not say.
 */
struct tunnel_text {
	char *text;
	struct span at;
};

struct tunnel_texts {
	struct tunnel_text *rows; /* in the order of the file */
	size_t count;
	size_t room;
};

struct tunnel_prefix {
	struct prefix prefix; /* as written: host bits are kept */
	struct span at;
	char sign;     /* AllowedIPs: '+', '-' or 0 */
	bool has_bits; /* "/n" was written */
};

struct tunnel_prefixes {
	struct tunnel_prefix *rows;
	size_t count;
	size_t room;
};

/* Beside model.peers[i]. */
struct tunnel_peer {
	struct span at;  /* "[Peer]" */
	struct span end; /* its last line that is no comment and not blank */
	struct span public_key;
	struct span preshared_key;
	struct span keepalive;
	struct span endpoint;
	char *endpoint_host;    /* without brackets; NULL: no Endpoint */
	uint16_t endpoint_port; /* 0: endpoint_service names it */
	char *endpoint_service; /* NULL: endpoint_port says it */
	struct tunnel_text
		name; /* of a comment; text NULL: it has none. For people, never for shells */
	struct tunnel_prefixes allowed; /* row j is model.peers[i].allowed[j] as it is written */
	bool has_public_key;
};

enum tunnel_table { TUNNEL_TABLE_AUTO, TUNNEL_TABLE_OFF, TUNNEL_TABLE_NUMBER, TUNNEL_TABLE_NAME };
enum tunnel_hook { TUNNEL_PRE_UP, TUNNEL_POST_UP, TUNNEL_PRE_DOWN, TUNNEL_POST_DOWN, TUNNEL_HOOKS };
enum tunnel_kill_switch { TUNNEL_KILL_OFF, TUNNEL_KILL_ON, TUNNEL_KILL_ON_BUT_LAN };

struct tunnel_port { /* OpenPort: "51413", "51413/udp" */
	uint16_t port;
	bool tcp;
	bool udp;
	struct span at;
};

struct tunnel_ports {
	struct tunnel_port *rows;
	size_t count;
	size_t room;
};

/* Keys behind "#:". */
struct tunnel_own {
	enum tunnel_kill_switch kill_switch; /* yes, no, lan */
	bool forward;                        /* yes, no */
	bool masquerade;                     /* yes, no */
	bool reresolve;                      /* yes, no; on unless it says no */
	bool mss_clamp;                      /* yes, no, or a size */
	uint16_t mss;                        /* 0: by the path */
	struct tunnel_prefixes excluded;
	struct tunnel_ports open;
	struct span kill_switch_at;
	struct span forward_at;
	struct span masquerade_at;
	struct span reresolve_at;
	struct span mss_clamp_at;
};

struct tunnel {
	char *path;            /* of the file; "" if it has none */
	char name[MODEL_NAME]; /* of the path, if it makes one: /x/wg0.conf is wg0 */
	struct model model; /* endpoints that are names are not set; allowed prefixes are masked */
	struct tunnel_peer *peers; /* as many as model.peer_count */
	size_t peer_room;
	struct span interface; /* the first "[Interface]" */
	struct span private_key;
	struct span listen_port;
	char *listen_service; /* ListenPort is the name of a service; else NULL */
	struct span fwmark;
	struct tunnel_prefixes addresses;
	struct tunnel_prefixes dns; /* servers */
	struct tunnel_texts search; /* domains of DNS */
	uint16_t mtu;               /* 0: not said */
	struct span mtu_at;
	enum tunnel_table table;
	uint32_t table_number;
	char *table_name;
	struct span table_at;
	struct tunnel_texts hooks[TUNNEL_HOOKS];
	bool save_config;
	struct span save_config_at;
	struct tunnel_own own;
	struct span amnezia; /* the first key of AmneziaWG */
	bool crlf;
	bool bom;
};

struct tunnel_set { /* read together: both ends, all clients */
	struct tunnel *rows;
	size_t count;
	size_t room;
};

void tunnel_init(struct tunnel *t);
void tunnel_done(struct tunnel *t);
MUST_CHECK bool tunnel_set_path(struct tunnel *t, const char *path); /* path and name */
/* Do they say the same, wherever it stands and whatever the files are called? */
MUST_CHECK bool tunnel_equal(const struct tunnel *a, const struct tunnel *b);

/* Does an address or an allowed prefix have this family? */
MUST_CHECK bool tunnel_uses_family(const struct tunnel *t, uint8_t family);

/* All add_ are false when out of memory, and then change nothing. Texts are copied. */
/* A peer in the model and beside it; its index is model.peer_count - 1. */
MUST_CHECK bool tunnel_add_peer(struct tunnel *t);
MUST_CHECK bool tunnel_add_allowed(struct tunnel *t, size_t peer, const struct tunnel_prefix *p);
MUST_CHECK bool tunnel_add_prefix(struct tunnel_prefixes *list, const struct tunnel_prefix *p);
MUST_CHECK bool tunnel_add_text(struct tunnel_texts *list, const char *text, size_t len,
				const struct span *at);
MUST_CHECK bool tunnel_add_port(struct tunnel_ports *list, const struct tunnel_port *p);
/* Replaces *place, which may be NULL, by a copy. */
MUST_CHECK bool tunnel_set_text(char **place, const char *text, size_t len);

void tunnel_set_init(struct tunnel_set *s);
void tunnel_set_done(struct tunnel_set *s);
/* An empty tunnel at the end of the set. NULL: out of memory. Good until the next one. */
MUST_CHECK struct tunnel *tunnel_set_add(struct tunnel_set *s);

#endif
