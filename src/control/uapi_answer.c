#include "control/uapi_answer.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "control/sockaddr.h"
#include "control/uapi_report.h"
#include "crypto/crypto.h"

/* 0, -EPROTO or -ENOMEM. A peer's parser finds its peer at the end of the model. */
typedef int value_parser(struct uapi_answer *a, char *value);

static struct model_peer *last_peer(struct uapi_answer *a)
{
	return &a->model->peers[a->model->peer_count - 1];
}

/* As wg(8) reads one: leading zeros are fine, what is too big for 64 bits is their maximum. */
static int parse_number(const char *value, uint64_t max, uint64_t *ret)
{
	uint64_t number = 0;

	if (!*value)
		return -EPROTO;
	for (; *value; ++value) {
		const unsigned int digit = (unsigned int)(unsigned char)*value - '0';

		if (digit > 9)
			return -EPROTO;
		number = number > (UINT64_MAX - digit) / 10 ? UINT64_MAX : 10 * number + digit;
	}
	if (number > max)
		return -EPROTO;
	*ret = number;
	return 0;
}

static int parse_key(const char *value, uint8_t ret[static KEY_LEN])
{
	return text_hex_to_bytes(value, ret, KEY_LEN) ? 0 : -EPROTO;
}

static int parse_private_key(struct uapi_answer *a, char *value)
{
	a->model->has_private_key = true;
	return parse_key(value, a->model->private_key.bytes);
}

static int parse_listen_port(struct uapi_answer *a, char *value)
{
	uint64_t port;

	if (parse_number(value, UINT16_MAX, &port) < 0)
		return -EPROTO;
	a->model->listen_port = (uint16_t)port;
	a->model->has_listen_port = true;
	return 0;
}

static int parse_fwmark(struct uapi_answer *a, char *value)
{
	uint64_t mark;

	if (parse_number(value, UINT32_MAX, &mark) < 0)
		return -EPROTO;
	a->model->fwmark = (uint32_t)mark;
	a->model->has_fwmark = true;
	return 0;
}

static int parse_public_key(struct uapi_answer *a, char *value)
{
	struct key_public key;
	struct model_peer *peer;

	if (parse_key(value, key.bytes) < 0 || a->model->peer_count >= UAPI_PEERS_MAX)
		return -EPROTO;
	peer = model_add_peer(a->model);
	if (!peer)
		return -ENOMEM;
	peer->public_key = key;
	return 0;
}

static int parse_preshared_key(struct uapi_answer *a, char *value)
{
	struct model_peer *p = last_peer(a);

	if (parse_key(value, p->preshared_key.bytes) < 0)
		return -EPROTO;
	p->has_preshared_key = !crypto_is_zero(p->preshared_key.bytes, KEY_LEN);
	return 0;
}

/* "host:port" or "[host]:port" in two, at the last colon. */
static bool split_endpoint(char *value, char **ret_host, char **ret_port)
{
	const bool bracketed = value[0] == '[';
	char *end = bracketed ? strchr(value, ']') : strrchr(value, ':');

	if (!end)
		return false;
	*end++ = '\0';
	if (bracketed && *end++ != ':')
		return false;
	*ret_host = value + bracketed;
	*ret_port = end;
	return *end != '\0';
}

/* The forms that only the system's own parser knows: port 0, "127.1", a bare v6 address. */
static int parse_odd_endpoint(char *value, struct endpoint *ret)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_DGRAM,
					.ai_protocol = IPPROTO_UDP };
	struct addrinfo *found;
	char *host, *port;
	bool good;

	if (!split_endpoint(value, &host, &port) || getaddrinfo(host, port, &hints, &found) != 0)
		return -EPROTO;
	good = sockaddr_to_endpoint(found->ai_addr, found->ai_addrlen, ret);
	freeaddrinfo(found);
	return good ? 0 : -EPROTO;
}

