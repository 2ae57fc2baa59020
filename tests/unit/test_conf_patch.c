#include "cli/conf_patch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/bytes.h"
#include "control/uapi.h"

#define A "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define B "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define HEX_A "public_key=0101010101010101010101010101010101010101010101010101010101010101\n"
#define HEX_B "public_key=0202020202020202020202020202020202020202020202020202020202020202\n"
#define ONES "0101010101010101010101010101010101010101010101010101010101010101\n"
#define REPLACE "replace_allowed_ips=true\n"

struct heard {
	const struct conf_patch *conf;
	struct buffer words;
};

static void say(void *ctx, size_t at, const char *words, const char *hint)
{
	struct heard *h = ctx;

	(void)hint;
	buffer_printf(&h->words, "%zu:%zu %s\n", h->conf->line + 1, conf_patch_column(h->conf, at),
		      words);
}

/* An addconf: what is sent is what is written. Words begin with line and column. */
static const struct {
	const char *file;
	enum conf_outcome outcome;
	const char *words, *set;
} rows[] = {
	{ "", CONF_READ, "", "" },
	{ "\n # x\n\t\r\n", CONF_READ, "", "" },
	{ "[Interface]\nListenPort=5", CONF_READ, "", "listen_port=5\n" },
	{ "[interFACE]\r\nlistenport = 5 # five\r\n", CONF_READ, "", "listen_port=5\n" },
	{ "[ I n t e r face ]\nLis ten Port = 5\t6", CONF_READ, "", "listen_port=56\n" },
	{ "[Interface]\nListenPort=5\nListenPort=6\n", CONF_READ, "", "listen_port=6\n" },
	{ "[Interface]\nPrivateKey=" A "\nFwMark=0x10\n", CONF_READ, "",
	  "private_key=" ONES "fwmark=16\n" },
	{ "[Peer]\nPublicKey=" A "\n", CONF_READ, "", HEX_A REPLACE },
	{ "[Peer]\nPublicKey=" A "\n[Interface]\nFwMark=off\n[Peer]\nPublicKey=" B "\n", CONF_READ,
	  "", "fwmark=0\n" HEX_A REPLACE HEX_B REPLACE },
	{ "[Peer]\nPublicKey=" A "\nPublicKey=" B "\n", CONF_READ, "", HEX_B REPLACE },
	{ "[Peer]\nPublicKey=" A "\nAllowedIPs=10.0.0.0/8\nAllowedIPs=fd00::/8\n", CONF_READ, "",
	  HEX_A REPLACE "allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/8\n" },
	{ "[Peer]\nPublicKey=" A "\nAllowedIPs = +10.0.0.0/8\n", CONF_READ, "",
	  HEX_A "allowed_ip=10.0.0.0/8\n" },
	{ "[Peer]\nPublicKey=" A "\nEndpoint=[::1]:5\nPersistentKeepalive=off\nPresharedKey=" A
	  "\n",
	  CONF_READ, "",
	  HEX_A "preshared_key=" ONES
		"endpoint=[::1]:5\npersistent_keepalive_interval=0\n" REPLACE },
	{ "[Peer]\nPublicKey=" A "\nAllowedIPs = 10.0.0.0/8,  10.1.2.3/8\n", CONF_READ,
	  "3:27 Warning: AllowedIP has nonzero host part: 10.1.2.3/8\n",
	  HEX_A REPLACE "allowed_ip=10.0.0.0/8\nallowed_ip=10.1.2.3/8\n" },
	{ "ListenPort=5\n", CONF_LINE, "1:1 Line unrecognized: `ListenPort=5'\n", NULL },
	{ "[Interface]\nListenPort=\n", CONF_LINE, "2:1 Line unrecognized: `ListenPort='\n", NULL },
	{ "[Interface]\n Listen Port : 5\n", CONF_LINE, "2:2 Line unrecognized: `ListenPort:5'\n",
	  NULL },
	{ "[Interface]\nEndpoint=1.2.3.4:5\n", CONF_LINE,
	  "2:1 Line unrecognized: `Endpoint=1.2.3.4:5'\n", NULL },
	{ "[Peer]\nPrivateKey=" A "\n", CONF_LINE, "2:1 Line unrecognized: `PrivateKey=(hidden)'\n",
	  NULL },
	{ "[Interface]\nAddress=10.0.0.1/8\n", CONF_LINE,
	  "2:1 Line unrecognized: `Address=10.0.0.1/8'\n", NULL },
	{ "[Interface]\n#: KillSwitch = yes\nPrivateKey = x\n", CONF_LINE,
	  "3:14 Key is not the correct length or format: `(hidden)'\n", NULL },
	{ "[Peer]\nPublicKey = x y\n", CONF_LINE,
	  "2:13 Key is not the correct length or format: `xy'\n", NULL },
	{ "[Interface]\nPrivatKey = c2VjcmV0\n", CONF_LINE,
	  "2:1 Line unrecognized: `PrivatKey=(hidden)'\n", NULL },
	{ "[Interface]\nX = " A "\n", CONF_LINE, "2:1 Line unrecognized: `X=(hidden)'\n", NULL },
	{ "[Interface]\nX = \"" A "\"\n", CONF_LINE, "2:1 Line unrecognized: `X=(hidden)'\n",
	  NULL },
	{ "[Interface]\nPrivateKey: " A "\n", CONF_LINE, "2:1 Line unrecognized: `(hidden)'\n",
	  NULL },
	{ "[Interface]\nprivatekey c2VjcmV0\n", CONF_LINE, "2:1 Line unrecognized: `(hidden)'\n",
	  NULL },
	{ "[Interface]\nPrivateKey =\n", CONF_LINE, "2:1 Line unrecognized: `PrivateKey='\n",
	  NULL },
	{ "[Peer]\nPresharedKey\t" A "\n", CONF_LINE, "2:1 Line unrecognized: `(hidden)'\n", NULL },
	{ A "\n", CONF_LINE, "1:1 Line unrecognized: `(hidden)'\n", NULL },
	{ "[Interface]\nPostUp = wg set %i private-key <(echo " A ")\n", CONF_LINE,
	  "2:1 Line unrecognized: `PostUp=(hidden)'\n", NULL },
	{ "[Peer]\nPublicKey=" A "\nAllowedIPs = +FD00::1/008\n", CONF_READ,
	  "3:14 Warning: AllowedIP has nonzero host part: FD00::1/008\n",
	  HEX_A "allowed_ip=fd00::1/8\n" },
	{ "[Interface]\nListenPort = 5\nFwMark = x\nListenPort = y\n", CONF_LINE,
	  "3:10 Fwmark is neither 0/off nor 0-0xffffffff: `x'\n", NULL },
	{ "[Peer]\n", CONF_INVALID, "", NULL },
	{ "[Peer]\n[Peer]\nPublicKey=" A "\n", CONF_INVALID, "", NULL },
	{ "[Peer]\nPublicKey=" A "\n[Peer]\n", CONF_INVALID, "", NULL },
	{ "[Unknown]\n", CONF_LINE, "1:1 Line unrecognized: `[Unknown]'\n", NULL },
};

