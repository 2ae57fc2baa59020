#include "control/wg_message.h"

#include <assert.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/wireguard.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <libmnl/libmnl.h>

#include "base/bytes.h"
#include "base/netlink.h"
#include "base/time.h"
#include "control/sockaddr.h"
#include "crypto/crypto.h"

/* Newer than the headers of Debian 12. */
enum { ALLOWED_FLAGS = WGALLOWEDIP_A_CIDR_MASK + 1, ALLOWED_REMOVE = 1U << 0 };

/* A request that is being written. */
struct request {
	struct nlmsghdr *message;
	size_t room;
};

static struct request begin(void *buf, size_t room, uint16_t type, uint16_t flags)
{
	struct request r = { .message = mnl_nlmsg_put_header(buf), .room = room };

	assert(room >= WG_MESSAGE_ROOM_MIN);
	r.message->nlmsg_type = type;
	r.message->nlmsg_seq = 1; /* one request at a time needs no other */
	r.message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return r;
}

static struct request begin_generic(void *buf, size_t room, uint16_t family, uint16_t flags,
				    uint8_t command, uint8_t version)
{
	const struct request r = begin(buf, room, family, flags);
	struct genlmsghdr *generic = mnl_nlmsg_put_extra_header(r.message, sizeof(*generic));

	generic->cmd = command;
	generic->version = version;
	return r;
}

static bool put(struct request *r, uint16_t type, const void *bytes, size_t len)
{
	return mnl_attr_put_check(r->message, r->room, type, len, bytes);
}

static bool put_u16(struct request *r, uint16_t type, uint16_t value)
{
	return mnl_attr_put_u16_check(r->message, r->room, type, value);
}

static bool put_u32(struct request *r, uint16_t type, uint32_t value)
{
	return mnl_attr_put_u32_check(r->message, r->room, type, value);
}

static struct nlattr *nest(struct request *r, uint16_t type)
{
	return mnl_attr_nest_start_check(r->message, r->room, type);
}

void wg_message_write_get(void *buf, size_t room, uint16_t family, const char *name)
{
	const struct request r =
		begin_generic(buf, room, family, NLM_F_DUMP, WG_CMD_GET_DEVICE, WG_GENL_VERSION);

	mnl_attr_put_strz(r.message, WGDEVICE_A_IFNAME, name);
}

/* The room that any request has is enough for it. */
static void put_device(struct request *r, const struct model *patch)
{
	if (patch->has_private_key)
		mnl_attr_put(r->message, WGDEVICE_A_PRIVATE_KEY, KEY_LEN, patch->private_key.bytes);
	if (patch->has_listen_port)
		mnl_attr_put_u16(r->message, WGDEVICE_A_LISTEN_PORT, patch->listen_port);
	if (patch->has_fwmark)
		mnl_attr_put_u32(r->message, WGDEVICE_A_FWMARK, patch->fwmark);
	if (patch->replace_peers)
		mnl_attr_put_u32(r->message, WGDEVICE_A_FLAGS, WGDEVICE_F_REPLACE_PEERS);
}

static bool put_endpoint(struct request *r, const struct endpoint *e)
{
	struct sockaddr_in6 address;
	const size_t len = sockaddr_from_endpoint(e, &address);

	return put(r, WGPEER_A_ENDPOINT, &address, len);
}

/* What is said of a peer once, and what every request about it must repeat. */
static bool put_peer_settings(struct request *r, const struct model_peer *p, bool again)
{
	uint32_t flags = p->update_only ? WGPEER_F_UPDATE_ONLY : 0;

	if (p->remove)
		flags |= WGPEER_F_REMOVE_ME;
	if (!again && p->replace_allowed)
		flags |= WGPEER_F_REPLACE_ALLOWEDIPS;
	if (!again && p->has_preshared_key &&
	    !put(r, WGPEER_A_PRESHARED_KEY, p->preshared_key.bytes, KEY_LEN))
		return false;
	if (!again && p->has_endpoint && !put_endpoint(r, &p->endpoint))
		return false;
	if (!again && p->has_keepalive &&
	    !put_u16(r, WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL, p->keepalive))
		return false;
	return !flags || put_u32(r, WGPEER_A_FLAGS, flags);
}