static int parse_endpoint(struct uapi_answer *a, char *value)
{
	struct model_peer *p = last_peer(a);

	if (!text_to_endpoint(value, &p->endpoint) && parse_odd_endpoint(value, &p->endpoint) < 0)
		return -EPROTO;
	p->has_endpoint = true;
	return 0;
}

static int parse_keepalive(struct uapi_answer *a, char *value)
{
	uint64_t seconds;

	if (parse_number(value, UINT16_MAX, &seconds) < 0)
		return -EPROTO;
	last_peer(a)->keepalive = (uint16_t)seconds;
	last_peer(a)->has_keepalive = true;
	return 0;
}

static int parse_allowed_ip(struct uapi_answer *a, char *value)
{
	char *slash = strchr(value, '/');
	struct prefix prefix = { 0 };
	uint64_t bits;

	if (!slash || ++a->rows > UAPI_ANSWER_ROWS_MAX)
		return -EPROTO;
	*slash = '\0';
	if (!text_to_ip(value, &prefix.ip) ||
	    parse_number(slash + 1, ip_bits(&prefix.ip), &bits) < 0)
		return -EPROTO;
	prefix.bits = (uint8_t)bits;
	return model_add_allowed(last_peer(a), &prefix, false) ? 0 : -ENOMEM;
}

/* The two halves of a time come in any order; one that is beyond the year 2554 stays there. */
static int parse_handshake_sec(struct uapi_answer *a, char *value)
{
	struct model_peer *p = last_peer(a);
	uint64_t seconds;

	if (parse_number(value, INT64_MAX, &seconds) < 0)
		return -EPROTO;
	if (seconds > UINT64_MAX / NS_PER_S - 1)
		seconds = UINT64_MAX / NS_PER_S - 1;
	p->handshake_real = seconds * NS_PER_S + p->handshake_real % NS_PER_S;
	return 0;
}

static int parse_handshake_nsec(struct uapi_answer *a, char *value)
{
	struct model_peer *p = last_peer(a);
	uint64_t ns;

	if (parse_number(value, INT64_MAX, &ns) < 0)
		return -EPROTO;
	p->handshake_real += ns % NS_PER_S - p->handshake_real % NS_PER_S;
	return 0;
}

static int parse_rx_bytes(struct uapi_answer *a, char *value)
{
	return parse_number(value, UINT64_MAX, &last_peer(a)->rx_bytes);
}

static int parse_tx_bytes(struct uapi_answer *a, char *value)
{
	return parse_number(value, UINT64_MAX, &last_peer(a)->tx_bytes);
}

enum section { SECTION_DEVICE, SECTION_PEER, SECTION_ANY };

/* In the order of a get's answer, allowed addresses first: they are the most. */
static const struct row {
	const char *key;
	enum section section;
	value_parser *parse;
} rows[] = {
	{ "allowed_ip", SECTION_PEER, parse_allowed_ip },
	{ "private_key", SECTION_DEVICE, parse_private_key },
	{ "listen_port", SECTION_DEVICE, parse_listen_port },
	{ "fwmark", SECTION_DEVICE, parse_fwmark },
	{ "public_key", SECTION_ANY, parse_public_key },
	{ "preshared_key", SECTION_PEER, parse_preshared_key },
	{ "endpoint", SECTION_PEER, parse_endpoint },
	{ "last_handshake_time_sec", SECTION_PEER, parse_handshake_sec },
	{ "last_handshake_time_nsec", SECTION_PEER, parse_handshake_nsec },
	{ "tx_bytes", SECTION_PEER, parse_tx_bytes },
	{ "rx_bytes", SECTION_PEER, parse_rx_bytes },
	{ "persistent_keepalive_interval", SECTION_PEER, parse_keepalive },
};

