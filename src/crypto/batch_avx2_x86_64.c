#include "crypto/batch_avx2.h"

#include <stdalign.h>
#include <string.h>

#include "crypto/chacha8.h"

/*
 * A batch is one stream of ChaCha20 blocks: of each packet its block 0, which is the key of its
 * Poly1305, and its data blocks. A pass makes the next eight, of whatever packets they are, and
 * beside it runs the Poly1305 of one packet: on the way out of what earlier passes have sealed; on
 * the way in of the next packet to be checked, whose key stream, and nothing else, is made ahead
 * meanwhile. It meets the data when the tag has proved right.
 */
enum {
	GROUP = 64,     /* packets taken together; more are taken by turns */
	AHEAD = 64,     /* blocks of key stream made before their packet is checked */
	FEW_BLOCKS = 2, /* of Poly1305: not worth another pass */
};

/* The end of a packet that is no whole block: made in loose[lane], as nothing beyond may change. */
struct tail {
	uint8_t *dst;
	size_t len;
	unsigned int lane;
};

/* Poly1305 of one packet. */
struct job {
	struct poly poly;
	const struct crypto_packet *packet; /* NULL: none has begun */
	const uint8_t *key;
	const uint8_t *at; /* blocks left to take: `left`, then a short one, then the lengths */
	size_t left;
};

/* Secret all of it. What is not touched by every batch stands last. */
struct work {
	struct chacha_key key;
	struct chacha_lanes lanes;
	struct job job;
	struct tail tails[CHACHA_LANES];
	unsigned int n_lanes, n_tails;
	alignas(CHACHA_BLOCK) uint8_t loose[CHACHA_LANES][CHACHA_BLOCK];
	uint8_t ahead[AHEAD][CHACHA_BLOCK];
	uint8_t keys[GROUP][CHACHA_BLOCK];
};

/* How far the opening of a group is. */
struct opening {
	struct crypto_packet *packets;
	size_t n;
	size_t keyed, ready;   /* packets with a key in a lane or made; with a key made */
	size_t checked;        /* packets whose tag was looked at */
	size_t at, block;      /* the next block of data to make; the first is 1 */
	size_t made, released; /* blocks made ahead, and those of them that are used up */
};

/* Vectors of addresses, and of what is copied. */
typedef uint64_t four __attribute__((vector_size(32), aligned(8), may_alias));
typedef uint64_t two __attribute__((vector_size(16), aligned(1), may_alias));

static const uint8_t zeros[CHACHA_LANES * CHACHA_BLOCK];

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t blocks_of(const struct crypto_packet *p)
{
	return (p->len + CHACHA_BLOCK - 1) / CHACHA_BLOCK;
}

/* Less than 64 bytes, by moves that overlap: a call would cost more. */
CRYPTO_INLINE void copy_short(uint8_t *dst, const uint8_t *src, size_t len)
{
	if (len >= 32) {
		const chacha_vector a = *(const chacha_anywhere *)src;
		const chacha_vector b = *(const chacha_anywhere *)(src + len - 32);

		*(chacha_anywhere *)dst = a;
		*(chacha_anywhere *)(dst + len - 32) = b;
	} else if (len >= 16) {
		const two a = *(const two *)src, b = *(const two *)(src + len - 16);

		*(two *)dst = a;
		*(two *)(dst + len - 16) = b;
	} else if (len >= 8) {
		const uint64_t a = load64_le(src), b = load64_le(src + len - 8);

		store64_le(dst, a);
		store64_le(dst + len - 8, b);
	} else {
		for (size_t i = 0; i < len; ++i)
			dst[i] = src[i];
	}
}

CRYPTO_INLINE void xor_bytes(uint8_t *data, const uint8_t *stream, size_t len)
{
	size_t i = 0;

	for (; i + 32 <= len; i += 32)
		*(chacha_anywhere *)(data + i) ^= *(const chacha_anywhere *)(stream + i);
	for (; i + 4 <= len; i += 4)
		store32_le(data + i, load32_le(data + i) ^ load32_le(stream + i));
	for (; i < len; ++i)
		data[i] ^= stream[i];
}

