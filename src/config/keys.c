#include "config/keys.h"

#include <assert.h>
#include <string.h>

#include "base/bytes.h"
#include "config/value.h"

#define WG(section) section, KEYS_OF_WG
#define QUICK KEYS_INTERFACE, KEYS_OF_QUICK
#define HOOK (KEYS_REPEATS | KEYS_TO_END | KEYS_HOOK)
#define OWN KEYS_INTERFACE, KEYS_OF_WARREN

static const struct keys_row rows[KEYS_COUNT] = {
	[KEYS_UNKNOWN] = { "", KEYS_NO_SECTION, KEYS_OF_NOBODY, KEYS_REPEATS },
	[KEYS_PRIVATE_KEY] = { "PrivateKey", WG(KEYS_INTERFACE), KEYS_SECRET },
	[KEYS_LISTEN_PORT] = { "ListenPort", WG(KEYS_INTERFACE), KEYS_ONCE },
	[KEYS_FWMARK] = { "FwMark", WG(KEYS_INTERFACE), KEYS_ONCE },
	[KEYS_PUBLIC_KEY] = { "PublicKey", WG(KEYS_PEER), KEYS_SECRET }, /* or a misplaced one */
	[KEYS_PRESHARED_KEY] = { "PresharedKey", WG(KEYS_PEER), KEYS_SECRET },
	[KEYS_ALLOWED_IPS] = { "AllowedIPs", WG(KEYS_PEER), KEYS_REPEATS },
	[KEYS_ENDPOINT] = { "Endpoint", WG(KEYS_PEER), KEYS_ONCE },
	[KEYS_KEEPALIVE] = { "PersistentKeepalive", WG(KEYS_PEER), KEYS_ONCE },
	[KEYS_ADDRESS] = { "Address", QUICK, KEYS_REPEATS },
	[KEYS_DNS] = { "DNS", QUICK, KEYS_REPEATS },
	[KEYS_MTU] = { "MTU", QUICK, KEYS_ONCE },
	[KEYS_TABLE] = { "Table", QUICK, KEYS_ONCE },
	[KEYS_PRE_UP] = { "PreUp", QUICK, HOOK },
	[KEYS_POST_UP] = { "PostUp", QUICK, HOOK },
	[KEYS_PRE_DOWN] = { "PreDown", QUICK, HOOK },
	[KEYS_POST_DOWN] = { "PostDown", QUICK, HOOK },
	[KEYS_SAVE_CONFIG] = { "SaveConfig", QUICK, KEYS_ONCE },
	[KEYS_OWN_KILL_SWITCH] = { "KillSwitch", OWN, KEYS_ONCE },
	[KEYS_OWN_FORWARD] = { "Forward", OWN, KEYS_ONCE },
	[KEYS_OWN_MASQUERADE] = { "Masquerade", OWN, KEYS_ONCE },
	[KEYS_OWN_EXCLUDED_IPS] = { "ExcludedIPs", OWN, KEYS_REPEATS },
	[KEYS_OWN_MSS_CLAMP] = { "MssClamp", OWN, KEYS_ONCE },
	[KEYS_OWN_OPEN_PORT] = { "OpenPort", OWN, KEYS_REPEATS },
	[KEYS_OWN_RERESOLVE] = { "Reresolve", OWN, KEYS_ONCE },
	[KEYS_OWN_NAME] = { "Name", KEYS_PEER, KEYS_OF_WARREN, KEYS_TO_END },
	[KEYS_AMNEZIA] = { "Jc", KEYS_INTERFACE, KEYS_OF_OTHERS, KEYS_REPEATS },
	[KEYS_ANDROID] = { "IncludedApplications", KEYS_INTERFACE, KEYS_OF_OTHERS, KEYS_REPEATS },
	[KEYS_NETWORKD] = { "FirewallMark", KEYS_OTHER_SECTION, KEYS_OF_OTHERS, KEYS_REPEATS },
};

