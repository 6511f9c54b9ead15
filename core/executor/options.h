/*
 * The arguments that a job's author may give to a scheduler's submit command, told from those that
 * would break the driver.
 *
 * Options are written as getopt_long(3) reads them: long ones may be abbreviated, short ones
 * combined and their values attached. Or they are whole words behind one dash, as `-Is`. Of these,
 * and of the short ones, those alone are taken that are known, since of no other can be told how
 * many words it is, nor whether it is an option: some commands run `-1`, and `-a b` in one word.
 */
#ifndef JACAMAR_CORE_EXECUTOR_OPTIONS_H
#define JACAMAR_CORE_EXECUTOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/words.h"

struct refused_option {
	const char *name; /* NULL ends the table */
	char letter;	  /* 0: has none */
	const char *reason;
};

/* One that is refused where its value has this part, in whatever case. */
struct refused_value {
	const char *name; /* "": has none */
	char letter;	  /* 0: has none */
	const char *part; /* NULL ends the table */
	const char *reason;
};

/* One that is a whole word behind one dash. */
struct word_option {
	const char *name; /* NULL ends the table */
	bool takes_value;
};

struct option_rules {
	const struct refused_option *refused;
	const struct word_option *known; /* NULL: they are as getopt_long(3) reads them */

	/* Of getopt_long's. */
	const struct refused_value *values; /* NULL: there are none */
	const char *letters;		    /* short options that take a value */
	const char *flags;		    /* short options that take none */
	const char *attached; /* short options that take one only attached; NULL: none */
	const char *const
		*bare; /* long options that take none, or only behind "="; ends with NULL */
	/*
	 * A site's plugins add long options, of which nobody here knows whether they take a value:
	 * the last word may be one. What follows the arguments in the command can be done without.
	 */
	bool plugins;
};

/*
 * True where the driver can live with all of them; else `fault` says which it cannot, and why. A
 * value that looks like an option has to be harmless as one, too.
 */
bool options_check(const struct option_rules *rules, const struct words *arguments, char *fault,
		   size_t size);

#endif
