#include "model/host_facts.h"

#include <stdlib.h>
#include <string.h>

void host_facts_init(struct host_facts *h)
{
	*h = (struct host_facts){ 0 };
}

void host_file_clear(struct host_file *f)
{
	for (size_t i = 0; i < f->node_count; ++i) {
		free(f->nodes[i].path);
		free(f->nodes[i].grants);
	}
	free(f->nodes);
	f->nodes = NULL;
	f->node_count = 0;
}

void host_facts_done(struct host_facts *h)
{
	for (size_t i = 0; i < h->file_count; ++i)
		host_file_clear(&h->files[i]);
	free(h->files);
	free(h->network.links);
	free(h->network.addresses);
	free(h->network.routes);
	free(h->network.rules);
	host_facts_init(h);
}

/* One zeroed element more at the end of an array, which grows at each power of two. */
static void *append(void **array, size_t *count, size_t size)
{
	char *at;

	if ((*count & (*count - 1)) == 0) {
		void *grown = reallocarray(*array, *count ? 2 * *count : 1, size);

		if (!grown)
			return NULL;
		*array = grown;
	}
	at = (char *)*array + *count * size;
	memset(at, 0, size);
	++*count;
	return at;
}

struct host_link *host_add_link(struct host_network *n)
{
	void *array = n->links;
	struct host_link *link = append(&array, &n->link_count, sizeof(*link));

	n->links = array;
	return link;
}

struct host_address *host_add_address(struct host_network *n)
{
	void *array = n->addresses;
	struct host_address *address = append(&array, &n->address_count, sizeof(*address));

	n->addresses = array;
	return address;
}

struct host_route *host_add_route(struct host_network *n)
{
	void *array = n->routes;
	struct host_route *route = append(&array, &n->route_count, sizeof(*route));

	n->routes = array;
	return route;
}

struct host_rule *host_add_rule(struct host_network *n)
{
	void *array = n->rules;
	struct host_rule *rule = append(&array, &n->rule_count, sizeof(*rule));

	n->rules = array;
	return rule;
}

struct host_file *host_add_file(struct host_facts *h)
{
	void *array = h->files;
	struct host_file *file = append(&array, &h->file_count, sizeof(*file));

	h->files = array;
	return file;
}

struct host_node *host_add_node(struct host_file *f)
{
	void *array = f->nodes;
	struct host_node *node = append(&array, &f->node_count, sizeof(*node));

	f->nodes = array;
	return node;
}

struct host_grant *host_add_grant(struct host_node *n)
{
	void *array = n->grants;
	struct host_grant *grant = append(&array, &n->grant_count, sizeof(*grant));

	n->grants = array;
	return grant;
}

const struct host_link *host_link_by_name(const struct host_network *n, const char *name)
{
	for (size_t i = 0; i < n->link_count; ++i)
		if (strcmp(n->links[i].name, name) == 0)
			return &n->links[i];
	return NULL;
}

const struct host_link *host_link_by_index(const struct host_network *n, uint32_t index)
{
	for (size_t i = 0; i < n->link_count; ++i)
		if (n->links[i].index == index)
			return &n->links[i];
	return NULL;
}

static bool is_default(const struct host_route *r, uint8_t family)
{
	if (r->table != HOST_TABLE_MAIN || r->kind != HOST_UNICAST || r->dead)
		return false;
	return r->dst.ip.family == family && r->dst.bits == 0;
}

const struct host_link *host_default_link(const struct host_network *n, uint8_t family)
{
	const struct host_route *best = NULL;

	for (size_t i = 0; i < n->route_count; ++i)
		if (is_default(&n->routes[i], family) &&
		    (!best || n->routes[i].metric < best->metric))
			best = &n->routes[i];
	return best ? host_link_by_index(n, best->link) : NULL;
}
