#include "cli/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/* Who may rename in the folder can put another key in the place of this one. */
static void warn_of_folder(const char *path)
{
	char *copy = strdup(path);
	const char *folder = copy ? dirname(copy) : NULL;
	struct stat st;

	if (folder && stat(folder, &st) == 0 && st.st_mode & (S_IWGRP | S_IWOTH) &&
	    !(st.st_mode & S_ISVTX))
		fprintf(stderr, "Warning: others may write to %s, so they can replace the key.\n",
			folder);
	free(copy);
}

static bool write_key(int fd, const uint8_t key[static KEY_LEN])
{
	char text[TEXT_KEY_BASE64];
	ssize_t n;

	text_base64_from_key(key, text);
	text[TEXT_KEY_BASE64 - 1] = '\n';
	n = write(fd, text, sizeof(text));
	explicit_bzero(text, sizeof(text));
	if (n >= 0 && (size_t)n < sizeof(text))
		errno = ENOSPC;
	return n == sizeof(text) && fsync(fd) == 0;
}

int key_file_write(const char *path, const uint8_t key[static KEY_LEN])
{
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok;
	int error;

	if (fd < 0) {
		fprintf(stderr, "warren: %s: %s\n", path, strerror(errno));
		return EXIT_FAILURE;
	}
	ok = write_key(fd, key);
	error = errno;
	if (close(fd) < 0 && ok) {
		ok = false;
		error = errno;
	}
	if (ok) {
		warn_of_folder(path);
		return 0;
	}
	(void)unlink(path); /* half a key is none */
	fprintf(stderr, "warren: %s: %s\n", path, strerror(error));
	return EXIT_FAILURE;
}

static bool is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Up to len bytes; fewer only at the end. Negative: errno. */
static ssize_t read_some(int fd, char *ret, size_t len)
{
	size_t have = 0;

	while (have < len) {
		const ssize_t n = read(fd, ret + have, len - have);

		if (n < 0 && errno != EINTR)
			return -1;
		if (n == 0)
			break;
		if (n > 0)
			have += (size_t)n;
	}
	return (ssize_t)have;
}

/* White space to the end of the file. */
static enum key_file_error read_rest(int fd, char *ret_trailing)
{
	char c;
	ssize_t n;

	while ((n = read_some(fd, &c, 1)) == 1) {
		if (is_space((unsigned char)c))
			continue;
		*ret_trailing = c;
		return KEY_FILE_TRAILING;
	}
	return n < 0 ? KEY_FILE_NO_READ : KEY_FILE_OK;
}

static enum key_file_error read_key(int fd, uint8_t ret[static KEY_LEN], char *ret_trailing)
{
	char text[TEXT_KEY_BASE64] = "";
	const ssize_t n = read_some(fd, text, TEXT_KEY_BASE64 - 1);
	enum key_file_error error = KEY_FILE_LENGTH;

	if (n == TEXT_KEY_BASE64 - 1) {
		error = read_rest(fd, ret_trailing);
		if (error == KEY_FILE_OK && !text_base64_to_key(text, ret))
			error = KEY_FILE_FORMAT;
	} else if (n == 0 && lseek(fd, 0, SEEK_CUR) == 0) {
		/* A pipe can't tell where it is: wg(8) takes only what can for an empty file. */
		memset(ret, 0, KEY_LEN);
		error = KEY_FILE_OK;
	}
	explicit_bzero(text, sizeof(text));
	return error;
}

enum key_file_error key_file_read(const char *path, uint8_t ret[static KEY_LEN], char *ret_trailing)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum key_file_error error;

	if (fd < 0)
		return KEY_FILE_NO_OPEN;
	error = read_key(fd, ret, ret_trailing);
	close(fd);
	return error;
}
