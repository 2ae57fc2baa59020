#include "config/complaint.h"

#include <assert.h>

static const struct complaint_row rows[COMPLAINT_COUNT] = {
	[COMPLAINT_CRLF] = { "A16", DIAG_NOTE, "lines end with CR LF" },
	[COMPLAINT_BOM] = { "A16", DIAG_WARNING, "the file begins with a byte order mark" },
	[COMPLAINT_UTF16] = { "utf-16", DIAG_ERROR, "the file is UTF-16" },
	[COMPLAINT_NUL] = { "nul-byte", DIAG_ERROR, "a NUL byte in a line" },
	[COMPLAINT_CONTROL] = { "control-character", DIAG_ERROR, "a control character in a value" },
	[COMPLAINT_RETURN] = { "carriage-return", DIAG_ERROR, "a CR without LF inside a line" },
	[COMPLAINT_COMMENT_SIGN] = { "comment-sign", DIAG_ERROR,
				     "a comment that begins with ; or //" },
	[COMPLAINT_JUNK] = { "junk-line", DIAG_ERROR, "a line that is no section, key or comment" },
	[COMPLAINT_NO_SECTION] = { "no-section", DIAG_ERROR, "a key before the first section" },
	[COMPLAINT_SECTION] = { "unknown-section", DIAG_ERROR, "neither [Interface] nor [Peer]" },
	[COMPLAINT_INTERFACE_TWICE] = { "interface-twice", DIAG_WARNING,
					"[Interface] comes twice" },
	[COMPLAINT_KEY] = { "unknown-key", DIAG_ERROR, "a key that nobody knows" },
	[COMPLAINT_WRONG_SECTION] = { "wrong-section", DIAG_ERROR, "a key of the other section" },
	[COMPLAINT_TWICE] = { "key-twice", DIAG_WARNING,
			      "a key that comes twice; the last counts" },
	[COMPLAINT_BLANKS] = { "split-word", DIAG_ERROR,
			       "blanks inside a word that wg-quick reads" },
	[COMPLAINT_EMPTY] = { "A8", DIAG_ERROR, "a key without a value" },
	[COMPLAINT_EMPTY_QUICK] = { "A8", DIAG_NOTE, "a key of wg-quick without a value" },
	[COMPLAINT_KEY_FORMAT] = { "A9", DIAG_ERROR, "not a key" },
	[COMPLAINT_PLACEHOLDER] = { "A9", DIAG_ERROR, "a placeholder that was not filled in" },
	[COMPLAINT_PORT] = { "bad-port", DIAG_ERROR, "not a port" },
	[COMPLAINT_SERVICE] = { "service-name", DIAG_WARNING,
				"the name of a service instead of a port" },
	[COMPLAINT_FWMARK] = { "bad-fwmark", DIAG_ERROR, "not a mark" },
	[COMPLAINT_KEEPALIVE] = { "bad-keepalive", DIAG_ERROR, "not an interval" },
	[COMPLAINT_ENDPOINT] = { "bad-endpoint", DIAG_ERROR, "not host:port" },
	[COMPLAINT_BRACKETS] = { "v6-brackets", DIAG_WARNING, "an IPv6 endpoint without brackets" },
	[COMPLAINT_ALLOWED_IPS] = { "bad-allowed-ips", DIAG_ERROR, "not an address or network" },
	[COMPLAINT_ADDRESS] = { "bad-address", DIAG_ERROR, "not an address" },
	[COMPLAINT_DNS] = { "bad-dns", DIAG_ERROR, "neither an address nor a domain" },
	[COMPLAINT_MTU] = { "bad-mtu", DIAG_ERROR, "not an MTU" },
	[COMPLAINT_TABLE] = { "bad-table", DIAG_ERROR, "not a routing table" },
	[COMPLAINT_TABLE_NAME] = { "bad-table", DIAG_NOTE, "a routing table by its name" },
	[COMPLAINT_SAVE_CONFIG] = { "bad-save-config", DIAG_ERROR, "neither true nor false" },
	[COMPLAINT_NO_PUBLIC_KEY] = { "no-public-key", DIAG_ERROR, "a peer without a public key" },
	[COMPLAINT_AMNEZIA] = { "A17", DIAG_ERROR, "a file for AmneziaWG" },
	[COMPLAINT_OTHER_PROGRAM] = { "other-program", DIAG_ERROR, "a file for another program" },
	[COMPLAINT_OPENWRT_LIST] = { "A19", DIAG_WARNING, "commas within one item of a list" },
	[COMPLAINT_OWN_KEY] = { "own-key", DIAG_ERROR, "not one of the keys behind #:" },
	[COMPLAINT_OWN_PLACE] = { "own-place", DIAG_ERROR, "a key behind #: in the wrong place" },
	[COMPLAINT_OWN_VALUE] = { "own-value", DIAG_ERROR, "a wrong value of a key behind #:" },
	[COMPLAINT_OWN_SIGN] = { "own-sign", DIAG_WARNING, "a key of Warren without #: before it" },
};

const struct complaint_row *complaint_row(enum complaint c)
{
	assert(c < COMPLAINT_COUNT);
	return &rows[c];
}
