#ifndef DEVICE_RECORDS_PRIVATE_H
#define DEVICE_RECORDS_PRIVATE_H

#include <stddef.h>
#include <stdint.h>

/* The form of the file, for records.c and records_linux.c. */
enum { RECORD_ALIGN = 8 };
#define RECORD_COMMITTED UINT32_C(0x6c6c6157)

struct records_header {
	uint64_t begin;
};

struct record_header {
	uint32_t commit; /* 0 until all the rest is there */
	uint32_t kind;
	uint64_t len;
};

static inline size_t record_padding(uint64_t at)
{
	return (size_t)(-at % RECORD_ALIGN);
}

#endif