static void assert_sent(const struct model *patch, const char *set)
{
	struct buffer sent;

	buffer_init(&sent);
	uapi_write_patch(&sent, patch);
	buffer_append(&sent, "", 1);
	assert_true(buffer_ok(&sent));
	assert_memory_equal(sent.bytes, "set=1\n", 6);
	sent.bytes[sent.len - 2] = '\0'; /* the blank line */
	assert_string_equal(sent.bytes + 6, set);
	buffer_done(&sent);
}

static enum conf_outcome read_text(const char *text, bool append, struct model *ret,
				   struct heard *heard)
{
	struct conf_patch c;
	struct config_file f;
	enum conf_outcome outcome;

	assert_int_equal(file_parse(&f, "x.conf", text, strlen(text)), 0);
	conf_patch_init(&c, &f);
	*heard = (struct heard){ .conf = &c };
	c.settings.say = say;
	c.settings.ctx = heard;
	model_init(ret);
	outcome = conf_patch_read(&c, append, ret);
	buffer_append(&heard->words, "", 1);
	file_done(&f);
	return outcome;
}

static void each_row(void **state)
{
	struct heard heard;
	struct model m;

	(void)state;
	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		assert_int_equal(read_text(rows[i].file, true, &m, &heard), rows[i].outcome);
		assert_string_equal(heard.words.bytes, rows[i].words);
		if (rows[i].set)
			assert_sent(&m, rows[i].set);
		buffer_done(&heard.words);
		model_done(&m);
	}
}

/* A setconf says of everything what it shall be: what is not in the file is zero. */
static void what_is_not_there_is_reset(void **state)
{
	struct heard heard;
	struct model m;

	(void)state;
	assert_int_equal(read_text("[Interface]\nListenPort=7\n", false, &m, &heard), CONF_READ);
	assert_sent(&m, "private_key="
			"0000000000000000000000000000000000000000000000000000000000000000\n"
			"listen_port=7\nfwmark=0\nreplace_peers=true\n");
	buffer_done(&heard.words);
	model_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(what_is_not_there_is_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
