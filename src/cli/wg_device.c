#include "cli/wg_device.h"

#include <stdio.h>

#include "cli/wg.h"
#include "control/devices.h"

int wg_device_get(const char *name, struct model *ret)
{
	struct model_cursor cursor = { 0 };
	struct device device;

	device_init(&device, DEVICES_DIR, name);
	return device.backend.get(device.backend.ctx, &cursor, ret);
}

int wg_device_diagnose(const char *name, struct diagnosis *ret)
{
	struct device device;

	device_init(&device, DEVICES_DIR, name);
	return device.backend.diagnose(device.backend.ctx, ret);
}

int wg_device_set(const char *name, const struct model *patch, bool say_more)
{
	struct diag why = { 0 };
	struct device device;
	int error;

	device_init(&device, DEVICES_DIR, name);
	error = device.backend.set(device.backend.ctx, patch, &why);
	if (!error)
		return 0;
	(void)wg_failed("Unable to modify interface", error);
	if (say_more && why.severity)
		fprintf(stderr, "%s%s%s\n", why.text, why.hint[0] ? "; " : "", why.hint);
	return 1;
}
