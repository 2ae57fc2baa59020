#include "model/tunnel.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/rows.h"
#include "base/text.h"

enum { SET_MIN = 4 };

void tunnel_init(struct tunnel *t)
{
	*t = (struct tunnel){ .own = { .reresolve = true } };
	model_init(&t->model);
}

static void texts_done(struct tunnel_texts *list)
{
	for (size_t i = 0; i < list->count; ++i) {
		explicit_bzero(list->rows[i].text,
			       strlen(list->rows[i].text)); /* a hook may hold a key */
		free(list->rows[i].text);
	}
	free(list->rows);
}

static void peer_done(struct tunnel_peer *p)
{
	free(p->endpoint_host);
	free(p->endpoint_service);
	free(p->name.text);
	free(p->allowed.rows);
}

void tunnel_done(struct tunnel *t)
{
	for (size_t i = 0; i < t->model.peer_count; ++i)
		peer_done(&t->peers[i]);
	free(t->peers);
	free(t->path);
	free(t->listen_service);
	free(t->table_name);
	free(t->addresses.rows);
	free(t->dns.rows);
	free(t->own.excluded.rows);
	free(t->own.open.rows);
	texts_done(&t->search);
	for (size_t i = 0; i < TUNNEL_HOOKS; ++i)
		texts_done(&t->hooks[i]);
	model_done(&t->model);
	tunnel_init(t);
}

/* "/x/wg0.conf" makes the name wg0; what makes no name of an interface leaves it empty. */
static void name_from_path(const char *path, char ret[static MODEL_NAME])
{
	static const char suffix[] = ".conf";
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t len = strlen(base);

	ret[0] = '\0';
	if (len < sizeof(suffix) || strcmp(base + len - (sizeof(suffix) - 1), suffix) != 0)
		return;
	len -= sizeof(suffix) - 1;
	if (len >= MODEL_NAME)
		return;
	memcpy(ret, base, len);
	ret[len] = '\0';
	if (!text_is_interface_name(ret))
		ret[0] = '\0';
}

bool tunnel_set_path(struct tunnel *t, const char *path)
{
	if (!tunnel_set_text(&t->path, path, strlen(path)))
		return false;
	name_from_path(path, t->name);
	memcpy(t->model.name, t->name, sizeof(t->name));
	return true;
}

bool tunnel_set_text(char **place, const char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (!copy)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	free(*place);
	*place = copy;
	return true;
}

bool tunnel_add_peer(struct tunnel *t)
{
	const size_t i = t->model.peer_count;

	if (!rows_grow((void **)&t->peers, sizeof(*t->peers), i, &t->peer_room) ||
	    !model_add_peer(&t->model))
		return false;
	t->peers[i] = (struct tunnel_peer){ 0 };
	return true;
}

bool tunnel_add_prefix(struct tunnel_prefixes *list, const struct tunnel_prefix *p)
{
	if (!rows_grow((void **)&list->rows, sizeof(*list->rows), list->count, &list->room))
		return false;
	list->rows[list->count++] = *p;
	return true;
}

bool tunnel_add_allowed(struct tunnel *t, size_t peer, const struct tunnel_prefix *p)
{
	struct prefix masked = p->prefix;

	assert(peer < t->model.peer_count);
	prefix_mask(&masked);
	if (!tunnel_add_prefix(&t->peers[peer].allowed, p))
		return false;
	if (!model_add_allowed(&t->model.peers[peer], &masked, p->sign == '-')) {
		--t->peers[peer].allowed.count;
		return false;
	}
	return true;
}

bool tunnel_add_text(struct tunnel_texts *list, const char *text, size_t len, const struct span *at)
{
	struct tunnel_text row = { .at = *at };

	if (!rows_grow((void **)&list->rows, sizeof(*list->rows), list->count, &list->room) ||
	    !tunnel_set_text(&row.text, text, len))
		return false;
	list->rows[list->count++] = row;
	return true;
}

bool tunnel_add_port(struct tunnel_ports *list, const struct tunnel_port *p)
{
	if (!rows_grow((void **)&list->rows, sizeof(*list->rows), list->count, &list->room))
		return false;
	list->rows[list->count++] = *p;
	return true;
}

void tunnel_set_init(struct tunnel_set *s)
{
	*s = (struct tunnel_set){ 0 };
}

void tunnel_set_done(struct tunnel_set *s)
{
	for (size_t i = 0; i < s->count; ++i)
		tunnel_done(&s->rows[i]);
	free(s->rows);
	tunnel_set_init(s);
}

/* Tunnels hold keys: they are moved by hand, and what they leave behind is wiped. */
struct tunnel *tunnel_set_add(struct tunnel_set *s)
{
	if (s->count == s->room) {
		const size_t room = s->room ? 2 * s->room : SET_MIN;
		struct tunnel *moved = calloc(room, sizeof(*moved));

		if (!moved)
			return NULL;
		if (s->count) {
			memcpy(moved, s->rows, s->count * sizeof(*moved));
			explicit_bzero(s->rows, s->count * sizeof(*moved));
		}
		free(s->rows);
		s->rows = moved;
		s->room = room;
	}
	tunnel_init(&s->rows[s->count]);
	return &s->rows[s->count++];
}

bool tunnel_uses_family(const struct tunnel *t, uint8_t family)
{
	for (size_t i = 0; i < t->addresses.count; ++i) {
		if (t->addresses.rows[i].prefix.ip.family == family)
			return true;
	}
	for (size_t i = 0; i < t->model.peer_count; ++i) {
		for (size_t j = 0; j < t->model.peers[i].allowed_count; ++j) {
			if (t->model.peers[i].allowed[j].prefix.ip.family == family)
				return true;
		}
	}
	return false;
}
