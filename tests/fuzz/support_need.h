#ifndef SUPPORT_NEED_H
#define SUPPORT_NEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void need(bool is_right);       /* else the input is a finding */
uint8_t *need_room(size_t len); /* just as much, so that ASan sees each byte beyond */

#endif
