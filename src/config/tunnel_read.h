#ifndef CONFIG_TUNNEL_READ_H
#define CONFIG_TUNNEL_READ_H

#include "base/attr.h"
#include "base/buffer.h"
#include "config/file.h"
#include "model/diag.h"
#include "model/tunnel.h"

/*
 * From the lines of a file to what they say, and from that to a file.
 *
 * Reading goes on behind a mistake: each becomes a diag at its place (file, line, column, length;
 * `file` is f->path, borrowed), and the value is left out. It says what is wrong in the file
 * itself: syntax, keys, sections, what comes twice. What is wrong with what it means is the
 * business of the rules. No diag quotes a value that could be a secret.
 */

/* ret is initialized here and is the caller's to end, also after false: out of memory. */
MUST_CHECK bool tunnel_read(const struct config_file *f, struct tunnel *ret, struct diags *d);

/*
 * The canonical text of a tunnel; reading it gives the same tunnel but for the places. False: it
 * holds a text that cannot be written (see file_text_is_safe), or memory is out; b then ends with a
 * part of it.
 */
MUST_CHECK bool tunnel_write(const struct tunnel *t, struct buffer *b);

#endif
