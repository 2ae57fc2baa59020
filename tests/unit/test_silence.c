#include "net/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/bytes.h"

#define HOUR (3600 * NS_PER_S)

/* A window each: what left and came since the one before, and how old the session is by then. */
struct window {
	unsigned int sent;
	unsigned int received;
	uint64_t age; /* ns; 0: no session ever */
	enum silence_verdict verdict;
};

static void run(const struct window *rows, size_t count)
{
	struct model_peer p = { .rx_bytes = 1000, .tx_bytes = 5000 };
	struct silence s;

	if (rows[0].age)
		p.handshake_real = HOUR - rows[0].age;
	silence_begin(&s, &p);
	for (size_t i = 0; i < count; ++i) {
		p.tx_bytes += rows[i].sent;
		p.rx_bytes += rows[i].received;
		assert_int_equal(silence_judge(&s, &p, HOUR), rows[i].verdict);
	}
}

#define RUN(...)                                    \
	run((const struct window[]){ __VA_ARGS__ }, \
	    ELEMENTS(((const struct window[]){ __VA_ARGS__ })))

static void nothing_sent_says_nothing(void **state)
{
	(void)state;
	RUN({ 0, 0, 0, SILENCE_IDLE }, { 0, 0, 0, SILENCE_IDLE });
	RUN({ 0, 0, 60 * NS_PER_S, SILENCE_IDLE });
	RUN({ 0, 0, HOUR, SILENCE_IDLE });
}

static void whoever_is_heard_is_there(void **state)
{
	(void)state;
	RUN({ 5000, 32, 0, SILENCE_HEARD }, { 5000, 1, 0, SILENCE_HEARD });
	RUN({ 0, 32, 60 * NS_PER_S, SILENCE_HEARD });
}

/* Requests for a session that nobody answers: the second one is late by 5 s. */
static void no_session_and_two_requests(void **state)
{
	(void)state;
	RUN({ 147, 0, 0, SILENCE_UNSURE }, { 148, 0, 0, SILENCE_UNSURE },
	    { 295, 0, 0, SILENCE_UNSURE }, { 296, 0, 0, SILENCE_SILENT });
	RUN({ 296, 0, 180 * NS_PER_S, SILENCE_SILENT });
	RUN({ 296, 0, 180 * NS_PER_S - 1, SILENCE_UNSURE });
}

/* Data in the last moment of a window may be answered in the next one. */
static void session_needs_two_windows(void **state)
{
	(void)state;
	RUN({ 5000, 0, 60 * NS_PER_S, SILENCE_UNSURE }, { 148, 0, 0, SILENCE_SILENT },
	    { 444, 0, 0, SILENCE_SILENT });
	RUN({ 128, 0, 60 * NS_PER_S, SILENCE_UNSURE }, { 147, 0, 0, SILENCE_UNSURE },
	    { 148, 0, 0, SILENCE_SILENT });
	RUN({ 128, 0, 60 * NS_PER_S, SILENCE_UNSURE }, { 300, 32, 0, SILENCE_HEARD },
	    { 300, 0, 0, SILENCE_UNSURE });
	RUN({ 128, 0, 60 * NS_PER_S, SILENCE_UNSURE }, { 0, 0, 0, SILENCE_IDLE },
	    { 300, 0, 0, SILENCE_UNSURE });
}

/* A peer that asks and hears no answer is not there either. */
static void its_requests_are_no_answer(void **state)
{
	(void)state;
	RUN({ 500, 148, 0, SILENCE_SILENT }, { 500, 444, 0, SILENCE_SILENT },
	    { 500, 592, 0, SILENCE_HEARD }, { 500, 147, 0, SILENCE_HEARD },
	    { 500, 180, 0, SILENCE_HEARD });
	RUN({ 0, 148, 0, SILENCE_IDLE });
}

/* A keepalive is answered by nobody. */
static void keepalives_alone_are_no_silence(void **state)
{
	(void)state;
	RUN({ 32, 0, 60 * NS_PER_S, SILENCE_UNSURE }, { 32, 0, 0, SILENCE_UNSURE },
	    { 32, 0, 0, SILENCE_UNSURE });
}

static void new_session_is_a_sign_of_life(void **state)
{
	struct model_peer p = { .tx_bytes = 148, .rx_bytes = 92 };
	struct silence s;

	(void)state;
	silence_begin(&s, &p);
	p.tx_bytes += 1000;
	p.handshake_real = HOUR;
	assert_int_equal(silence_judge(&s, &p, HOUR), SILENCE_HEARD);
}

/* A device that was made anew counts from nothing; a clock was set back. */
static void counts_and_clocks_that_go_back(void **state)
{
	struct model_peer p = { .tx_bytes = 1000 };
	struct silence s;

	(void)state;
	silence_begin(&s, &p);
	p.tx_bytes = 300;
	assert_int_equal(silence_judge(&s, &p, HOUR), SILENCE_IDLE);
	p.tx_bytes = 900;
	assert_int_equal(silence_judge(&s, &p, HOUR), SILENCE_SILENT);
	p.handshake_real = HOUR;
	silence_begin(&s, &p);
	p.tx_bytes += 1000;
	assert_int_equal(silence_judge(&s, &p, HOUR / 2), SILENCE_UNSURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_sent_says_nothing),
		cmocka_unit_test(whoever_is_heard_is_there),
		cmocka_unit_test(no_session_and_two_requests),
		cmocka_unit_test(session_needs_two_windows),
		cmocka_unit_test(its_requests_are_no_answer),
		cmocka_unit_test(keepalives_alone_are_no_silence),
		cmocka_unit_test(new_session_is_a_sign_of_life),
		cmocka_unit_test(counts_and_clocks_that_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
