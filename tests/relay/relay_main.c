#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "lane.h"
#include "side.h"

/*
 * relay SEED A_LOCAL A_REMOTE B_LOCAL B_REMOTE: pass UDP datagrams between two engines over a
 * network that is bad in ways a seed repeats. What comes to A_LOCAL leaves from B_LOCAL to B_REMOTE
 * and the other way; a remote that sends from elsewhere is followed. Each datagram keeps its size
 * and its ECN bits.
 *
 * Commands come as lines on standard input, each is answered by "ok ..." or "error":
 *
 *   set ab|ba|both[/TYPES] WORD...   words of rules.h for these types (digits 0 to 4), else all
 *   reset                            no rules
 *   rebind a|b                       that side gets another port, as a NAT does; ok PORT
 *   record FILE | record             write what comes, before anything happens to it | end that
 *   replay FILE ab|ba                send what FILE has of that direction once more, untouched
 *   at MS COMMAND                    do it so much later; an error is then not told
 *   stats                            ok and counts as JSON
 *
 * It ends with its standard input.
 */
enum { DATAGRAM = 65536, BATCH = 64, LATER = 16, LINE = 512 };

struct later {
	uint64_t due; /* 0: free */
	char line[LINE];
};

struct relay {
	struct side sides[2];
	struct lane lanes[2]; /* lane 0 takes what comes to side 0 */
	struct later later[LATER];
	FILE *record;
};

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* --- datagrams ------------------------------------------------------------- */

static void record(FILE *file, int from, const uint8_t *data, size_t len)
{
	uint8_t head[5] = { (uint8_t)from };

	store32_le(head + 1, (uint32_t)len);
	if (fwrite(head, sizeof(head), 1, file) != 1 || (len && fwrite(data, len, 1, file) != 1))
		perror("relay: record");
}

static bool receive(struct relay *relay, int from)
{
	static uint8_t data[DATAGRAM];
	struct side *side = &relay->sides[from];
	struct lane *lane = &relay->lanes[from];
	const struct rules *rules;
	uint8_t tos;
	ssize_t got = side_receive(side, data, sizeof(data), &tos);
	size_t len = (size_t)got;

	if (got < 0)
		return got == -ECONNREFUSED;
	if (relay->record)
		record(relay->record, from, data, len);
	rules = &lane->impair.rules[impair_type(data, len)];
	if (lane_put(lane, now(), data, len, tos, side_header(side)) == IMPAIR_TOO_BIG &&
	    rules->icmp)
		side_tell_too_big(side, len, rules->mtu);
	return true;
}

static void pass_on(struct relay *relay, int from)
{
	struct datagram *item;

	while ((item = lane_take(&relay->lanes[from], now()))) {
		side_send(&relay->sides[!from], item->data, item->len, item->tos);
		free(item);
	}
}

/* Paced, so that no buffer on the way runs over. */
static bool replay(struct relay *relay, const char *path, int direction)
{
	static uint8_t data[DATAGRAM];
	const struct timespec pause = { .tv_nsec = 2 * (long)NS_PER_MS };
	FILE *file = fopen(path, "rb");
	uint8_t head[5];

	if (!file)
		return false;
	for (int n = 0; fread(head, sizeof(head), 1, file) == 1;) {
		uint32_t len = load32_le(head + 1);

		if (len >= DATAGRAM || fread(data, 1, len, file) != len)
			break;
		if (head[0] != direction)
			continue;
		side_send(&relay->sides[!direction], data, len, 0);
		if (++n % BATCH == 0)
			nanosleep(&pause, NULL);
	}
	fclose(file);
	return true;
}

/* --- commands -------------------------------------------------------------- */

/* "ab", "ba": which lane; "both": both. */
static bool parse_lanes(const char *word, int *first, int *last)
{
	*first = strcmp(word, "ba") == 0;
	*last = strcmp(word, "ab") != 0;
	return !strcmp(word, "ab") || !strcmp(word, "ba") || !strcmp(word, "both");
}

