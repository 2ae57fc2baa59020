#ifndef CLI_TUNNEL_PATH_H
#define CLI_TUNNEL_PATH_H

#include <stdbool.h>

#include "base/attr.h"
#include "model/model.h"

/*
 * FILE|NAME of the verbs of tunnels, by wg-quick's rules (behaviour.md D.1): what looks like a name
 * is /etc/wireguard/NAME.conf, also "wg0.conf"; anything else is a path that ends in NAME.conf.
 */
struct tunnel_path {
	char *given;           /* the path before its links were followed */
	char *absolute;        /* the same from any folder: it leads to this tunnel again */
	char *path;            /* and after: what is read and replaced */
	char name[MODEL_NAME]; /* of the path that was given, whatever its link points to */
};

/* Finds it, or says what is wrong, behind "PROGRAM: ", and gives 1; quick: in wg-quick's words and
 * no more. Also where anybody may read the file, as wg-quick warns. tunnel_path_done is due. */
MUST_CHECK int tunnel_path_find(struct tunnel_path *p, const char *word, const char *program,
				bool quick);
void tunnel_path_done(struct tunnel_path *p);

#endif
