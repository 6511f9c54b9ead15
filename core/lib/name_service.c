#include "core/lib/name_service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/lib/io.h"

/* NSS asks for a larger buffer with ERANGE. A group's entry has all its members in it. */
#define ENTRY_FIRST_SIZE 1024
#define ENTRY_MOST_SIZE	 (16 * 1024 * 1024)

/* The total time for which a process repeats its look-ups, and the pause between two tries. */
#define PATIENCE_MS 10000
#define PAUSE_US    100000

bool name_service_is_silent(int code)
{
	static const int codes[] = {EAGAIN,	  EINTR,	EIO,	    EMFILE,    ENFILE,
				    ENOMEM,	  ENOBUFS,	EPIPE,	    ESTALE,    ECONNREFUSED,
				    ECONNRESET,	  ECONNABORTED, ENOTCONN,   ETIMEDOUT, EHOSTDOWN,
				    EHOSTUNREACH, ENETDOWN,	ENETUNREACH};
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (code == codes[i])
			return true;
	return false;
}

int name_service_look_up(struct name_query *query,
			 enum name_answer (*once)(struct name_query *query), const char *what)
{
	static int64_t patience_ms = PATIENCE_MS;
	char number[16];
	const char *name = query->whose != NULL ? query->whose->name : query->name;
	int64_t start = io_now_ms();
	int64_t spent = 0;
	enum name_answer answer = once(query);
	while (answer == NOT_ANSWERED && spent < patience_ms) {
		usleep(PAUSE_US);
		answer = once(query);
		spent = io_now_ms() - start;
	}
	snprintf(number, sizeof(number), "%u", (unsigned int)query->id);
	patience_ms -= spent < patience_ms ? spent : patience_ms;
	if (answer == NOT_ANSWERED)
		return error_set(query->err, ERROR_SYSTEM,
				 "cannot look up %s%s: the directory of accounts and groups "
				 "(nsswitch.conf(5)) did not answer within %d seconds: %s; try "
				 "again later",
				 what, name != NULL ? name : number, PATIENCE_MS / 1000,
				 strerror(query->why));
	return answer == ANSWER_FOUND ? 0 : answer == ANSWER_NONE ? 1 : -1;
}

enum name_answer name_service_ask_entry(struct name_query *query)
{
	for (size_t size = ENTRY_FIRST_SIZE; size <= ENTRY_MOST_SIZE; size *= 4) {
		enum name_answer answer = ANSWER_NONE;
		cleanup_free char *room = malloc(size);
		if (room == NULL) {
			error_set(query->err, ERROR_SYSTEM, "out of memory");
			return LOOK_UP_FAILED;
		}
		errno = 0;
		query->why = query->read(query, room, size, &answer);
		if (answer != ANSWER_NONE)
			return answer;
		if (query->why == 0 || query->why == ENOENT || query->why == ESRCH)
			return ANSWER_NONE;
		if (query->why != ERANGE)
			return NOT_ANSWERED;
	}
	error_set(query->err, ERROR_SYSTEM, "the entry of %s is too long",
		  query->group != NULL ? "a group" : "an account");
	return LOOK_UP_FAILED;
}
