#include <errno.h>
#include <string.h>

#include "base/spawn.h"
#include "net/foreign_private.h"
#include "net/ruleset.h"

enum { TIMEOUT_MS = 60000, FIREWALLD_IS_NOT_RUNNING = 252 };

static int run(const char *const *argv, const struct buffer *input, struct spawn_result *ret)
{
	return spawn_run(&(struct spawn){ .argv = argv,
					  .input = input ? input->bytes : NULL,
					  .input_len = input ? input->len : 0,
					  .timeout_ms = TIMEOUT_MS },
			 ret);
}

static int tell(int result, const struct spawn_result *r, const struct item *i, struct diag *why)
{
	char said[DIAG_TEXT / 2];

	spawn_first_error(r, said, sizeof(said));
	if (result == 0)
		result = -EIO;
	diag_set(why, DIAG_ERROR, "D3", 0, "%s: %s: %s", i->name, i->text,
		 said[0] ? said : strerror(-result));
	return result;
}

static int run_verb(const struct foreign_rule *r, const struct item *i, enum foreign_verb verb,
		    struct spawn_result *ret)
{
	struct foreign_args a;

	foreign_args(r, i, verb, &a);
	return run(a.argv, NULL, ret);
}

/* Then it has said nothing. */
static bool was_killed(const struct spawn_result *r)
{
	return r->code > 128;
}

/* The rules of an nft chain; -ENOENT: there is no such chain. */
static int list_chain(const struct foreign_rule *r, struct ruleset *ret)
{
	struct spawn_result result;
	int error = run((const char *const[]){ "nft", "-j", "-a", "list", "chain", r->family,
					       r->table, r->chain, NULL },
			NULL, &result);

	if (error == 0 && result.code != 0)
		error = was_killed(&result) ? -EIO : -ENOENT;
	if (error == 0)
		error = ruleset_from_json(result.output.bytes, result.output.len, ret);
	spawn_result_done(&result);
	return error;
}

static bool has_tag(const json_t *rule, const char *tag)
{
	const char *comment = json_string_value(json_object_get(rule, "comment"));

	return comment && strcmp(comment, tag) == 0;
}

static int count_nft(const struct foreign_rule *r)
{
	struct ruleset set;
	int result = list_chain(r, &set);

	if (result != 0)
		return result;
	for (size_t i = 0; i < set.count; ++i) {
		for (size_t j = 0; j < set.chains[i].count; ++j)
			result = result || has_tag(set.chains[i].rules[j], r->tag);
	}
	ruleset_done(&set);
	return result;
}

/* Is the chain that iptables should look in there at all? */
static bool has_chain(const struct foreign_rule *r)
{
	struct spawn_result result;
	const bool has = run((const char *const[]){ r->program, "-w", "-S", r->chain, NULL }, NULL,
			     &result) == 0 &&
			 result.code == 0;

	spawn_result_done(&result);
	return has;
}

static int ask(const struct foreign_rule *r, const struct item *i)
{
	struct spawn_result result;
	int is = run_verb(r, i, FOREIGN_ASK, &result);

	if (is == 0 && result.code == 0)
		is = 1;
	else if (is == 0 && r->tool == FOREIGN_FIREWALL_CMD)
		is = result.code == FIREWALLD_IS_NOT_RUNNING ? -ENOENT : 0;
	else if (is == 0 && was_killed(&result))
		is = -EIO;
	else if (is == 0 && !has_chain(r))
		is = -ENOENT;
	spawn_result_done(&result);
	return is;
}

int foreign_is_there(const struct item *i)
{
	struct foreign_rule r;

	if (!foreign_parse(i, &r))
		return -EINVAL;
	return r.tool == FOREIGN_NFT ? count_nft(&r) : ask(&r, i);
}

static int nft_script(const struct buffer *b, const struct item *i, struct diag *why)
{
	struct spawn_result r;
	int result;

	if (!buffer_ok(b))
		return -ENOMEM;
	result = run((const char *const[]){ "nft", "-f", "-", NULL }, b, &r);
	if (result != 0 || r.code != 0)
		result = tell(result, &r, i, why);
	spawn_result_done(&r);
	return result;
}

static int insert_nft(const struct foreign_rule *r, const struct item *i, struct diag *why)
{
	struct buffer b;
	int result;

	buffer_init(&b);
	foreign_insert(r, i, &b);
	buffer_printf(&b, "\n");
	result = nft_script(&b, i, why);
	buffer_done(&b);
	return result;
}

int foreign_add(const struct item *i, struct diag *why)
{
	struct foreign_rule r;
	struct spawn_result result;
	int error;

	if (!foreign_parse(i, &r))
		return -EINVAL;
	if (foreign_is_there(i) == 1)
		return 0;
	if (r.tool == FOREIGN_NFT)
		return insert_nft(&r, i, why);
	error = run_verb(&r, i, FOREIGN_ADD, &result);
	if (error != 0 || result.code != 0)
		error = tell(error, &result, i, why);
	spawn_result_done(&result);
	return error;
}

/* By handle, all that have the tag. */
static int delete_nft(const struct foreign_rule *r, const struct item *item, struct diag *why)
{
	struct ruleset set;
	struct buffer b;
	int result = list_chain(r, &set);

	if (result != 0)
		return result == -ENOENT ? 0 : result;
	buffer_init(&b);
	for (size_t i = 0; i < set.count; ++i) {
		for (size_t j = 0; j < set.chains[i].count; ++j) {
			const json_t *rule = set.chains[i].rules[j];

			if (has_tag(rule, r->tag))
				buffer_printf(&b, "delete rule %s %s %s handle %lld\n", r->family,
					      r->table, r->chain,
					      (long long)json_integer_value(
						      json_object_get(rule, "handle")));
		}
	}
	if (b.len > 0 || b.failed)
		result = nft_script(&b, item, why);
	buffer_done(&b);
	ruleset_done(&set);
	return result;
}

int foreign_remove(const struct item *i, struct diag *why)
{
	struct foreign_rule r;
	int is, error = 0;

	if (!foreign_parse(i, &r))
		return -EINVAL;
	if (r.tool == FOREIGN_NFT)
		return delete_nft(&r, i, why);
	while (error == 0 && (is = foreign_is_there(i)) == 1) {
		struct spawn_result result;

		error = run_verb(&r, i, FOREIGN_REMOVE, &result);
		if (error != 0 || result.code != 0)
			error = tell(error, &result, i, why);
		spawn_result_done(&result);
	}
	if (error == 0 && is != 0 && is != -ENOENT)
		error = is; /* it may still be there */
	return error;
}
