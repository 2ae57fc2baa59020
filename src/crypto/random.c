#include <errno.h>
#include <sys/random.h>

#include "crypto/crypto.h"

/* No second source: a weak key is worse than none. */
bool crypto_random(void *ret, size_t len)
{
	uint8_t *p = ret;
	size_t done = 0;

	while (done < len) {
		const ssize_t n = getrandom(p + done, len - done, 0);

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			crypto_wipe(ret, done);
			return false;
		}
	}
	return true;
}
