/*
 * For root, which has given up its capabilities and cannot read files that only the service account
 * may read: runs this program as the service account, by setpriv(1).
 *
 * That process has no terminal. An attacker who controls the service account can forge its answer:
 * the answer's size is limited, and the caller must replace unprintable characters.
 */
#ifndef JACAMAR_CORE_DOCTOR_AS_SERVICE_H
#define JACAMAR_CORE_DOCTOR_AS_SERVICE_H

#include "core/lib/account.h"
#include "core/lib/string_list.h"
#include "core/lib/error.h"
#include "core/privilege/run_unprivileged.h"

/*
 * Adds an option with the absolute path of a file, because the process starts in /; nothing if
 * `path` is NULL. False if memory is short.
 */
bool as_service_add_file(struct string_list *arguments, const char *option, const char *path);

/*
 * `arguments` are those after the program's own name; `input` is its standard input (NULL: empty).
 * -1 with *err if it could not be run.
 */
int as_service_run(const struct account *service, const struct string_list *arguments,
		   const int *input, struct unprivileged_output *captured, struct error *err);

#endif
