#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/journal.h"

/* Whatever bytes a journal holds: what is read of them is what its whole lines say. */

static const char boot[] = "39ef2248-afce-4724-86df-7cd51a633b26";

static int parse(const uint8_t *data, size_t len, struct journal *j, size_t *ret_used)
{
	bool other_boot;

	*j = (struct journal){ 0 };
	return journal_parse(j, (const char *)data, len, boot, &other_boot, ret_used);
}

static void done(struct journal *j)
{
	free(j->file);
	free(j->engine);
	items_done(&j->owned);
	items_done(&j->wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct journal whole, cut;
	size_t used, again;

	if (parse(data, len, &whole, &used) == 0) {
		assert(used <= len && (!used || data[used - 1] == '\n'));
		assert(parse(data, used, &cut, &again) == 0 && again == used);
		assert(cut.phase == whole.phase && cut.owned.count == whole.owned.count);
		for (size_t i = 0; i < whole.owned.count; ++i)
			assert(item_equal(&whole.owned.rows[i], &cut.owned.rows[i]));
		done(&cut);
	}
	done(&whole);
	return 0;
}