static bool put_address(struct request *r, const struct model_allowed *a)
{
	const bool v4 = a->prefix.ip.family == FAMILY_V4;

	return put_u16(r, WGALLOWEDIP_A_FAMILY, v4 ? AF_INET : AF_INET6) &&
	       put(r, WGALLOWEDIP_A_IPADDR, a->prefix.ip.bytes, v4 ? 4 : 16) &&
	       mnl_attr_put_u8_check(r->message, r->room, WGALLOWEDIP_A_CIDR_MASK,
				     a->prefix.bits) &&
	       (!a->remove || put_u32(r, ALLOWED_FLAGS, ALLOWED_REMOVE));
}

/* As many as fit from *at on. True: all of them. */
static bool put_allowed(struct request *r, const struct model_peer *p, size_t *at)
{
	struct nlattr *all, *one;

	if (*at == p->allowed_count)
		return true;
	all = nest(r, WGPEER_A_ALLOWEDIPS);
	if (!all)
		return false;
	for (; *at < p->allowed_count; ++*at) {
		one = nest(r, 0);
		if (!one)
			break;
		if (!put_address(r, &p->allowed[*at])) {
			mnl_attr_nest_cancel(r->message, one);
			break;
		}
		mnl_attr_nest_end(r->message, one);
	}
	mnl_attr_nest_end(r->message, all);
	return *at == p->allowed_count;
}

/* The peer at the cursor, or the rest of it. True: with all of it, and there may be room left. */
static bool put_peer(struct request *r, struct wg_message_cursor *c, const struct model_peer *p)
{
	struct nlattr *whole = nest(r, 0);

	if (!whole)
		return false;
	if (!put(r, WGPEER_A_PUBLIC_KEY, p->public_key.bytes, KEY_LEN) ||
	    !put_peer_settings(r, p, c->in_peer)) {
		mnl_attr_nest_cancel(r->message, whole);
		return false;
	}
	c->in_peer = !put_allowed(r, p, &c->allowed);
	mnl_attr_nest_end(r->message, whole);
	return !c->in_peer;
}

bool wg_message_write_set(struct wg_message_cursor *c, const struct model *patch, const char *name,
			  uint16_t family, void *buf, size_t room)
{
	struct request r;
	struct nlattr *peers;

	if (c->begun && c->peer == patch->peer_count)
		return false;
	r = begin_generic(buf, room, family, NLM_F_ACK, WG_CMD_SET_DEVICE, WG_GENL_VERSION);
	mnl_attr_put_strz(r.message, WGDEVICE_A_IFNAME, name);
	if (!c->begun)
		put_device(&r, patch);
	c->begun = true;
	if (c->peer == patch->peer_count)
		return true;
	peers = mnl_attr_nest_start(r.message, WGDEVICE_A_PEERS);
	while (c->peer < patch->peer_count && put_peer(&r, c, &patch->peers[c->peer])) {
		++c->peer;
		c->allowed = 0;
	}
	mnl_attr_nest_end(r.message, peers);
	return true;
}

static bool read_bytes(const struct netlink_attribute *a, void *ret, size_t len)
{
	if (a->len != len)
		return false;
	memcpy(ret, a->bytes, len);
	return true;
}

static bool read_address(const struct netlink_attribute *nest, struct prefix *ret)
{
	size_t address_len = 0, want = 0;
	struct netlink_attribute a;
	struct netlink_walk w;
	uint16_t family = 0;
	bool good = true, has_bits = false;

	*ret = (struct prefix){ 0 };
	netlink_walk_nest(&w, nest);
	while (good && netlink_walk_next(&w, &a)) {
		switch (a.type) {
		case WGALLOWEDIP_A_FAMILY:
			good = read_bytes(&a, &family, sizeof(family));
			break;
		case WGALLOWEDIP_A_IPADDR:
			address_len = a.len;
			good = a.len <= sizeof(ret->ip.bytes) &&
			       read_bytes(&a, ret->ip.bytes, a.len);
			break;
		case WGALLOWEDIP_A_CIDR_MASK:
			has_bits = true;
			good = read_bytes(&a, &ret->bits, sizeof(ret->bits));
			break;
		default:
			break;
		}
	}
	ret->ip.family = family == AF_INET ? FAMILY_V4 : FAMILY_V6;
	if (family == AF_INET || family == AF_INET6)
		want = ip_bits(&ret->ip) / 8;
	return good && !w.broken && want && address_len == want && has_bits &&
	       ret->bits <= ip_bits(&ret->ip);
}

