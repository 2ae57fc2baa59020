#include "device/steer.h"

#include <errno.h>
#include <stdlib.h>

#include "device/device_private.h"
#include "device/udp_filter.h"
#include "wg/net.h"

int steer_init(struct steer *s, const struct entropy *entropy)
{
	struct known_place *places;
	struct siphash_key key;

	*s = (struct steer){ .entropy = entropy };
	if (!entropy_fill(entropy, &key, sizeof(key)))
		return -EIO;
	places = calloc((size_t)STEER_SETS * KNOWN_WAYS, sizeof(*places));
	if (!places)
		return -ENOMEM;
	known_init(&s->known, places, STEER_SETS, &key);
	pthread_mutex_init(&s->lock, NULL);
	return 0;
}

void steer_done(struct steer *s)
{
	if (!s->known.places)
		return;
	free(s->known.places);
	pthread_mutex_destroy(&s->lock);
	s->known.places = NULL;
}

void steer_note(struct steer *s, const struct ip *at, uint64_t now)
{
	pthread_mutex_lock(&s->lock);
	s->has_grown |= known_note(&s->known, at, now);
	pthread_mutex_unlock(&s->lock);
}

bool steer_knows(struct steer *s, const struct ip *at, uint64_t now)
{
	bool knows;

	pthread_mutex_lock(&s->lock);
	knows = known_has(&s->known, at, now);
	pthread_mutex_unlock(&s->lock);
	return knows;
}

/* What is to be told, if anything is. Each time under another key. */
static bool collect(struct steer *s, uint64_t now, struct udp_steering ret[static 2])
{
	const struct known_place *p = NULL;
	bool has_grown;

	for (int i = 0; i < 2; ++i)
		if (!udp_steering_init(&ret[i], s->entropy))
			return false;
	pthread_mutex_lock(&s->lock);
	has_grown = s->has_grown;
	while (has_grown && (p = known_next(&s->known, p, now)))
		udp_steering_add(&ret[net_family(p->net) == FAMILY_V6], net_family(p->net), p->net);
	s->has_grown = false;
	pthread_mutex_unlock(&s->lock);
	return has_grown;
}

static unsigned int workers_of(const struct device *d, enum family family)
{
	unsigned int n = 0;

	while (n < UDP_WORKERS_MAX && device_socket(d, family, (int)n) >= 0)
		++n;
	return n;
}

/* Where the host does not take it, the known come by the lane of all. */
static void tell(const struct device *d, enum family family, const struct udp_steering *steering)
{
	const int fd = device_socket(d, family, UDP_LANE_KNOWN);

	if (fd >= 0)
		(void)!udp_filter_attach(fd, family, workers_of(d, family), steering);
}

void steer_kernel(struct steer *s, const struct device *d, uint64_t now)
{
	const uint16_t port = atomic_load(&d->port);
	struct udp_steering steering[2];

	if (now < s->again && port == s->port)
		return;
	s->again = now + STEER_PAUSE;
	if (port != s->port) { /* other sockets */
		pthread_mutex_lock(&s->lock);
		s->has_grown = true;
		pthread_mutex_unlock(&s->lock);
	}
	if (!collect(s, now, steering))
		return;
	s->port = port;
	tell(d, FAMILY_V4, &steering[0]);
	tell(d, FAMILY_V6, &steering[1]);
}
