#include "config/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static enum keys_id find(const char *name, bool own)
{
	return keys_find(name, strlen(name), own);
}

static void every_row_is_found_by_its_name(void **state)
{
	(void)state;
	for (enum keys_id id = KEYS_UNKNOWN + 1; id < KEYS_COUNT; ++id) {
		const struct keys_row *row = keys_row(id);
		const bool own = row->owner == KEYS_OF_WARREN;

		assert_int_equal(find(row->name, own), id);
		assert_int_equal(find(row->name, !own), KEYS_UNKNOWN);
		assert_int_not_equal(row->owner, KEYS_OF_NOBODY);
		assert_true(row->section == KEYS_INTERFACE || row->section == KEYS_PEER ||
			    row->owner == KEYS_OF_OTHERS);
	}
}

static void spellings(void **state)
{
	static const struct {
		const char *name;
		enum keys_id id;
	} rows[] = {
		{ "privatekey", KEYS_PRIVATE_KEY },
		{ "PRIVATEKEY", KEYS_PRIVATE_KEY },
		{ " P r i v a t e\tK e y ", KEYS_PRIVATE_KEY },
		{ "AllowedIPs", KEYS_ALLOWED_IPS },
		{ "AllowedIP", KEYS_UNKNOWN },
		{ "AllowedIPss", KEYS_UNKNOWN },
		{ "", KEYS_UNKNOWN },
		{ " ", KEYS_UNKNOWN },
		{ "PrivateKeyPrivateKeyPrivateKeyPrivateKey", KEYS_UNKNOWN },
		{ "jmin", KEYS_AMNEZIA },
		{ "S4", KEYS_AMNEZIA },
		{ "H4", KEYS_AMNEZIA },
		{ "H5", KEYS_UNKNOWN },
		{ "I5", KEYS_AMNEZIA },
		{ "ExcludedApplications", KEYS_ANDROID },
		{ "RouteTable", KEYS_NETWORKD },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (find(rows[i].name, false) != rows[i].id)
			fail_msg("%s", rows[i].name);
	}
}

static void nearest(void **state)
{
	static const struct {
		const char *name;
		bool own;
		enum keys_id id;
	} rows[] = {
		{ "Adress", false, KEYS_ADDRESS },
		{ "Addres", false, KEYS_ADDRESS },
		{ "AllowedIP", false, KEYS_ALLOWED_IPS },
		{ "AllowedIps", false, KEYS_ALLOWED_IPS },
		{ "AllowedIPAddresses", false, KEYS_UNKNOWN },
		{ "Allowed-IPs", false, KEYS_ALLOWED_IPS },
		{ "PublcKey", false, KEYS_PUBLIC_KEY },
		{ "PresharedKey ", false, KEYS_PRESHARED_KEY },
		{ "Preshared_Key", false, KEYS_PRESHARED_KEY },
		{ "PersistentKeepAlives", false, KEYS_KEEPALIVE },
		{ "Keepalive", false, KEYS_UNKNOWN },
		{ "EndPiont", false, KEYS_ENDPOINT },
		{ "LisentPort", false, KEYS_LISTEN_PORT },
		{ "PostUP1", false, KEYS_POST_UP },
		{ "DSN", false, KEYS_DNS },
		{ "MUT", false, KEYS_MTU },
		{ "KilSwitch", true, KEYS_OWN_KILL_SWITCH },
		{ "Kill-Switch", true, KEYS_OWN_KILL_SWITCH },
		{ "Killswitch", true, KEYS_OWN_KILL_SWITCH },
		{ "Killswitch", false, KEYS_UNKNOWN },
		{ "Adress", true, KEYS_UNKNOWN },
		{ "Foreward", true, KEYS_OWN_FORWARD },
		{ "xyzzy", false, KEYS_UNKNOWN },
		{ "", false, KEYS_UNKNOWN },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false, KEYS_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (keys_nearest(rows[i].name, strlen(rows[i].name), rows[i].own) != rows[i].id)
			fail_msg("%s", rows[i].name);
	}
}

static void nearest_sections(void **state)
{
	(void)state;
	assert_int_equal(keys_nearest_section("Interfaces", 10), KEYS_INTERFACE);
	assert_int_equal(keys_nearest_section("Iterface", 8), KEYS_INTERFACE);
	assert_int_equal(keys_nearest_section("Peers", 5), KEYS_PEER);
	assert_int_equal(keys_nearest_section("Peer1", 5), KEYS_PEER);
	assert_int_equal(keys_nearest_section("Server", 6), KEYS_OTHER_SECTION);
	assert_int_equal(keys_nearest_section("", 0), KEYS_OTHER_SECTION);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_found_by_its_name),
		cmocka_unit_test(spellings),
		cmocka_unit_test(nearest),
		cmocka_unit_test(nearest_sections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
