#include "config/tunnel_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "config/complaint.h"

#define KEY_A "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="
#define KEY_B "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
#define IFACE "[Interface]\n"
#define PEER "[Peer]\nPublicKey = " KEY_B "\n"

struct loaded {
	struct config_file file;
	struct tunnel tunnel;
	struct diags diags;
};

static void load(struct loaded *l, const char *text, size_t len)
{
	assert_int_equal(file_parse(&l->file, "/etc/wireguard/wg0.conf", text, len), 0);
	diags_init(&l->diags);
	assert_true(tunnel_read(&l->file, &l->tunnel, &l->diags));
}

static void unload(struct loaded *l)
{
	tunnel_done(&l->tunnel);
	diags_done(&l->diags);
	file_done(&l->file);
}

/* "line:column+length id; " of each diag */
static void list_diags(const struct diags *d, char *ret, size_t size)
{
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < d->count; ++i) {
		const struct diag *row = &d->rows[i];
		const int n = snprintf(ret + len, size - len, "%s%u:%u+%u %s", i ? "; " : "",
				       row->line, row->column, row->length, row->id);

		assert_in_range(n, 1, size - len - 1);
		len += (size_t)n;
	}
}

struct row {
	const char *text;
	const char *diags;
};

static void check_rows(const struct row *rows, size_t count)
{
	char listed[2000];
	struct loaded l;

	for (size_t i = 0; i < count; ++i) {
		load(&l, rows[i].text, strlen(rows[i].text));
		list_diags(&l.diags, listed, sizeof(listed));
		if (strcmp(listed, rows[i].diags) != 0)
			fail_msg("row %zu:\n%s\nsays %s\n not %s", i, rows[i].text, listed,
				 rows[i].diags);
		for (size_t j = 0; j < l.diags.count; ++j) {
			assert_string_equal(l.diags.rows[j].file, "/etc/wireguard/wg0.conf");
			assert_int_not_equal(l.diags.rows[j].text[0], '\0');
			assert_true(strlen(l.diags.rows[j].text) < DIAG_TEXT - 1);
			assert_true(strlen(l.diags.rows[j].hint) < DIAG_TEXT - 1);
		}
		unload(&l);
	}
}

