/*
 * Runs a fuzz target over files instead of under libFuzzer: each argument is a file, or a folder
 * whose files are all run. The empty input always goes first.
 */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int replay_file(const char *path, size_t len)
{
	FILE *file = fopen(path, "rb");
	/* exactly as long as the input, so that a sanitizer sees one byte too many */
	uint8_t *data = calloc(1, len ? len : 1);
	int status = -1;

	if (!file || !data || fread(data, 1, len, file) != len) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		goto out;
	}
	puts(path);
	fflush(stdout);
	(void)LLVMFuzzerTestOneInput(data, len); /* always 0 */
	status = 1;
out:
	free(data);
	if (file)
		(void)fclose(file); /* only read */
	return status;
}

static int replay_path(const char *path);

static int replay_folder(const char *path)
{
	struct dirent **entries;
	const int n = scandir(path, &entries, NULL, alphasort);
	int total = 0;

	if (n < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; ++i) {
		char name[4096];

		if (entries[i]->d_name[0] != '.' && total >= 0) {
			(void)snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
			const int ran = replay_path(name);

			total = ran < 0 ? -1 : total + ran;
		}
		free(entries[i]);
	}
	free(entries);
	return total;
}

/* How many inputs were run, or -1 after a message. */
static int replay_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	return S_ISDIR(st.st_mode) ? replay_folder(path) : replay_file(path, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
	uint8_t *empty = calloc(1, 1);
	int total = 0;

	if (!empty)
		return EXIT_FAILURE;
	(void)LLVMFuzzerTestOneInput(empty, 0); /* always 0 */
	free(empty);
	for (int i = 1; i < argc; ++i) {
		const int ran = replay_path(argv[i]);

		if (ran < 0)
			return EXIT_FAILURE;
		total += ran;
	}
	printf("%d inputs\n", total);
	return total ? EXIT_SUCCESS : EXIT_FAILURE;
}
