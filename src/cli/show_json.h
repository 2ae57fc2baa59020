#ifndef CLI_SHOW_JSON_H
#define CLI_SHOW_JSON_H

#include "cli/json_out.h"
#include "cli/show_view.h"

/*
 * Devices as JSON, for warren show --json: {"version": 1, "interfaces": {NAME: {...}}} with the
 * names of wg-json; what is unset has no member. Never a secret: hasPrivateKey and hasPresharedKey
 * say that there is one.
 */
void show_json_begin(struct json_out *j);
void show_json_device(struct json_out *j, const struct show_view *v);
void show_json_end(struct json_out *j);

#endif