static void job_begin(struct job *j, const struct crypto_packet *p, const uint8_t *key)
{
	if (j->packet)
		return;
	poly_init(&j->poly, key);
	j->packet = p;
	j->key = key;
	j->at = p->data;
	j->left = p->len / POLY_BLOCK;
}

/* The blocks that can be woven into the next pass, of the `len` bytes that are there. */
static size_t job_woven(const struct job *j, size_t len)
{
	const size_t there = (size_t)(j->packet->data + len - j->at) / POLY_BLOCK;

	return least(least(there, j->left), CHACHA_WOVEN);
}

/* The last `rest` bytes of the packet as a block, the others zero. */
static void job_last(const struct job *j, size_t rest, uint8_t ret[static POLY_BLOCK])
{
	unsigned __int128 block = 0;

	if (j->packet->len >= POLY_BLOCK) {
		const uint8_t *last = j->at + rest - POLY_BLOCK;

		block = (unsigned __int128)load64_le(last + 8) << 64 | load64_le(last);
		block >>= 8 * (POLY_BLOCK - rest);
	} else {
		for (size_t i = 0; i < rest; ++i)
			block |= (unsigned __int128)j->at[i] << 8 * i;
	}
	store64_le(ret, (uint64_t)block);
	store64_le(ret + 8, (uint64_t)(block >> 64));
}

static void job_end(struct job *j, uint8_t tag[static CRYPTO_TAG])
{
	const size_t rest = j->packet->len % POLY_BLOCK;
	struct poly p = j->poly;
	uint8_t last[POLY_BLOCK];

	for (; j->left > 0; --j->left, j->at += POLY_BLOCK)
		poly_block(&p, j->at);
	if (rest > 0) {
		job_last(j, rest, last);
		poly_block(&p, last);
	}
	store64_le(last, 0); /* no additional data */
	store64_le(last + 8, j->packet->len);
	poly_block(&p, last);
	poly_final(&p, j->key + 16, tag);
	j->packet = NULL;
}

/* n lanes for blocks of one packet in a row, from `counter` on; those above are overwritten too. */
CRYPTO_INLINE void lanes_put(struct work *w, uint64_t nonce, size_t counter, uint64_t src,
			     uint64_t dst, size_t n)
{
	typedef int32_t order __attribute__((vector_size(32)));
	const chacha_vector zero = { 0 }, count = { 0, 1, 2, 3, 4, 5, 6, 7 };
	const four steps = { 0, CHACHA_BLOCK, 2 * CHACHA_BLOCK, 3 * CHACHA_BLOCK };
	const unsigned int at = w->n_lanes;
	const chacha_vector keep = (chacha_vector)((order)count < (int)at - (order)zero);
	struct chacha_lanes *l = &w->lanes;

	l->counter = (l->counter & keep) | (~keep & (count + ((uint32_t)counter - at)));
	l->nonce_lo = (l->nonce_lo & keep) | (~keep & (zero + (uint32_t)nonce));
	l->nonce_hi = (l->nonce_hi & keep) | (~keep & (zero + (uint32_t)(nonce >> 32)));
	*(four *)&l->src[at] = steps + src;
	*(four *)&l->src[at + 4] = steps + src + 4 * CHACHA_BLOCK;
	*(four *)&l->dst[at] = steps + dst;
	*(four *)&l->dst[at + 4] = steps + dst + 4 * CHACHA_BLOCK;
	w->n_lanes = at + (unsigned int)n;
}

static void put_key(struct work *w, const struct crypto_packet *p, size_t i)
{
	lanes_put(w, p->counter, 0, (uint64_t)zeros, (uint64_t)w->keys[i], 1);
}

/* The short last block goes by way of `loose`. */
static void put_tail(struct work *w, const struct crypto_packet *p, size_t len)
{
	const unsigned int lane = w->n_lanes - 1;
	uint8_t *const loose = w->loose[lane], *const end = p->data + p->len - len;

	copy_short(loose, end, len);
	w->lanes.src[lane] = w->lanes.dst[lane] = loose;
	w->tails[w->n_tails++] = (struct tail){ end, len, lane };
}

/* Blocks in place from `block` on, as many as lanes are free; block 0 goes to `key`. Returns how
 * many. */
