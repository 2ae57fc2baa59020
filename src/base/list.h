#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Intrusive, circular, doubly linked list. A head is a node that no element owns.
 * A node that is in no list points at itself (list_init), so removing it twice is harmless.
 */
struct list {
	struct list *next;
	struct list *prev;
};

#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
#define list_each(node, head) for ((node) = (head)->next; (node) != (head); (node) = (node)->next)
#define list_each_safe(node, after, head)                                     \
	for ((node) = (head)->next, (after) = (node)->next; (node) != (head); \
	     (node) = (after), (after) = (node)->next)

static inline void list_init(struct list *l)
{
	l->next = l;
	l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_append(struct list *head, struct list *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
