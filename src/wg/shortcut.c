#include "wg/shortcut.h"

#include <assert.h>
#include <stddef.h>

enum {
	WIDTH_MIN = 4,
	WIDTH_MAX = 22,
	SPARSE = 8, /* hints to a node of its own */
};

static size_t size_of(unsigned int width)
{
	return sizeof(struct shortcut) + (sizeof(struct allowed_node *) << width);
}

/* In the order of the keys, each before what is below it. `down`: also what is below n. */
static struct allowed_node *next(const struct allowed_node *top, const struct allowed_node *n,
				 bool down)
{
	if (down && n->child[0])
		return n->child[0];
	if (down && n->child[1])
		return n->child[1];
	for (; n != top; n = n->parent) {
		struct allowed_node *sibling = n->parent->child[1];

		if (sibling && sibling != n)
			return sibling;
	}
	return NULL;
}

/* With hints for so many bits below this fork each finds most; 0: none is worth it. */
static unsigned int measure(const struct allowed_node *top)
{
	size_t begin[WIDTH_MAX + 2] = { 0 }, end[WIDTH_MAX + 2] = { 0 }, own = 0;
	unsigned int best = 0;

	for (const struct allowed_node *n = next(top, top, true); n;) {
		const unsigned int above = n->parent->bits - top->bits;
		const unsigned int at = n->bits - top->bits;

		/* It is the first at or below the level for widths above + 1 to at. */
		++begin[above + 1];
		++end[at < WIDTH_MAX ? at + 1 : WIDTH_MAX + 1];
		n = next(top, n, at < WIDTH_MAX);
	}
	for (unsigned int width = 1; width <= WIDTH_MAX; ++width) {
		own += begin[width] - end[width];
		if (width >= WIDTH_MIN && own * SPARSE >= (size_t)1 << width)
			best = width;
	}
	return best;
}

static size_t first_of(const struct allowed_node *top, const struct allowed_node *n)
{
	return (size_t)shortcut_slice(n->key, top->bits, top->shortcut->width);
}

static size_t behind(const struct allowed_node *top, const struct allowed_node *n)
{
	const unsigned int level = top->bits + top->shortcut->width;

	return first_of(top, n) + (n->bits < level ? (size_t)1 << (level - n->bits) : 1);
}

static void put(struct shortcut *s, size_t from, size_t to, struct allowed_node *n)
{
	while (from < to)
		s->hints[from++] = n;
}

/* A node above the level: all of its hints that are not one of its children's. */
static void put_gaps(const struct allowed_node *top, struct allowed_node *n)
{
	size_t at = first_of(top, n);

	n->is_hint = true;
	for (int i = 0; i < 2; ++i) {
		if (!n->child[i])
			continue;
		put(top->shortcut, at, first_of(top, n->child[i]), n);
		at = behind(top, n->child[i]);
	}
	put(top->shortcut, at, behind(top, n), n);
}

static void fill(struct allowed_node *top)
{
	const unsigned int level = top->bits + top->shortcut->width;

	for (struct allowed_node *n = top; n; n = next(top, n, n->bits < level)) {
		if (n->bits < level)
			put_gaps(top, n);
		else
			top->shortcut->hints[first_of(top, n)] = n;
	}
}

/* The nearest node above with a shortcut. */
static struct allowed_node *shortcut_above(const struct allowed_node *n)
{
	struct allowed_node *at = n->parent;

	while (at && !at->shortcut)
		at = at->parent;
	return at;
}

static bool build_one(struct allowed_node *n, const struct memory *memory)
{
	const unsigned int width = measure(n);

	if (!width)
		return true;
	n->shortcut = memory_take(memory, size_of(width));
	if (!n->shortcut)
		return false;
	n->shortcut->width = width;
	fill(n);
	return true;
}

void shortcut_build(struct allowed_node *root, const struct memory *memory)
{
	const struct allowed_node *open = NULL; /* the innermost one that n is below */

	for (struct allowed_node *n = root; n; n = next(root, n, true)) {
		while (open && !allowed_has(open, n->key))
			open = shortcut_above(open);
		if (open && n->bits < open->bits + open->shortcut->width)
			continue;
		if (!n->child[0] || !n->child[1])
			continue;
		if (!build_one(n, memory))
			return;
		if (n->shortcut)
			open = n;
	}
}

void shortcut_forget(const struct allowed_node *n)
{
	struct allowed_node *top = shortcut_above(n), *parent = n->parent;
	struct allowed_node **hint;

	assert(!n->is_hint);
	if (!top)
		return;
	hint = &top->shortcut->hints[first_of(top, n)];
	if (*hint != n)
		return;
	*hint = parent;
	if (parent->bits < top->bits + top->shortcut->width)
		parent->is_hint = true;
}

void shortcut_drop(struct allowed_node *n, const struct memory *memory)
{
	if (n->shortcut)
		memory_give(memory, n->shortcut, size_of(n->shortcut->width));
	n->shortcut = NULL;
}
