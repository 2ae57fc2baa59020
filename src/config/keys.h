#ifndef CONFIG_KEYS_H
#define CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/*
 * Every key that may stand in a file, one row each: its spelling, section, whose it is and how
 * often it may come. Keys of other programs have rows too, so that they are known for what they
 * are.
 */
enum keys_id {
	KEYS_UNKNOWN,
	KEYS_PRIVATE_KEY, /* wg, [Interface] */
	KEYS_LISTEN_PORT,
	KEYS_FWMARK,
	KEYS_PUBLIC_KEY, /* wg, [Peer] */
	KEYS_PRESHARED_KEY,
	KEYS_ALLOWED_IPS,
	KEYS_ENDPOINT,
	KEYS_KEEPALIVE,
	KEYS_ADDRESS, /* wg-quick, [Interface] */
	KEYS_DNS,
	KEYS_MTU,
	KEYS_TABLE,
	KEYS_PRE_UP,
	KEYS_POST_UP,
	KEYS_PRE_DOWN,
	KEYS_POST_DOWN,
	KEYS_SAVE_CONFIG,
	KEYS_OWN_KILL_SWITCH, /* ours, behind "#:", [Interface] */
	KEYS_OWN_FORWARD,
	KEYS_OWN_MASQUERADE,
	KEYS_OWN_EXCLUDED_IPS,
	KEYS_OWN_MSS_CLAMP,
	KEYS_OWN_OPEN_PORT,
	KEYS_OWN_RERESOLVE,
	KEYS_OWN_NAME, /* ours, [Peer] */
	KEYS_AMNEZIA,  /* any of AmneziaWG's: another protocol on the wire */
	KEYS_ANDROID,  /* IncludedApplications, ExcludedApplications: of the Android app */
	KEYS_NETWORKD, /* of a .netdev or .network file of systemd */
	KEYS_COUNT,
};

enum keys_section { KEYS_NO_SECTION, KEYS_INTERFACE, KEYS_PEER, KEYS_OTHER_SECTION };

enum keys_owner { KEYS_OF_NOBODY, KEYS_OF_WG, KEYS_OF_QUICK, KEYS_OF_WARREN, KEYS_OF_OTHERS };

enum keys_flag {
	KEYS_ONCE = 0,    /* of several lines the last one counts */
	KEYS_REPEATS = 1, /* several lines add up */
	KEYS_SECRET = 2,  /* its value is never shown */
	KEYS_TO_END = 4,  /* its value goes to the end of the line, '#' and all */
	KEYS_HOOK = 8,    /* a command */
};

struct keys_row {
	const char *name; /* as it is written; of KEYS_UNKNOWN "" */
	enum keys_section section;
	enum keys_owner owner;
	unsigned int flags; /* enum keys_flag */
};

const struct keys_row *keys_row(enum keys_id id);
/* By name, without regard to case and blanks; own: one of ours behind "#:". */
enum keys_id keys_find(const char *name, size_t len, bool own);
/* What somebody who wrote this may have meant, or KEYS_UNKNOWN. */
enum keys_id keys_nearest(const char *name, size_t len, bool own);
enum keys_section keys_nearest_section(const char *name, size_t len); /* or KEYS_OTHER_SECTION */
const char *keys_section_name(enum keys_section s);                   /* "[Interface]" */

#endif
