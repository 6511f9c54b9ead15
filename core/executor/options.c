#include "core/executor/options.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

static const char NO_OPTION[] = "no such option is known";

static bool refuse(char *fault, size_t size, const char *word, const char *reason)
{
	snprintf(fault, size, "%.80s is refused: %s", word, reason);
	return false;
}

/* Of an abbreviation, too: one that stood for another option as well would not be taken. */
static bool is_bare(const struct option_rules *rules, const char *name)
{
	for (const char *const *bare = rules->bare; *bare != NULL; bare++)
		if (strncmp(*bare, name, strlen(name)) == 0)
			return true;
	return false;
}

/* Why an option, long or short, may not have this value; NULL where it may. */
static const char *fault_of_value(const struct option_rules *rules, const char *name, size_t length,
				  char letter, const char *value)
{
	for (const struct refused_value *refused = rules->values;
	     refused != NULL && refused->part != NULL; refused++) {
		bool is_meant = length > 0 ? strncmp(refused->name, name, length) == 0
					   : refused->letter == letter;
		if (is_meant && strcasestr(value, refused->part) != NULL)
			return refused->reason;
	}
	return NULL;
}

/* `--name`, `--name=value` or an abbreviation; *takes_next: the next word is its value. */
static bool check_long(const struct option_rules *rules, const char *word, const char *next,
		       bool *takes_next, char *fault, size_t size)
{
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	if (strspn(name, TEXT_WORD "-") != length)
		return refuse(fault, size, word, NO_OPTION);
	for (const struct refused_option *option = rules->refused; option->name != NULL; option++)
		if (strncmp(option->name, name, length) == 0)
			return refuse(fault, size, word, option->reason);
	*takes_next = name[length] == '\0' && !is_bare(rules, name);
	const char *reason =
		fault_of_value(rules, name, length, 0, *takes_next ? next : name + length);
	return reason == NULL || refuse(fault, size, word, reason);
}

/* `-x`, `-xVALUE` or `-xyzVALUE`; `next` is the word behind it, "" where there is none. */
static bool check_short(const struct option_rules *rules, const char *word, const char *next,
			bool *takes_next, char *fault, size_t size)
{
	for (const char *letter = word + 1; *letter != '\0'; letter++) {
		for (const struct refused_option *option = rules->refused; option->name != NULL;
		     option++)
			if (option->letter == *letter)
				return refuse(fault, size, word, option->reason);
		if (rules->attached != NULL && strchr(rules->attached, *letter) != NULL)
			break;
		if (strchr(rules->letters, *letter) != NULL) {
			*takes_next = letter[1] == '\0';
			const char *reason = fault_of_value(rules, "", 0, *letter,
							    *takes_next ? next : letter + 1);
			return reason == NULL || refuse(fault, size, word, reason);
		}
		if (strchr(rules->flags, *letter) == NULL)
			return refuse(fault, size, word, NO_OPTION);
	}
	return true;
}

static const struct word_option *find_known(const struct option_rules *rules, const char *name,
					    size_t length)
{
	const struct word_option *option = rules->known;
	while (option->name != NULL &&
	       (strncmp(option->name, name, length) != 0 || option->name[length] != '\0'))
		option++;
	return option->name != NULL ? option : NULL;
}

/* `-name`, or `-x1`: a digit is the beginning of no name. */
static bool check_word(const struct option_rules *rules, const char *word, bool *takes_next,
		       char *fault, size_t size)
{
	const char *name = word + 1;
	for (const struct refused_option *option = rules->refused; option->name != NULL; option++)
		if (strcmp(option->name, name) == 0)
			return refuse(fault, size, word, option->reason);
	const struct word_option *known = find_known(rules, name, strlen(name));
	if (known != NULL) {
		*takes_next = known->takes_value;
		return true;
	}
	known = find_known(rules, name, 1);
	if (known != NULL && known->takes_value && strspn(name + 1, TEXT_DIGIT) > 0)
		return true;
	return refuse(fault, size, word,
		      "no such option is known to be harmless; a value is a word of its own");
}

static bool check_option(const struct option_rules *rules, const char *word, const char *next,
			 bool *takes_next, char *fault, size_t size)
{
	if (rules->known != NULL)
		return check_word(rules, word, takes_next, fault, size);
	if (word[1] == '-')
		return check_long(rules, word, next, takes_next, fault, size);
	return check_short(rules, word, next, takes_next, fault, size);
}

bool options_check(const struct option_rules *rules, const struct words *arguments, char *fault,
		   size_t size)
{
	bool is_value = false;
	for (size_t i = 0; i < arguments->count; i++) {
		const char *word = arguments->items[i];
		const char *next = i + 1 < arguments->count ? arguments->items[i + 1] : "";
		bool takes_next = false;
		if (strcmp(word, "--") == 0)
			return refuse(fault, size, word, "it would end the options");
		bool is_number = word[0] == '-' && text_is_made_of(word + 1, TEXT_DIGIT, 16);
		if (word[0] == '-' && word[1] != '\0' && !(is_value && is_number)) {
			if (!check_option(rules, word, next, &takes_next, fault, size))
				return false;
			/* As a value it would leave its own to be run. */
			if (is_value && takes_next)
				return refuse(fault, size, word,
					      "it stands where a value may be expected; write "
					      "--name=value");
		} else if (!is_value) {
			return refuse(fault, size, word,
				      "it is no option, and would be run in the job's place");
		}
		is_value = takes_next;
	}
	const char *last = arguments->count > 0 ? arguments->items[arguments->count - 1] : "";
	if (is_value && !(rules->plugins && strncmp(last, "--", 2) == 0))
		return refuse(fault, size, last, "its value is missing");
	return true;
}