static void healthy_files(void **state)
{
	static const struct row rows[] = {
		{ "", "" },
		{ "\n\n# only a remark\n", "" },
		{ IFACE "PrivateKey = " KEY_A "\n", "" },
		{ IFACE "PrivateKey=" KEY_A, "" },
		{ "[INTERFACE]\nprivatekey=" KEY_A "\n[peer]\nPUBLICKEY=" KEY_B "\n", "" },
		{ "  [Interface]  # ours\n\tPrivateKey\t=\t" KEY_A "\t# secret\n", "" },
		{ "[ I n t e r f a c e ]\nPrivate Key = " KEY_A "\n[ P e e r ]\nPublic Key=" KEY_B
		  "\n",
		  "" },
		{ IFACE "ListenPort = 0\nListenPort2 = 1\n", "3:1+11 unknown-key" },
		{ IFACE "ListenPort = 65535\nFwMark = 0xca6c\n", "" },
		{ IFACE "FwMark = off\n", "" },
		{ IFACE "Address = 10.0.0.1/24, fd00::1/64\nAddress = 10.9.9.9\n", "" },
		{ IFACE "Address = 10.0.0.1/24 fd00::1/64\n", "" },
		{ IFACE "DNS = 1.1.1.1, 2606:4700:4700::1111, corp.example ~lan\n", "" },
		{ IFACE "DNS = 1.1.1.1,\n", "" },
		{ IFACE "MTU = 1280\nTable = off\nSaveConfig = true\n", "" },
		{ IFACE "Table = auto\n[Interface]\n", "3:2+9 interface-twice" },
		{ IFACE "Table = main\n", "" },
		{ IFACE "Table = 51820\n", "" },
		{ IFACE "Table = 0x1f\n", "" },
		{ IFACE "PostUp = iptables -A FORWARD -i %i -j ACCEPT; echo \"$X\" <x >&2 # \t|\n",
		  "" },
		{ IFACE "PreUp = a\nPreUp = b\nPostDown=c\n", "" },
		{ PEER "AllowedIPs = 0.0.0.0/0, ::/0\nAllowedIPs = +10.0.0.0/8, -1.2.3.4\n", "" },
		{ PEER "AllowedIPs = 1 0 . 0.0.0 / 8\n", "" },
		{ PEER "Endpoint = vpn.example.org:51820\n", "" },
		{ PEER "Endpoint = [2001:db8::1]:51820\n", "" },
		{ PEER "Endpoint = [fe80::1%eth0]:51820\n", "" },
		{ PEER "Endpoint = m\xc3\xbcller.example:1\n", "" },
		{ PEER "Endpoint = xn--mller-kva.example:1\n", "" },
		{ PEER "Endpoint = under_score.example:1\n", "" },
		{ PEER "PersistentKeepalive = off\n", "" },
		{ PEER "PersistentKeepalive = 65535\nPresharedKey = " KEY_A "\n", "" },
		{ "[Peer]\nPublicKey = " KEY_B "\n#:::::: a line of signs\n#: \n#:\n", "" },
		{ IFACE "#: KillSwitch = yes\n#: forward=NO # for now\n#:Masquerade = no\n"
			"#: ExcludedIPs = 10.0.0.0/8, fd00::/8\n#: MssClamp = 1360\n"
			"#: OpenPort = 22/tcp 53/udp, 80\n#: Reresolve = no\n",
		  "" },
		{ IFACE "#: KillSwitch = lan\n#: MssClamp = yes\n##: Forward = yes\n", "" },
		{ PEER "#: Name = bob #1\n", "" },
		{ PEER "# Name = bob\n# Forward this to Bob\n", "" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

static void encodings(void **state)
{
	static const struct row rows[] = {
		{ "\xef\xbb\xbf" IFACE "MTU = x\n", "1:1+1 A16; 2:7+1 bad-mtu" },
		{ "\xef\xbb\xbf", "1:1+0 A16" },
		{ "\xef\xbb\xbf\n\n", "1:1+0 A16" },
		{ "[Interface]\r\nMTU = 1400\r\n", "1:0+0 A16" },
		{ "[Interface]\nMTU = 1400\r\n", "2:0+0 A16" },
		{ "[Interface]\nMTU = 1400\r", "" },
		{ "[Interface]\rMTU = 1400\r", "1:12+1 carriage-return" },
		{ "# a\rb\n[Interface]\n", "" },
		{ "\xff\xfe[\n", "1:0+0 utf-16" },
		{ "\xfe\xff\n", "1:0+0 utf-16" },
		{ IFACE "# caf\xe9\nPostUp = echo caf\xe9\n", "" },
		{ IFACE "PostUp = a\x1b[2J\n", "2:11+1 control-character" },
		{ IFACE "PostUp = a\xc2\x85"
			"b\n",
		  "2:11+1 control-character" },
		{ IFACE "PostUp = a\xe2\x80\xa8"
			"b\n",
		  "2:11+1 control-character" },
		{ IFACE "MTU = 14\xc2\xa0"
			"00\n",
		  "2:7+6 bad-mtu" },
	};
	char listed[200];
	struct loaded l;

	(void)state;
	check_rows(rows, ELEMENTS(rows));
	load(&l,
	     IFACE "MTU = 1\0"
		   "400\n# \0\n",
	     sizeof(IFACE "MTU = 1\0"
			  "400\n# \0\n") -
		     1);
	list_diags(&l.diags, listed, sizeof(listed));
	assert_string_equal(listed, "2:8+1 nul-byte");
	unload(&l);
}

static void structure(void **state)
{
	static const struct row rows[] = {
		{ "; remark\n// remark\n; a = b\n",
		  "1:1+8 comment-sign; 2:1+9 comment-sign; 3:1+7 comment-sign" },
		{ "junk\n= x\n", "1:1+4 junk-line; 2:1+3 junk-line" },
		{ IFACE "ListenPort 51820\nPrivateKey: " KEY_A "\n",
		  "2:1+16 junk-line; 3:1+56 junk-line" },
		{ "ListenPort = 1\n#: KillSwitch = yes\n", "1:1+10 no-section; 2:4+10 own-place" },
		{ "[Interfaces]\nMTU = x\nTabel = off\n",
		  "1:1+12 unknown-section; 2:7+1 bad-mtu; 3:1+5 unknown-key" },
		{ "[Peer\nPublicKey = " KEY_B "\n", "1:1+5 unknown-section" },
		{ "[Interface\nMTU = 1400\n", "1:1+10 unknown-section" },
		{ "[[Interface]]\nMTU = 1400\n", "1:1+13 unknown-section" },
		{ "[]\n[ ]\n", "1:1+2 unknown-section; 2:1+3 unknown-section" },
		{ "[Socks5]\nBindAddress = 1\n#: KillSwitch = yes\n",
		  "1:1+8 unknown-section; 3:4+10 own-place" },
		{ "[NetDev]\nName = wg0\n[WireGuard]\nPrivateKey = x\n", "1:1+8 other-program" },
		{ "config interface 'wg0'\n\toption private_key '" KEY_A "'\n"
		  "\tlist addresses '10.0.0.1/24,10.0.1.1/24'\n\tlist allowed_ips '::/0'\n",
		  "1:1+22 other-program; 3:2+40 A19" },
		{ IFACE "Jc = 4\nS1 = 2\nH1 = 3\n[Peer]\nPublicKey = " KEY_B "\n", "2:1+2 A17" },
		{ IFACE "IncludedApplications = a\nFirewallMark = 1\n",
		  "2:1+20 other-program; 3:1+12 other-program" },
		{ IFACE "Adress = 1.2.3.4\nKillSwitch = yes\n",
		  "2:1+6 unknown-key; 3:1+10 unknown-key" },
		{ IFACE "PublicKey = " KEY_B "\n", "2:1+9 wrong-section" },
		{ PEER "MTU = 1\nPostUp = x # y\nListenPort = 3\n",
		  "3:1+3 wrong-section; 4:1+6 wrong-section; 5:1+10 wrong-section" },
		{ IFACE "MTU = 1280\nMTU = 1400\nListenPort=1\n[Peer]\nPublicKey=" KEY_B
			"\n[Peer]\nPublicKey=" KEY_B "\n[Interface]\nListenPort=2\n",
		  "3:1+3 key-twice; 9:2+9 interface-twice; 10:1+10 key-twice" },
		{ "[ Interface ]\nPost Up = x\nMTU = 1400\n",
		  "2:1+7 split-word; 1:3+9 split-word" },
		{ "[Interface ]\nMTU = 1400\nMTU =1400\n", "1:2+9 split-word; 3:1+3 key-twice" },
		{ IFACE "PrivateKey =\nListenPort = # 3\nDNS =\nMTU=\nSaveConfig=\nPostUp =\n",
		  "2:1+10 A8; 3:1+10 A8; 4:1+3 A8; 5:1+3 A8; 6:1+10 A8; 7:1+6 A8" },
		{ "[Peer]\nAllowedIPs = ::/0\n[Peer]\nPublicKey = x\n[Peer]\n",
		  "1:2+4 no-public-key; 4:13+1 A9; 5:2+4 no-public-key" },
		{ "[Peer]\nPublicKey =\n", "2:1+9 A8" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

static void values(void **state)
{
	static const struct row rows[] = {
		{ IFACE "ListenPort = 65536\n", "2:14+5 bad-port" },
		{ IFACE "ListenPort = -1\n", "2:14+2 bad-port" },
		{ IFACE "ListenPort = domain\n", "2:14+6 service-name" },
		{ IFACE "ListenPort = \"1\"\n", "2:14+3 bad-port" },
		{ IFACE "FwMark = 0x\nFwMark = 0X10\n",
		  "2:10+2 bad-fwmark; 3:1+6 key-twice; 3:10+4 bad-fwmark" },
		{ IFACE "MTU = 67\n", "2:7+2 bad-mtu" },
		{ IFACE "MTU = ${MTU}\n", "2:7+6 A9" },
		{ IFACE "Table = 0\n", "2:9+1 bad-table" },
		{ IFACE "Table = OFF\n", "2:9+3 bad-table" },
		{ IFACE "Table = Auto\n", "2:9+4 bad-table" },
		{ IFACE "Table = vpn\n", "2:9+3 bad-table" },
		{ IFACE "SaveConfig = yes\n", "2:14+3 bad-save-config" },
		{ IFACE "Address = 10.0.0.1/33, 10.0.0.256, +10.0.0.1, <ip>\n",
		  "2:11+11 bad-address; 2:24+10 bad-address; 2:36+9 bad-address; 2:47+4 A9" },
		{ IFACE "DNS = 1.1.1, a/b, fe80::1%x, -x\n",
		  "2:7+5 bad-dns; 2:14+3 bad-dns; 2:19+9 bad-dns; 2:30+2 bad-dns" },
		{ PEER "AllowedIPs = a.example, 10.0.0.0/33,,10.0.0.0/255.0.0.0\n",
		  "3:14+9 bad-allowed-ips; 3:25+11 bad-allowed-ips; 3:37+0 bad-allowed-ips; "
		  "3:38+18 bad-allowed-ips" },
		{ PEER "AllowedIPs = 10.0.0.0/8,\n", "3:25+0 bad-allowed-ips" },
		{ PEER "Endpoint = 1.2.3.4\n", "3:12+7 bad-endpoint" },
		{ PEER "Endpoint = [::1]\n", "3:12+5 bad-endpoint" },
		{ PEER "Endpoint = [::1:5\n", "3:12+6 bad-endpoint" },
		{ PEER "Endpoint = :5\n", "3:12+2 bad-endpoint" },
		{ PEER "Endpoint = 1.2.3.400:5\n", "3:12+11 bad-endpoint" },
		{ PEER "Endpoint = http://a.example:5\n", "3:12+18 bad-endpoint" },
		{ PEER "Endpoint = a.example:70000\n", "3:12+15 bad-endpoint" },
		{ PEER "Endpoint = a.example:5/udp\n", "3:12+15 bad-endpoint" },
		{ PEER "Endpoint = a.example:domain\n", "3:12+16 service-name" },
		{ PEER "Endpoint = <server>:51820\n", "3:12+14 A9" },
		{ PEER "Endpoint = 2001:db8::1:51820\n", "3:12+17 v6-brackets" },
		{ PEER "PersistentKeepalive = 65536\n", "3:23+5 bad-keepalive" },
		{ PEER "PersistentKeepalive = 25s\n", "3:23+3 bad-keepalive" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

/* A typo must never drop a protection in silence. */
static void own_keys(void **state)
{
	static const struct row rows[] = {
		{ IFACE "#: Killswich = yes\n", "2:4+9 own-key" },
		{ IFACE "#: KillSwitch yes\n", "2:4+14 own-key" },
		{ IFACE "#: KillSwitch\n", "2:4+10 own-value" },
		{ IFACE "#: KillSwitch =\n", "2:4+10 own-value" },
		{ IFACE "#: KillSwitch = # yes\n", "2:4+10 own-value" },
		{ IFACE "#: KillSwitch = true\n", "2:17+4 own-value" },
		{ IFACE "#: KillSwitch = yess\n", "2:17+4 own-value" },
		{ IFACE "#: Forward = on\n", "2:14+2 own-value" },
		{ IFACE "#: something = else\n", "2:4+9 own-key" },
		{ IFACE "#: MTU = 1400\n", "2:4+3 own-key" },
		{ IFACE "# KillSwitch = yes\n", "2:1+18 own-sign" },
		{ IFACE "#; KillSwitch = yes\n", "2:1+19 own-sign" },
		{ IFACE "#:: KillSwitch = yes\n", "2:1+20 own-sign" },
		{ IFACE "MTU = 1400 #: KillSwitch = yes\n", "2:12+19 own-place" },
		{ "[Interface] #: KillSwitch = yes\n", "1:13+19 own-place" },
		{ IFACE "#: Name = x\n", "2:4+4 own-place" },
		{ PEER "#: KillSwitch = yes\n", "3:4+10 own-place" },
		{ IFACE "#: KillSwitch = yes\n#: KillSwitch = no\n", "3:4+10 key-twice" },
		{ IFACE "#: ExcludedIPs = 10.0.0.0/8 x -1.2.3.4\n",
		  "2:29+1 own-value; 2:31+8 own-value" },
		{ IFACE "#: OpenPort = 0, 5/sctp, a, 70000\n",
		  "2:15+1 own-value; 2:18+6 own-value; 2:26+1 own-value; 2:29+5 own-value" },
		{ IFACE "#: MssClamp = 1\n", "2:15+1 own-value" },
		{ PEER "#: Name = a\x1b"
		       "b\n#: Name = a\xff\n",
		  "3:11+3 own-value; 4:4+4 key-twice; 4:11+2 own-value" },
	};

	(void)state;
	check_rows(rows, ELEMENTS(rows));
}

static void key_reasons(void **state)
{
	static const struct {
		const char *value;
		const char *text;
	} rows[] = {
		{ "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk", "the '=' at the end" },
		{ "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBg=", "38 characters instead of 44" },
		{ "\"" KEY_A "\"", "in quotes" },
		{ "'" KEY_A "'", "in quotes" },
		{ "<key>", "placeholder" },
		{ "YOUR_PRIVATE_KEY", "placeholder" },
		{ "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "placeholder" },
		{ "yAnz5TF-lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=", "character 8 is not" },
		{ "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBml=", "last characters" },
		{ "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmkk", "last characters" },
		{ "0000000000000000000000000000000000000000000000000000000000000000",
		  "hexadecimal" },
		{ KEY_A KEY_A, "88 characters" },
	};
	char text[400];
	struct loaded l;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		(void)snprintf(text, sizeof(text), IFACE "PrivateKey = %s\n", rows[i].value);
		load(&l, text, strlen(text));
		assert_int_equal(l.diags.count, 1);
		assert_string_equal(l.diags.rows[0].id, "A9");
		if (!strstr(l.diags.rows[0].text, rows[i].text))
			fail_msg("row %zu says %s", i, l.diags.rows[0].text);
		assert_false(l.tunnel.model.has_private_key);
		unload(&l);
	}
}

/* No six characters of a key in any diag, wherever the key stands. */
static void assert_tells_nothing(const char *text, size_t len, const char *secret)
{
	struct loaded l;
	char part[7] = "";

	load(&l, text, len);
	for (size_t i = 0; i < l.diags.count; ++i) {
		for (size_t at = 0; at + 6 < strlen(secret); ++at) {
			memcpy(part, secret + at, 6);
			if (strstr(l.diags.rows[i].text, part) ||
			    strstr(l.diags.rows[i].hint, part))
				fail_msg("%s: %s", text, l.diags.rows[i].text);
		}
	}
	unload(&l);
}

static void fs10_no_diag_tells_a_key(void **state)
{
	static const char *const forms[] = {
		"%s\n",
		"[%s]\n",
		"PrivateKey: %s\n",
		"PrivateKey %s\n",
		"PrivateKey = \"%s\"\n",
		"PrivateKey = %sx\n",
		"private_key = %s\n",
		"Key %s = %s\n",
		"PresharedKey = %s\n",
		"#: %s\n",
		"#: %s = yes\n",
		"#: KillSwitch = %s\n",
		"option private_key '%s'\n",
		"; PrivateKey = %s\n",
		"%s = %s\n",
		"ListenPort = %s\n",
		"FwMark = %s\n",
		"Address = %s\n",
		"DNS = %s\n",
		"MTU = %s\n",
		"Table = %s\n",
		"SaveConfig = %s\n",
		"Endpoint = %s\n",
		"Endpoint = %s:51820\n",
		"AllowedIPs = %s\n",
		"AllowedIPs = 1.2.3.4,%s\n",
		"PersistentKeepalive = %s\n",
		"Jc = %s\n",
		"PostUp = \x01%s\n",
	};
	/* the last two are made of what names of hosts are made of */
	static const char *const secrets[] = { KEY_A, "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk",
					       "yAnz5TFAlXXJte14tji3zlMNqAhd2rYUIgJBgB3fBmk",
					       "yAnz5TFAlXXJte14tji3zlMNqAhd2r" };
	char text[400];
	int n;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(forms) * ELEMENTS(secrets) * 2; ++i) {
		const char *secret = secrets[i % ELEMENTS(secrets)];

		n = snprintf(text, sizeof(text), "%s", i / ELEMENTS(secrets) % 2 ? IFACE : PEER);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		n += snprintf(text + n, sizeof(text) - (size_t)n, forms[i / ELEMENTS(secrets) / 2],
			      secret, secret);
#pragma GCC diagnostic pop
		assert_tells_nothing(text, (size_t)n, secret);
	}
}

static void reads_everything(void **state)
{
	static const char text[] =
		IFACE "PrivateKey = " KEY_A "\nListenPort = 51820\nFwMark = 0xca6c\n"
		      "Address = 10.0.0.1/24, fd00::1\nDNS = 1.1.1.1, lan\nMTU = 1400\nTable = 7\n"
		      "PreUp = a\nPostUp = b # c\nPreDown = d\nPostDown = e\nSaveConfig = TRUE\n"
		      "#: KillSwitch = lan\n#: OpenPort = 22/tcp\n#: Reresolve = no\n"
		      "# laptop\n[Peer]\n# friendly_name = Bob's\nPublicKey = " KEY_B
		      "\nPresharedKey = " KEY_A "\nAllowedIPs = 10.0.0.7/24, -fd00::/8\n"
		      "Endpoint = 192.0.2.1:99\nPersistentKeepalive = 25\n\n# end\n"
		      "[Peer]\nPublicKey = " KEY_A "\nEndpoint = Vpn.Example:51820\n";
	const struct tunnel *t;
	struct loaded l;
	char key[TEXT_KEY_BASE64];

	(void)state;
	load(&l, text, sizeof(text) - 1);
	t = &l.tunnel;
	assert_int_equal(l.diags.count, 0);
	assert_string_equal(t->name, "wg0");
	text_base64_from_key(t->model.private_key.bytes, key);
	assert_string_equal(key, KEY_A);
	assert_int_equal(t->model.listen_port, 51820);
	assert_int_equal(t->model.fwmark, 0xca6c);
	assert_int_equal(t->addresses.count, 2);
	assert_int_equal(t->addresses.rows[0].prefix.bits, 24);
	assert_int_equal(t->addresses.rows[0].prefix.ip.bytes[3], 1);
	assert_true(t->addresses.rows[0].has_bits);
	assert_int_equal(t->addresses.rows[1].prefix.bits, 128);
	assert_false(t->addresses.rows[1].has_bits);
	assert_int_equal(t->addresses.rows[1].at.line, 5);
	assert_int_equal(t->addresses.rows[1].at.column, 24);
	assert_int_equal(t->addresses.rows[1].at.length, 7);
	assert_int_equal(t->dns.count, 1);
	assert_int_equal(t->dns.rows[0].prefix.ip.bytes[0], 1);
	assert_string_equal(t->search.rows[0].text, "lan");
	assert_int_equal(t->mtu, 1400);
	assert_int_equal(t->table, TUNNEL_TABLE_NUMBER);
	assert_int_equal(t->table_number, 7);
	assert_string_equal(t->hooks[TUNNEL_PRE_UP].rows[0].text, "a");
	assert_string_equal(t->hooks[TUNNEL_POST_UP].rows[0].text, "b # c");
	assert_string_equal(t->hooks[TUNNEL_PRE_DOWN].rows[0].text, "d");
	assert_string_equal(t->hooks[TUNNEL_POST_DOWN].rows[0].text, "e");
	assert_true(t->save_config);
	assert_int_equal(t->own.kill_switch, TUNNEL_KILL_ON_BUT_LAN);
	assert_false(t->own.reresolve);
	assert_int_equal(t->own.open.rows[0].port, 22);
	assert_true(t->own.open.rows[0].tcp);
	assert_false(t->own.open.rows[0].udp);
	assert_int_equal(t->model.peer_count, 2);
	assert_string_equal(t->peers[0].name.text, "Bob's");
	assert_int_equal(t->peers[0].at.line, 18);
	assert_int_equal(t->peers[0].end.line, 24);
	assert_true(t->model.peers[0].has_preshared_key);
	assert_int_equal(t->model.peers[0].allowed_count, 2);
	assert_int_equal(t->model.peers[0].allowed[0].prefix.ip.bytes[3], 0);
	assert_int_equal(t->peers[0].allowed.rows[0].prefix.ip.bytes[3], 7);
	assert_true(t->model.peers[0].allowed[1].remove);
	assert_int_equal(t->peers[0].allowed.rows[1].sign, '-');
	assert_false(t->model.peers[0].replace_allowed);
	assert_true(t->model.peers[0].has_endpoint);
	assert_int_equal(t->model.peers[0].endpoint.port, 99);
	assert_int_equal(t->model.peers[0].keepalive, 25);
	assert_true(t->model.peers[1].replace_allowed);
	assert_false(t->model.peers[1].has_endpoint);
	assert_string_equal(t->peers[1].endpoint_host, "Vpn.Example");
	assert_int_equal(t->peers[1].endpoint_port, 51820);
	unload(&l);
}

static void last_line_of_several_counts(void **state)
{
	static const char text[] =
		IFACE "MTU = 1280\nMTU = 1400\nTable = x\nTable = off\n" PEER
		      "Endpoint = a.example:1\nEndpoint = 1.2.3.4:2\n"
		      "AllowedIPs = +1.2.3.4\nAllowedIPs = 5.6.7.8\n" PEER
		      "Endpoint = 1.2.3.4:2\nEndpoint = a.example:domain\n"
		      "Endpoint = wrong\n" PEER "Endpoint = 1.2.3.4:2\nEndpoint = wrong\n";
	struct loaded l;

	(void)state;
	load(&l, text, sizeof(text) - 1);
	assert_int_equal(l.tunnel.mtu, 1400);
	assert_int_equal(l.tunnel.table, TUNNEL_TABLE_OFF);
	assert_null(l.tunnel.table_name);
	assert_string_equal(l.tunnel.peers[0].endpoint_host, "1.2.3.4");
	assert_int_equal(l.tunnel.model.peers[0].endpoint.port, 2);
	assert_true(l.tunnel.model.peers[0].replace_allowed);
	assert_int_equal(l.tunnel.model.peers[0].allowed_count, 2);
	assert_null(l.tunnel.peers[1].endpoint_host);
	assert_false(l.tunnel.model.peers[1].has_endpoint);
	assert_false(l.tunnel.model.peers[2].has_endpoint);
	unload(&l);
}

static void fc5_names_of_interfaces(void **state)
{
	static const struct {
		const char *path;
		const char *name;
	} rows[] = {
		{ "/etc/wireguard/wg0.conf", "wg0" },
		{ "wg0.conf", "wg0" },
		{ "./a=b_c+d.e-f.conf", "a=b_c+d.e-f" },
		{ "", "" },
		{ "wg0", "" },
		{ "/x.conf/wg0", "" },
		{ ".conf", "" },
		{ "..conf", "" },
		{ "...conf", "" },
		{ "wg 0.conf", "" },
		{ "a23456789012345.conf", "a23456789012345" },
		{ "a234567890123456.conf", "" },
		{ "../wg0.conf", "wg0" },
		{ "w\ng.conf", "" },
		{ "wg0.conf.conf", "wg0.conf" },
	};
	struct tunnel t;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		tunnel_init(&t);
		assert_true(tunnel_set_path(&t, rows[i].path));
		assert_string_equal(t.name, rows[i].name);
		assert_string_equal(t.path, rows[i].path);
		tunnel_done(&t);
	}
}

static void complaints_have_ids(void **state)
{
	(void)state;
	for (enum complaint c = 0; c < COMPLAINT_COUNT; ++c) {
		const struct complaint_row *row = complaint_row(c);

		assert_non_null(row->id);
		assert_non_null(row->title);
		assert_int_not_equal(row->severity, DIAG_NONE);
		for (const char *p = row->id; *p; ++p)
			assert_true((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') ||
				    *p == '-' || (p == row->id && *p >= 'A' && *p <= 'I'));
	}
}

static void many_diags_are_counted(void **state)
{
	const size_t lines = DIAGS_MAX + 5;
	char *text = malloc(lines * 2);
	struct loaded l;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < lines; ++i)
		memcpy(text + 2 * i, "x\n", 2);
	load(&l, text, lines * 2);
	assert_int_equal(l.diags.count, DIAGS_MAX);
	assert_int_equal(l.diags.left_out, 5);
	assert_int_equal(l.diags.errors, lines);
	unload(&l);
	free(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_files),
		cmocka_unit_test(encodings),
		cmocka_unit_test(structure),
		cmocka_unit_test(values),
		cmocka_unit_test(own_keys),
		cmocka_unit_test(key_reasons),
		cmocka_unit_test(fs10_no_diag_tells_a_key),
		cmocka_unit_test(reads_everything),
		cmocka_unit_test(last_line_of_several_counts),
		cmocka_unit_test(fc5_names_of_interfaces),
		cmocka_unit_test(complaints_have_ids),
		cmocka_unit_test(many_diags_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