static int read_allowed(const struct netlink_attribute *nest, struct model_peer *p)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	struct prefix prefix;

	netlink_walk_nest(&w, nest);
	while (netlink_walk_next(&w, &a)) {
		if (!read_address(&a, &prefix))
			return -EPROTO;
		if (!model_add_allowed(p, &prefix, false))
			return -ENOMEM;
	}
	return w.broken ? -EPROTO : 0;
}

/* Seconds and nanoseconds; before 1970 or beyond 2554 there were no handshakes. */
static bool read_time(const struct netlink_attribute *a, uint64_t *ret)
{
	int64_t at[2];

	if (!read_bytes(a, at, sizeof(at)))
		return false;
	*ret = 0;
	if (at[0] >= 0 && at[1] >= 0 && (uint64_t)at[0] < UINT64_MAX / NS_PER_S)
		*ret = (uint64_t)at[0] * NS_PER_S + (uint64_t)at[1] % NS_PER_S;
	return true;
}

static int read_setting(const struct netlink_attribute *a, struct model_peer *p)
{
	switch (a->type) {
	case WGPEER_A_PRESHARED_KEY:
		if (!read_bytes(a, p->preshared_key.bytes, KEY_LEN))
			return -EPROTO;
		p->has_preshared_key = !crypto_is_zero(p->preshared_key.bytes, KEY_LEN);
		return 0;
	case WGPEER_A_ENDPOINT: /* of a kind unknown to us: none */
		p->has_endpoint = sockaddr_to_endpoint(a->bytes, a->len, &p->endpoint);
		return 0;
	case WGPEER_A_PERSISTENT_KEEPALIVE_INTERVAL:
		p->has_keepalive = true;
		return read_bytes(a, &p->keepalive, sizeof(p->keepalive)) ? 0 : -EPROTO;
	case WGPEER_A_LAST_HANDSHAKE_TIME:
		return read_time(a, &p->handshake_real) ? 0 : -EPROTO;
	case WGPEER_A_RX_BYTES:
		return read_bytes(a, &p->rx_bytes, sizeof(p->rx_bytes)) ? 0 : -EPROTO;
	case WGPEER_A_TX_BYTES:
		return read_bytes(a, &p->tx_bytes, sizeof(p->tx_bytes)) ? 0 : -EPROTO;
	case WGPEER_A_ALLOWEDIPS:
		return read_allowed(a, p);
	default:
		return 0;
	}
}

/* The last peer goes on what the one before it began: its addresses are that one's. */
static int join_last(struct model *m)
{
	struct model_peer *last = &m->peers[m->peer_count - 1], *whole = last - 1;
	bool good = true;

	for (size_t i = 0; good && i < last->allowed_count; ++i)
		good = model_add_allowed(whole, &last->allowed[i].prefix, false);
	free(last->allowed);
	explicit_bzero(last, sizeof(*last));
	--m->peer_count;
	return good ? 0 : -ENOMEM;
}

static bool is_continued(const struct model *m)
{
	const struct model_peer *last = &m->peers[m->peer_count - 1];

	return m->peer_count > 1 &&
	       memcmp(&last->public_key, &(last - 1)->public_key, sizeof(last->public_key)) == 0;
}

static int read_peer(const struct netlink_attribute *nest, struct model *m)
{
	struct model_peer *p = model_add_peer(m);
	struct netlink_attribute a;
	struct netlink_walk w;
	bool has_key = false;
	int error = 0;

	if (!p)
		return -ENOMEM;
	netlink_walk_nest(&w, nest);
	while (!error && netlink_walk_next(&w, &a)) {
		if (a.type != WGPEER_A_PUBLIC_KEY)
			error = read_setting(&a, p);
		else if (read_bytes(&a, p->public_key.bytes, KEY_LEN))
			has_key = true;
		else
			error = -EPROTO;
	}
	if (!error && (w.broken || !has_key))
		error = -EPROTO;
	return error || !is_continued(m) ? error : join_last(m);
}