static size_t put_blocks(struct work *w, const struct crypto_packet *p, size_t block, uint8_t *key)
{
	const unsigned int at = w->n_lanes;
	const size_t last = blocks_of(p), n = least(last + 1 - block, CHACHA_LANES - at);
	const uint64_t data = (uint64_t)p->data + block * CHACHA_BLOCK - CHACHA_BLOCK;
	const size_t len = p->len % CHACHA_BLOCK;

	lanes_put(w, p->counter, block, data, data, n);
	if (block == 0) {
		w->lanes.src[at] = zeros;
		w->lanes.dst[at] = key;
	}
	if (len > 0 && block + n > last)
		put_tail(w, p, len);
	return n;
}

static void pass(struct work *w, size_t woven)
{
	for (size_t i = w->n_lanes; i < CHACHA_LANES; ++i) {
		w->lanes.src[i] = zeros;
		w->lanes.dst[i] = w->loose[i];
	}
	chacha8_pass(&w->key, &w->lanes, &w->job.poly, w->job.at, woven);
	w->job.at += woven * POLY_BLOCK;
	w->job.left -= woven;
	for (size_t i = 0; i < w->n_tails; ++i)
		copy_short(w->tails[i].dst, w->loose[w->tails[i].lane], w->tails[i].len);
	w->n_lanes = w->n_tails = 0;
}

static void seal_group(struct work *w, struct crypto_packet *packets, size_t n)
{
	size_t at = 0, block = 0; /* the next block to make */
	size_t tagged = 0;        /* packets with a tag */
	size_t woven = 0;         /* Poly1305 blocks of the next one beside the next pass */

	while (tagged < n) {
		while (at < n && w->n_lanes < CHACHA_LANES) {
			block += put_blocks(w, &packets[at], block, w->keys[at]);
			if (block > blocks_of(&packets[at])) {
				++at;
				block = 0;
			}
		}
		pass(w, woven);
		for (; tagged < at; ++tagged) {
			struct crypto_packet *p = &packets[tagged];

			job_begin(&w->job, p, w->keys[tagged]);
			if (at < n && w->job.left > FEW_BLOCKS)
				break;
			job_end(&w->job, p->data + p->len);
		}
		woven = 0;
		if (tagged < at) {
			woven = job_woven(&w->job, packets[tagged].len);
		} else if (block > 1) {
			job_begin(&w->job, &packets[at], w->keys[at]);
			woven = job_woven(&w->job, (block - 1) * CHACHA_BLOCK);
		}
	}
}

/* The tag of the next packet; right, and what was made ahead for it meets its data. */
static void check_next(struct work *w, struct opening *o)
{
	struct crypto_packet *p = &o->packets[o->checked];
	size_t blocks = o->checked < o->at ? blocks_of(p) : o->checked == o->at ? o->block - 1 : 0;
	uint8_t tag[CRYPTO_TAG];

	job_begin(&w->job, p, w->keys[o->checked]);
	job_end(&w->job, tag);
	p->ok = batch_tag_matches(tag, p->data + p->len);
	if (!p->ok)
		crypto_wipe(p->data, p->len);
	for (size_t done = 0, run; blocks > 0; blocks -= run, done += run * CHACHA_BLOCK) {
		const size_t slot = o->released % AHEAD;

		run = least(blocks, AHEAD - slot);
		if (p->ok)
			xor_bytes(p->data + done, w->ahead[slot],
				  least(run * CHACHA_BLOCK, p->len - done));
		o->released += run;
	}
	++o->checked;
}

/* Key stream for a packet that is not checked yet; false where there is no room for it. */
static bool put_ahead(struct work *w, struct opening *o)
{
	const struct crypto_packet *p = &o->packets[o->at];
	const size_t slot = o->made % AHEAD, room = AHEAD - (o->made - o->released);
	const size_t n = least(least(blocks_of(p) + 1 - o->block, CHACHA_LANES - w->n_lanes),
			       least(room, AHEAD - slot));

	if (n == 0)
		return false;
	lanes_put(w, p->counter, o->block, (uint64_t)zeros, (uint64_t)w->ahead[slot], n);
	o->made += n;
	o->block += n;
	return true;
}

