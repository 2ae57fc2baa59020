#include "cli/patch_print.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"

static void print_peer(const struct model_peer *p, const char *link, FILE *to)
{
	char key[TEXT_KEY_BASE64], prefix[TEXT_PREFIX], endpoint[TEXT_ENDPOINT];

	text_base64_from_key(p->public_key.bytes, key);
	fprintf(to, "[#] wg set %s peer %s", link, key);
	if (p->remove)
		fputs(" remove", to);
	if (p->has_preshared_key)
		fputs(" preshared-key (hidden)", to);
	if (p->has_endpoint) {
		text_from_endpoint(&p->endpoint, endpoint);
		fprintf(to, " endpoint %s", endpoint);
	}
	if (p->has_keepalive)
		fprintf(to, " persistent-keepalive %u", p->keepalive);
	if (p->allowed_count || p->replace_allowed)
		fputs(p->allowed_count ? " allowed-ips " : " allowed-ips \"\"", to);
	for (size_t i = 0; i < p->allowed_count; ++i) {
		text_from_prefix(&p->allowed[i].prefix, prefix);
		fprintf(to, "%s%s%s", i ? "," : "", p->replace_allowed ? "" : "+", prefix);
	}
	fputc('\n', to);
}

void patch_print(const struct model *patch, const char *link, FILE *to)
{
	if (patch->has_private_key)
		fprintf(to, "[#] wg set %s private-key (hidden)\n", link);
	if (patch->has_listen_port)
		fprintf(to, "[#] wg set %s listen-port %u\n", link, patch->listen_port);
	if (patch->has_fwmark)
		fprintf(to, "[#] wg set %s fwmark %" PRIu32 "\n", link, patch->fwmark);
	for (size_t i = 0; i < patch->peer_count; ++i)
		print_peer(&patch->peers[i], link, to);
}
