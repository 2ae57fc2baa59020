#include "cli/show_view.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "crypto/crypto.h"

bool show_view_init(struct show_view *v, const char *name, const struct model *m)
{
	*v = (struct show_view){ .name = name, .model = m, .has_public_key = m->has_private_key };
	return !m->has_private_key || crypto_public(&m->private_key, &v->public_key);
}

void show_put_key(struct out *o, const uint8_t key[static KEY_LEN])
{
	char text[TEXT_KEY_BASE64];

	text_base64_from_key(key, text);
	out_text(o, text);
	explicit_bzero(text, sizeof(text));
}

void show_put_endpoint(struct out *o, const struct endpoint *e)
{
	char text[TEXT_ENDPOINT];

	text_from_endpoint(e, text);
	out_text(o, text);
}

bool show_has_preshared_key(const struct model_peer *p)
{
	return !crypto_is_zero(p->preshared_key.bytes, KEY_LEN);
}

void show_put_duration(struct out *o, uint64_t seconds, const char *before, const char *after)
{
	static const struct {
		uint64_t seconds;
		const char *name;
	} units[] = {
		{ UINT64_C(365) * 24 * 60 * 60, "year" },
		{ 24 * 60 * 60, "day" },
		{ 60 * 60, "hour" },
		{ 60, "minute" },
		{ 1, "second" },
	};
	const char *comma = "";

	for (size_t i = 0; i < ELEMENTS(units); ++i) {
		const uint64_t count = seconds / units[i].seconds;

		seconds %= units[i].seconds;
		if (!count)
			continue;
		out_printf(o, "%s%" PRIu64 " %s%s%s%s", comma, count, before, units[i].name,
			   count == 1 ? "" : "s", after);
		comma = ", ";
	}
}
