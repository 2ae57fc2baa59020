#include "device/filter.h"

int filter_install(void)
{
	return 0;
}

size_t filter_size(void)
{
	return 0;
}
