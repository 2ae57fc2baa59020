#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/key_file.h"
#include "cli/out.h"
#include "cli/wg.h"
#include "crypto/crypto.h"

static int print_key(const struct wg_call *call, const uint8_t key[static KEY_LEN])
{
	char text[TEXT_KEY_BASE64];
	struct out o;

	text_base64_from_key(key, text);
	out_init(&o, STDOUT_FILENO);
	out_text(&o, text);
	out_text(&o, "\n");
	explicit_bzero(text, sizeof(text));
	return out_end(&o, call->program, 0);
}

static void warn_if_world_accessible(void)
{
	struct stat st;

	if (fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & S_IRWXO)
		fputs("Warning: writing to world accessible file.\n"
		      "Consider setting the umask to 077 and trying again.\n",
		      stderr);
}

/* -o FILE, or standard output. */
static int deliver(const struct wg_call *call, const char *path, const struct key_private *key)
{
	if (path)
		return key_file_write(path, key->bytes);
	return print_key(call, key->bytes);
}

static int generate(const struct wg_call *call, const struct wg_verb *verb, bool is_private)
{
	const bool to_file = call->is_warren && call->argc == 3 && strcmp(call->argv[1], "-o") == 0;
	struct key_private key;
	int code;

	if (call->argc != 1 && !to_file)
		return wg_usage(call, verb);
	if (!to_file)
		warn_if_world_accessible();
	if (!crypto_random(&key, sizeof(key)))
		return wg_failed("getrandom", -EIO);
	if (is_private)
		crypto_clamp(&key);
	code = deliver(call, to_file ? call->argv[2] : NULL, &key);
	crypto_wipe(&key, sizeof(key));
	return code;
}

static int run_genkey(const struct wg_call *call)
{
	return generate(call, &wg_genkey, true);
}

static int run_genpsk(const struct wg_call *call)
{
	return generate(call, &wg_genpsk, false);
}

enum reading { READ_KEY, BAD_KEY, TRAILING };

/* Exactly a key, then nothing but white space and NULs. */
static enum reading read_key(FILE *in, struct key_private *ret)
{
	char text[TEXT_KEY_BASE64] = "";
	enum reading reading = READ_KEY;
	int c;

	if (fread(text, 1, TEXT_KEY_BASE64 - 1, in) != TEXT_KEY_BASE64 - 1)
		reading = BAD_KEY;
	while (reading == READ_KEY && (c = getc(in)) != EOF)
		if (c != '\0' && !strchr(" \t\n\v\f\r", c))
			reading = TRAILING;
	if (reading == READ_KEY && !text_base64_to_key(text, ret->bytes))
		reading = BAD_KEY;
	explicit_bzero(text, sizeof(text));
	return reading;
}

static int print_public(const struct wg_call *call, const struct key_private *key)
{
	struct key_public public;

	if (!crypto_public(key, &public)) {
		fprintf(stderr, "%s: out of memory\n", call->program);
		return EXIT_FAILURE;
	}
	return print_key(call, public.bytes);
}

static int run_pubkey(const struct wg_call *call)
{
	static const char *const words[] = {
		[BAD_KEY] = "Key is not the correct length or format",
		[TRAILING] = "Trailing characters found after key",
	};
	char buffer[BUFSIZ];
	struct key_private key;
	enum reading reading;
	int code = EXIT_FAILURE;

	if (call->argc != 1)
		return wg_usage(call, &wg_pubkey);
	(void)setvbuf(stdin, buffer, _IOFBF, sizeof(buffer)); /* to wipe it; can't fail so early */
	reading = read_key(stdin, &key);
	if (reading == READ_KEY)
		code = print_public(call, &key);
	else
		fprintf(stderr, "%s: %s\n", call->program, words[reading]);
	(void)setvbuf(stdin, NULL, _IONBF, 0); /* the buffer ends with this function */
	explicit_bzero(buffer, sizeof(buffer));
	crypto_wipe(&key, sizeof(key));
	return code;
}

const struct wg_verb wg_genkey = {
	.name = "genkey",
	.usage = "",
	.more = "[-o <new file>]",
	.purpose = "Generates a new private key and writes it to stdout",
	.run = run_genkey,
};

const struct wg_verb wg_genpsk = {
	.name = "genpsk",
	.usage = "",
	.more = "[-o <new file>]",
	.purpose = "Generates a new preshared key and writes it to stdout",
	.run = run_genpsk,
};

const struct wg_verb wg_pubkey = {
	.name = "pubkey",
	.usage = "",
	.purpose = "Reads a private key from stdin and writes a public key to stdout",
	.run = run_pubkey,
};
