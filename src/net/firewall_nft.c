#include <errno.h>
#include <string.h>

#include "base/spawn.h"
#include "net/firewall.h"

enum { NFT_TIMEOUT_MS = 60000 };

static int run_nft(const char *const *argv, const struct buffer *input, struct spawn_result *ret)
{
	return spawn_run(&(struct spawn){ .argv = argv,
					  .input = input ? input->bytes : NULL,
					  .input_len = input ? input->len : 0,
					  .timeout_ms = NFT_TIMEOUT_MS },
			 ret);
}

static int tell(int result, const struct spawn_result *r, const struct item *i, struct diag *why)
{
	char said[DIAG_TEXT / 2];

	if (result == -ENOENT) {
		diag_set(why, DIAG_ERROR, "A4", 0,
			 "the program nft is not there, and table %s needs it", i->name);
		diag_hint(why, "install the package nftables");
		return result;
	}
	spawn_first_error(r, said, sizeof(said));
	if (result == 0)
		result = -EIO;
	diag_set(why, DIAG_ERROR, "A4", 0, "nft refuses table %s: %s", i->name,
		 said[0] ? said : strerror(-result));
	return result;
}

static int apply(const struct item *i, const struct buffer *input, struct diag *why)
{
	static const char *const argv[] = { "nft", "-f", "-", NULL };
	struct spawn_result r;
	int result = run_nft(argv, input, &r);

	if (result != 0 || r.code != 0)
		result = tell(result, &r, i, why);
	spawn_result_done(&r);
	return result;
}

/* Deleting what is not there fails; what was just added is there. */
static void write_remove(struct buffer *b, const struct item *i)
{
	buffer_printf(b, "add table %s\ndelete table %s\n", i->name, i->name);
}

int firewall_add(const struct item *i, struct diag *why)
{
	struct buffer b;
	int result;

	buffer_init(&b);
	write_remove(&b, i);
	buffer_printf(&b, "table %s {\n%s}\n", i->name, i->text);
	result = buffer_ok(&b) ? apply(i, &b, why) : -ENOMEM;
	buffer_done(&b);
	return result;
}

/* What a text holds, however it is written: chains, and rules in them. */
struct size {
	size_t chains;
	size_t rules;
};

static void count_line(struct size *s, const char *line, size_t len)
{
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		++line;
		--len;
	}
	if (len > 6 && memcmp(line, "chain ", 6) == 0)
		++s->chains;
	else if (len > 1 && line[len - 1] != '{' && strncmp(line, "type ", 5) != 0)
		++s->rules;
}

static struct size count(const char *text, size_t len)
{
	struct size s = { 0 };

	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		const size_t line = end ? (size_t)(end - text) : len;

		count_line(&s, text, line);
		text += line + (end ? 1 : 0);
		len -= line + (end ? 1 : 0);
	}
	return s;
}

/* "ip wg-quick-wg0" -> family, name */
static bool split(const struct item *i, char family[static 8], const char **ret_name)
{
	const char *blank = i->name ? strchr(i->name, ' ') : NULL;

	if (!blank || blank - i->name >= 8)
		return false;
	memcpy(family, i->name, (size_t)(blank - i->name));
	family[blank - i->name] = 0;
	*ret_name = blank + 1;
	return true;
}

static int list(const struct item *i, struct spawn_result *ret)
{
	char family[8];
	const char *name;

	*ret = (struct spawn_result){ 0 };
	if (!split(i, family, &name))
		return -EINVAL;
	return run_nft((const char *const[]){ "nft", "list", "table", family, name, NULL }, NULL,
		       ret);
}

/* An nft that was killed, or cannot be run now, says nothing. */
static bool is_gone(const struct item *i)
{
	struct spawn_result r;
	const int result = list(i, &r);
	const bool gone = result == -ENOENT || (result == 0 && r.code == 1);

	spawn_result_done(&r);
	return gone;
}

int firewall_is_there(const struct item *i)
{
	struct spawn_result r;
	int result = list(i, &r);

	if (result == 0 && r.code == 0) {
		const struct size is = count(r.output.bytes, r.output.len);
		const struct size want = count(i->text, strlen(i->text));

		result = is.chains == want.chains && is.rules == want.rules;
	}
	spawn_result_done(&r);
	return result;
}

/* Also where nft is missing, or the kernel knows no such tables: then nothing was made. */
int firewall_remove(const struct item *i, struct diag *why)
{
	struct diag refused = { 0 };
	struct buffer b;
	int result;

	buffer_init(&b);
	write_remove(&b, i);
	result = buffer_ok(&b) ? apply(i, &b, &refused) : -ENOMEM;
	buffer_done(&b);
	if (result == 0 || is_gone(i))
		return 0;
	*why = refused;
	return result;
}