static int read_peers(const struct netlink_attribute *nest, struct model *m)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	int error = 0;

	netlink_walk_nest(&w, nest);
	while (!error && netlink_walk_next(&w, &a))
		error = read_peer(&a, m);
	return !error && w.broken ? -EPROTO : error;
}

/* A name, NUL-terminated, of one to fifteen bytes. */
static bool read_name(const struct netlink_attribute *a, char ret[static MODEL_NAME])
{
	if (a->len < 2 || a->len > MODEL_NAME ||
	    memchr(a->bytes, '\0', a->len) != a->bytes + a->len - 1)
		return false;
	memcpy(ret, a->bytes, a->len);
	return true;
}

static int read_device_setting(const struct netlink_attribute *a, struct model *m)
{
	switch (a->type) {
	case WGDEVICE_A_IFNAME:
		return read_name(a, m->name) ? 0 : -EPROTO;
	case WGDEVICE_A_PRIVATE_KEY:
		m->has_private_key = true;
		return read_bytes(a, m->private_key.bytes, KEY_LEN) ? 0 : -EPROTO;
	case WGDEVICE_A_LISTEN_PORT:
		m->has_listen_port = true;
		return read_bytes(a, &m->listen_port, sizeof(m->listen_port)) ? 0 : -EPROTO;
	case WGDEVICE_A_FWMARK:
		m->has_fwmark = true;
		return read_bytes(a, &m->fwmark, sizeof(m->fwmark)) ? 0 : -EPROTO;
	case WGDEVICE_A_PEERS:
		return read_peers(a, m);
	default:
		return 0;
	}
}

int wg_message_read(const struct nlmsghdr *message, struct model *m)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	int error = 0;

	netlink_walk_message(&w, message, sizeof(struct genlmsghdr));
	while (!error && netlink_walk_next(&w, &a))
		error = read_device_setting(&a, m);
	return !error && w.broken ? -EPROTO : error;
}

void wg_message_write_family(void *buf, size_t room)
{
	const struct request r =
		begin_generic(buf, room, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY, 1);

	mnl_attr_put_strz(r.message, CTRL_ATTR_FAMILY_NAME, WG_GENL_NAME);
}

int wg_message_read_family(const struct nlmsghdr *message, uint16_t *ret)
{
	struct netlink_attribute a;
	struct netlink_walk w;
	bool good = true;

	netlink_walk_message(&w, message, sizeof(struct genlmsghdr));
	while (good && netlink_walk_next(&w, &a))
		if (a.type == CTRL_ATTR_FAMILY_ID)
			good = read_bytes(&a, ret, sizeof(*ret));
	return good && !w.broken ? 0 : -EPROTO;
}

void wg_message_write_links(void *buf, size_t room)
{
	const struct request r = begin(buf, room, RTM_GETLINK, NLM_F_DUMP);
	struct ifinfomsg *link = mnl_nlmsg_put_extra_header(r.message, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
}

static bool is_our_kind(const struct netlink_attribute *info)
{
	static const char kind[] = "wireguard"; /* some kernels leave out the NUL */
	struct netlink_attribute a;
	struct netlink_walk w;

	netlink_walk_nest(&w, info);
	while (netlink_walk_next(&w, &a))
		if (a.type == IFLA_INFO_KIND)
			return (a.len == sizeof(kind) || a.len == sizeof(kind) - 1) &&
			       memcmp(a.bytes, kind, a.len) == 0;
	return false;
}

void wg_message_read_link(const struct nlmsghdr *message, char ret[static MODEL_NAME])
{
	char name[MODEL_NAME] = "";
	struct netlink_attribute a;
	struct netlink_walk w;
	bool ours = false;

	netlink_walk_message(&w, message, sizeof(struct ifinfomsg));
	while (netlink_walk_next(&w, &a)) {
		if (a.type == IFLA_IFNAME && !read_name(&a, name))
			name[0] = '\0';
		else if (a.type == IFLA_LINKINFO)
			ours = is_our_kind(&a);
	}
	memset(ret, 0, MODEL_NAME);
	if (ours)
		memcpy(ret, name, sizeof(name));
}