static int parse_row(struct uapi_answer *a, const char *key, char *value)
{
	const enum section here = a->model->peer_count ? SECTION_PEER : SECTION_DEVICE;

	for (size_t i = 0; i < ELEMENTS(rows); ++i) {
		if (strcmp(rows[i].key, key) != 0)
			continue;
		if (rows[i].section != SECTION_ANY && rows[i].section != here)
			return 0;
		return rows[i].parse(a, value);
	}
	return 0;
}

/* The sign is half of the number's meaning: see the header. */
static int parse_errno(struct uapi_answer *a, const char *value)
{
	const bool negative = value[0] == '-';
	uint64_t number;

	if (negative && a->operation != UAPI_SET)
		return -EPROTO;
	if (parse_number(value + negative, INT_MAX, &number) < 0)
		return -EPROTO;
	a->error = a->operation != UAPI_SET || negative ? -(int)number : (int)number;
	return 0;
}

static enum uapi_answer_status broken(struct uapi_answer *a, int error)
{
	a->error = error;
	return UAPI_ANSWER_BROKEN;
}

/* One line, NUL-terminated, without its newline; it may be overwritten. */
static enum uapi_answer_status take_line(struct uapi_answer *a, char *line, size_t len)
{
	char *value;
	int error = 0;

	if (!len)
		return UAPI_ANSWER_DONE;
	value = memchr(line, '=', len);
	if (!value || strlen(line) != len)
		return broken(a, -EPROTO);
	*value++ = '\0';
	if (strcmp(line, "errno") == 0)
		error = parse_errno(a, value);
	else if (a->operation == UAPI_GET)
		error = parse_row(a, line, value);
	else if (a->operation == UAPI_DIAGNOSE)
		error = ++a->rows > UAPI_REPORT_ROWS_MAX
				? -EPROTO
				: uapi_report_row(a->diagnosis, line, value);
	return error ? broken(a, error) : UAPI_ANSWER_MORE;
}

static enum uapi_answer_status take_partial(struct uapi_answer *a)
{
	enum uapi_answer_status status;

	buffer_append(&a->partial, "", 1);
	if (!buffer_ok(&a->partial))
		return broken(a, -ENOMEM);
	status = take_line(a, a->partial.bytes, a->partial.len - 1);
	explicit_bzero(a->partial.bytes, a->partial.len);
	a->partial.len = 0;
	return status;
}

/* What is left of the input, without a newline. */
static enum uapi_answer_status keep_partial(struct uapi_answer *a, const char *bytes, size_t len)
{
	if (len > UAPI_LINE_MAX - a->partial.len)
		return broken(a, -EPROTO);
	buffer_append(&a->partial, bytes, len);
	return buffer_ok(&a->partial) ? UAPI_ANSWER_MORE : broken(a, -ENOMEM);
}

void uapi_answer_init(struct uapi_answer *a, enum uapi_status operation, struct model *model,
		      struct diagnosis *diagnosis)
{
	*a = (struct uapi_answer){
		.operation = operation, .model = model, .diagnosis = diagnosis, .error = -EPROTO
	}; /* until a line says better */
	buffer_init(&a->partial);
}

void uapi_answer_done(struct uapi_answer *a)
{
	buffer_done(&a->partial);
}

enum uapi_answer_status uapi_answer_feed(struct uapi_answer *a, char *bytes, size_t len)
{
	enum uapi_answer_status status = UAPI_ANSWER_MORE;
	char *newline;

	while (status == UAPI_ANSWER_MORE && len) {
		const size_t text =
			(newline = memchr(bytes, '\n', len)) ? (size_t)(newline - bytes) : len;

		if (!newline)
			return keep_partial(a, bytes, len);
		if (a->partial.len) {
			status = keep_partial(a, bytes, text);
			if (status == UAPI_ANSWER_MORE)
				status = take_partial(a);
		} else {
			*newline = '\0';
			status = text <= UAPI_LINE_MAX ? take_line(a, bytes, text)
						       : broken(a, -EPROTO);
		}
		bytes += text + 1;
		len -= text + 1;
	}
	return status;
}