static bool set_types(struct lane *lane, const char *types, const char *word)
{
	for (; *types; ++types) {
		if (*types < '0' || *types >= '0' + RULES_TYPES ||
		    !rules_parse(&lane->impair.rules[*types - '0'], word))
			return false;
	}
	return true;
}

static bool do_set(struct relay *relay, char *rest)
{
	char *where = strtok(rest, " "), *types = where ? strchr(where, '/') : NULL, *word;
	int first, last;

	if (types)
		*types++ = '\0';
	if (!where || !parse_lanes(where, &first, &last))
		return false;
	while ((word = strtok(NULL, " "))) {
		for (int i = first; i <= last; ++i) {
			if (!set_types(&relay->lanes[i], types ? types : "01234", word))
				return false;
		}
	}
	return true;
}

static bool do_reset(struct relay *relay)
{
	for (int i = 0; i < 2; ++i) {
		memset(relay->lanes[i].impair.rules, 0, sizeof(relay->lanes[i].impair.rules));
		relay->lanes[i].impair.is_bad = false;
	}
	return true;
}

static bool do_rebind(struct relay *relay, const char *rest)
{
	struct side *side = &relay->sides[strcmp(rest, "a") != 0];

	if ((strcmp(rest, "a") && strcmp(rest, "b")) || !side_rebind(side))
		return false;
	printf("ok %u\n", side_port(side));
	return true;
}

static bool do_record(struct relay *relay, const char *path)
{
	if (relay->record)
		fclose(relay->record);
	relay->record = path[0] ? fopen(path, "wb") : NULL;
	return relay->record || !path[0];
}

static bool do_replay(struct relay *relay, char *rest)
{
	const char *path = strtok(rest, " "), *word = strtok(NULL, " ");
	int first, last;

	return word && parse_lanes(word, &first, &last) && first == last &&
	       replay(relay, path, first);
}

static bool do_at(struct relay *relay, char *rest)
{
	char *line = strchr(rest, ' ');
	uint64_t ms;

	if (!line)
		return false;
	*line++ = '\0';
	for (int i = 0; i < LATER && text_to_uint(rest, 1000000000, &ms); ++i) {
		struct later *later = &relay->later[i];

		if (later->due)
			continue;
		later->due = now() + ms * NS_PER_MS;
		snprintf(later->line, sizeof(later->line), "%s", line);
		return true;
	}
	return false;
}

static bool do_stats(const struct relay *relay)
{
	printf("ok {");
	for (int i = 0; i < 2; ++i) {
		const struct lane_counts *c = &relay->lanes[i].counts;

		printf("%s\"%s\": {\"in\": %lu, \"out\": %lu, \"lost\": %lu, \"burst\": %lu, "
		       "\"too_big\": %lu, \"queue_full\": %lu, \"reordered\": %lu, "
		       "\"duplicated\": %lu, \"corrupted\": %lu, \"truncated\": %lu}",
		       i ? ", " : "", i ? "ba" : "ab", c->in, c->out, c->fates[IMPAIR_LOST],
		       c->fates[IMPAIR_BURST], c->fates[IMPAIR_TOO_BIG],
		       c->fates[IMPAIR_QUEUE_FULL], c->reordered, c->duplicated, c->corrupted,
		       c->truncated);
	}
	printf("}\n");
	return true;
}

/* Carry out one line. True: done; the two that answer more than "ok" have said so themselves. */
static bool command(struct relay *relay, const char *word, char *rest)
{
	if (strcmp(word, "rebind") == 0)
		return do_rebind(relay, rest);
	if (strcmp(word, "stats") == 0)
		return do_stats(relay);
	if ((strcmp(word, "set") == 0 && do_set(relay, rest)) ||
	    (strcmp(word, "reset") == 0 && do_reset(relay)) ||
	    (strcmp(word, "record") == 0 && do_record(relay, rest)) ||
	    (strcmp(word, "replay") == 0 && do_replay(relay, rest)) ||
	    (strcmp(word, "at") == 0 && do_at(relay, rest)))
		return printf("ok\n") > 0;
	return false;
}

