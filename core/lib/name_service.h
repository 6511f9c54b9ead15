/*
 * Asks the sources of nsswitch.conf(5) for accounts and groups, until they answer. Only account.c
 * and account_groups.c use this.
 */
#ifndef JACAMAR_CORE_LIB_NAME_SERVICE_H
#define JACAMAR_CORE_LIB_NAME_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "core/lib/account.h"
#include "core/lib/error.h"

/* The answer of all sources of nsswitch.conf(5) together. */
enum name_answer {
	ANSWER_FOUND,
	ANSWER_NONE, /* no such entry */
	NOT_ANSWERED,
	LOOK_UP_FAILED, /* with query->err; asking again is of no use */
};

struct name_query {
	/* Reads an entry with `room` for its texts. Returns what getpwnam_r(3) does. */
	int (*read)(struct name_query *query, char *room, size_t size, enum name_answer *answer);
	const char *name;	     /* of the entry; NULL: look for `id` */
	id_t id;		     /* a uid or gid */
	const char *member;	     /* to look for among a group's members; NULL: none */
	const struct account *whose; /* groups */
	/* The result goes to one of these: */
	struct account *account;
	struct account_group *group;
	struct account_groups *groups;
	int why; /* an errno, if there was no answer */
	struct error *err;
};

/*
 * True for errors of a source that could not be asked: no connection, descriptor or memory. A
 * source may leave other errors in errno, such as ENOENT, although it has answered.
 */
bool name_service_is_silent(int code);

/* Reads an entry by query->read, with as much room as it needs: one attempt. */
enum name_answer name_service_ask_entry(struct name_query *query);

/*
 * Asks until there is an answer or the time is over: a directory may be starting, and a lack of
 * descriptors may last only a moment. Returns 0, 1 if there is no such entry, or -1 with
 * query->err; `what` is for that: "account ", which the name or the id follows.
 */
int name_service_look_up(struct name_query *query,
			 enum name_answer (*once)(struct name_query *query), const char *what);

#endif