/* The key of a packet goes before the data of the one before it. */
static void fill_lanes(struct work *w, struct opening *o)
{
	while (o->at < o->n && w->n_lanes < CHACHA_LANES) {
		const struct crypto_packet *p = &o->packets[o->at];
		const bool is_checked = o->at < o->checked;

		if (o->keyed <= o->at + 1 && o->keyed < o->n) {
			put_key(w, &o->packets[o->keyed], o->keyed);
			++o->keyed;
		} else if (o->block > blocks_of(p) || (is_checked && !p->ok)) {
			++o->at;
			o->block = 1;
		} else if (is_checked) {
			o->block += put_blocks(w, p, o->block, NULL);
		} else if (!put_ahead(w, o)) {
			return;
		}
	}
}

static size_t open_group(struct work *w, struct crypto_packet *packets, size_t n)
{
	struct opening o = { .packets = packets, .n = n, .block = 1 };

	while (o.checked < n || o.at < n) {
		bool is_stuck;

		fill_lanes(w, &o);
		is_stuck = w->n_lanes == 0;
		if (!is_stuck) {
			size_t woven = 0;

			if (o.checked < o.ready) {
				job_begin(&w->job, &packets[o.checked], w->keys[o.checked]);
				woven = job_woven(&w->job, packets[o.checked].len);
			}
			pass(w, woven);
			o.ready = o.keyed;
		}
		while (o.checked < o.ready) {
			job_begin(&w->job, &packets[o.checked], w->keys[o.checked]);
			if (!is_stuck && w->job.left > FEW_BLOCKS)
				break;
			check_next(w, &o);
			is_stuck = is_stuck && o.at == n;
		}
	}
	return least(o.made, AHEAD);
}

static void work_init(struct work *w, const struct key_shared *key, uint32_t first)
{
	w->lanes.counter = w->lanes.nonce_lo = w->lanes.nonce_hi = (chacha_vector){ 0 };
	w->job = (struct job){ .at = zeros };
	w->n_lanes = w->n_tails = 0;
	for (size_t i = 0; i < 8; ++i)
		w->key.words[i] = load32_le(key->bytes + 4 * i);
	w->key.words[8] = first;
}

/* Only what a batch of so many has touched: all of it would cost a small one more than its cipher.
 */
static void work_wipe(struct work *w, size_t n_keys, size_t n_ahead)
{
	crypto_wipe(w, offsetof(struct work, ahead));
	crypto_wipe(w->ahead, n_ahead * CHACHA_BLOCK);
	crypto_wipe(w->keys, n_keys * CHACHA_BLOCK);
	chacha8_wipe();
}

bool batch_avx2_seal(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		     uint32_t first)
{
	struct work w __attribute__((uninitialized));

	work_init(&w, key, first);
	for (size_t done = 0; done < n; done += GROUP)
		seal_group(&w, packets + done, least(n - done, GROUP));
	work_wipe(&w, least(n, GROUP), 0);
	return true;
}

void batch_avx2_open(struct crypto_packet *packets, size_t n, const struct key_shared *key,
		     uint32_t first)
{
	struct work w __attribute__((uninitialized));
	size_t most = 0;

	work_init(&w, key, first);
	for (size_t done = 0; done < n; done += GROUP) {
		const size_t ahead = open_group(&w, packets + done, least(n - done, GROUP));

		most = ahead > most ? ahead : most;
	}
	work_wipe(&w, least(n, GROUP), most);
}

void batch_avx2_poly1305(const uint8_t key[static 32], const uint8_t *message, size_t blocks,
			 size_t woven, uint8_t ret[static CRYPTO_TAG])
{
	struct work w;

	memset(&w, 0, sizeof(w));
	poly_init(&w.job.poly, key);
	w.job.at = message;
	for (w.job.left = blocks; woven > 0 && w.job.left >= woven;)
		pass(&w, woven);
	for (; w.job.left > 0; --w.job.left, w.job.at += POLY_BLOCK)
		poly_block(&w.job.poly, w.job.at);
	poly_final(&w.job.poly, key + 16, ret);
	work_wipe(&w, GROUP, AHEAD);
}