static void obey(struct relay *relay, char *line)
{
	char *rest = strchr(line, ' ');

	if (rest)
		*rest++ = '\0';
	if (!command(relay, line, rest ? rest : line + strlen(line)))
		printf("error\n");
	fflush(stdout);
}

static void obey_later(struct relay *relay)
{
	for (int i = 0; i < LATER; ++i) {
		struct later *later = &relay->later[i];
		char line[LINE];

		if (!later->due || later->due > now())
			continue;
		later->due = 0;
		memcpy(line, later->line, sizeof(line));
		if (!command(relay, strtok(line, " "), line + strlen(line) + 1))
			fprintf(stderr, "relay: error in %s\n", later->line);
	}
}

/* Lines of standard input. False: it has ended. */
static bool listen_to_owner(struct relay *relay)
{
	static char buffer[LINE];
	static size_t used;
	ssize_t got = read(STDIN_FILENO, buffer + used, sizeof(buffer) - used - 1);
	char *end;

	if (got <= 0)
		return false;
	used += (size_t)got;
	buffer[used] = '\0';
	while ((end = strchr(buffer, '\n'))) {
		*end = '\0';
		obey(relay, buffer);
		used -= (size_t)(end + 1 - buffer);
		memmove(buffer, end + 1, used + 1);
	}
	return used < sizeof(buffer) - 1;
}

/* --- the loop -------------------------------------------------------------- */

static uint64_t deadline(const struct relay *relay)
{
	uint64_t next = TIME_NEVER;

	for (int i = 0; i < 2; ++i) {
		uint64_t due = lane_next(&relay->lanes[i]);

		next = due < next ? due : next;
	}
	for (int i = 0; i < LATER; ++i) {
		if (relay->later[i].due && relay->later[i].due < next)
			next = relay->later[i].due;
	}
	return next;
}

static void sleep_until(struct pollfd fds[static 3], uint64_t due)
{
	uint64_t t = now(), left = due > t ? due - t : 0;
	struct timespec limit = { (time_t)(left / NS_PER_S), (long)(left % NS_PER_S) };

	if (ppoll(fds, 3, due == TIME_NEVER ? NULL : &limit, NULL) < 0 && errno != EINTR)
		perror("relay: poll");
}

static void run(struct relay *relay)
{
	for (;;) {
		struct pollfd fds[3] = { { relay->sides[0].fd, POLLIN, 0 },
					 { relay->sides[1].fd, POLLIN, 0 },
					 { STDIN_FILENO, POLLIN, 0 } };

		sleep_until(fds, deadline(relay));
		for (int i = 0; i < 2; ++i) {
			for (int n = 0; fds[i].revents && n < BATCH && receive(relay, i); ++n)
				;
			pass_on(relay, i);
		}
		obey_later(relay);
		if (fds[2].revents && !listen_to_owner(relay))
			return;
	}
}

int main(int argc, char *argv[])
{
	static struct relay relay;
	uint64_t seed;

	if (argc != 6 || !text_to_uint(argv[1], UINT64_MAX - 1, &seed)) {
		fprintf(stderr, "Usage: relay SEED A_LOCAL A_REMOTE B_LOCAL B_REMOTE\n");
		return 2;
	}
	for (int i = 0; i < 2; ++i) {
		if (!side_open(&relay.sides[i], argv[2 + 2 * i], argv[3 + 2 * i])) {
			perror("relay");
			return 1;
		}
		relay.lanes[i].impair.seed = 2 * seed + (uint64_t)i;
	}
	printf("ok\n");
	fflush(stdout);
	run(&relay);
	for (int i = 0; i < 2; ++i)
		lane_done(&relay.lanes[i]);
	return 0;
}