/* Further spellings, all of other programs. */
static const struct {
	const char *name;
	enum keys_id id;
} others[] = {
	{ "Jmin", KEYS_AMNEZIA },
	{ "Jmax", KEYS_AMNEZIA },
	{ "S1", KEYS_AMNEZIA },
	{ "S2", KEYS_AMNEZIA },
	{ "S3", KEYS_AMNEZIA },
	{ "S4", KEYS_AMNEZIA },
	{ "H1", KEYS_AMNEZIA },
	{ "H2", KEYS_AMNEZIA },
	{ "H3", KEYS_AMNEZIA },
	{ "H4", KEYS_AMNEZIA },
	{ "I1", KEYS_AMNEZIA },
	{ "I2", KEYS_AMNEZIA },
	{ "I3", KEYS_AMNEZIA },
	{ "I4", KEYS_AMNEZIA },
	{ "I5", KEYS_AMNEZIA },
	{ "J1", KEYS_AMNEZIA },
	{ "J2", KEYS_AMNEZIA },
	{ "J3", KEYS_AMNEZIA },
	{ "Itime", KEYS_AMNEZIA },
	{ "AdvancedSecurity", KEYS_AMNEZIA },
	{ "ExcludedApplications", KEYS_ANDROID },
	{ "PrivateKeyFile", KEYS_NETWORKD },
	{ "PresharedKeyFile", KEYS_NETWORKD },
	{ "RouteTable", KEYS_NETWORKD },
	{ "RouteMetric", KEYS_NETWORKD },
	{ "Kind", KEYS_NETWORKD },
	{ "MTUBytes", KEYS_NETWORKD },
	{ "Gateway", KEYS_NETWORKD },
};

enum { NAME_MAX_LEN = 32 };

const struct keys_row *keys_row(enum keys_id id)
{
	assert(id < KEYS_COUNT);
	return &rows[id];
}

static bool is_own(enum keys_id id)
{
	return rows[id].owner == KEYS_OF_WARREN;
}

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		c = (char)(c + ('a' - 'A'));
	return c;
}

enum keys_id keys_find(const char *name, size_t len, bool own)
{
	char word[NAME_MAX_LEN];
	size_t n;

	if (!value_strip(name, len, word, sizeof(word), &n))
		return KEYS_UNKNOWN;
	if (n == 0)
		return KEYS_UNKNOWN;
	for (enum keys_id id = KEYS_UNKNOWN + 1; id < KEYS_COUNT; ++id) {
		if (is_own(id) == own && lower(word[0]) == lower(rows[id].name[0]) &&
		    value_equals(word, n, rows[id].name))
			return id;
	}
	for (size_t i = 0; i < ELEMENTS(others) && !own; ++i) {
		if (value_equals(word, n, others[i].name))
			return others[i].id;
	}
	return KEYS_UNKNOWN;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* How many characters to insert, remove, replace or swap with a neighbour. */
static size_t distance(const char *a, size_t alen, const char *b, size_t blen)
{
	size_t cost[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1];

	for (size_t i = 0; i <= alen; ++i)
		cost[i][0] = i;
	for (size_t j = 0; j <= blen; ++j)
		cost[0][j] = j;
	for (size_t i = 1; i <= alen; ++i) {
		for (size_t j = 1; j <= blen; ++j) {
			const char x = lower(a[i - 1]), y = lower(b[j - 1]);

			cost[i][j] = least(cost[i - 1][j - 1] + (x != y),
					   1 + least(cost[i - 1][j], cost[i][j - 1]));
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
				cost[i][j] = least(cost[i][j], 1 + cost[i - 2][j - 2]);
		}
	}
	return cost[alen][blen];
}

/* One mistake in three characters is the most that still tells what was meant. */
enum keys_id keys_nearest(const char *name, size_t len, bool own)
{
	enum keys_id nearest = KEYS_UNKNOWN;
	char word[NAME_MAX_LEN];
	size_t n, best;

	if (!value_strip(name, len, word, sizeof(word), &n))
		return KEYS_UNKNOWN;
	best = n / 3 + 1;
	for (enum keys_id id = KEYS_UNKNOWN + 1; id < KEYS_COUNT; ++id) {
		const size_t d = distance(word, n, rows[id].name, strlen(rows[id].name));

		if (is_own(id) != own || rows[id].owner == KEYS_OF_OTHERS || d >= best)
			continue;
		best = d;
		nearest = id;
	}
	return nearest;
}

enum keys_section keys_nearest_section(const char *name, size_t len)
{
	static const char interface[] = "Interface", peer[] = "Peer";
	char word[NAME_MAX_LEN];
	size_t n;

	if (!value_strip(name, len, word, sizeof(word), &n))
		return KEYS_OTHER_SECTION;
	if (distance(word, n, interface, sizeof(interface) - 1) <= 3)
		return KEYS_INTERFACE;
	if (distance(word, n, peer, sizeof(peer) - 1) <= 2)
		return KEYS_PEER;
	return KEYS_OTHER_SECTION;
}

const char *keys_section_name(enum keys_section s)
{
	switch (s) {
	case KEYS_INTERFACE:
		return "[Interface]";
	case KEYS_PEER:
		return "[Peer]";
	case KEYS_NO_SECTION:
	case KEYS_OTHER_SECTION:
		break;
	}
	return "";
}
