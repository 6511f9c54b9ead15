#include "core/doctor/sudo_listing.h"

#include <stddef.h>
#include <string.h>

/* What goes on from the line above is further in than any line that begins something. */
#define FOLD "\n        "

void sudo_listing_unfold(char *listing)
{
	for (char *at = listing; (at = strstr(at, FOLD)) != NULL; at++) {
		size_t blanks = 1 + strspn(at + 1, " ");
		*at = ' ';
		memmove(at + 1, at + blanks, strlen(at + blanks) + 1);
	}
}

static const char *line_of(const char *listing, const char *at)
{
	while (at > listing && at[-1] != '\n')
		at--;
	return at;
}

/* The last place that has the text, and behind it the end of a line or of an item. */
static const char *find_last(const char *listing, const char *text)
{
	const char *last = NULL;
	size_t length = strlen(text);
	for (const char *at = listing; (at = strstr(at, text)) != NULL; at += length)
		if (strchr(",\n", at[length]) != NULL)
			last = at;
	return last;
}

/* The last tag of that kind holds, for all that stands behind it in the same line. */
bool sudo_listing_asks_password(const char *listing, const char *command)
{
	static const char tag[] = "PASSWD:";
	bool asks = true;
	const char *found = find_last(listing, command);
	if (found == NULL)
		return false;
	for (const char *at = line_of(listing, found); (at = strstr(at, tag)) != NULL && at < found;
	     at += sizeof(tag) - 1)
		asks = at - listing < 2 || strncmp(at - 2, "NO", 2) != 0;
	return asks;
}

/* Options for some commands stand in lines of their own, Defaults!PATH OPTION, ... */
static bool is_for(const char *line, const char *at, const char *path)
{
	static const char scope[] = "Defaults!";
	const char *named = strstr(line, scope);
	size_t length = strlen(path);
	if (named == NULL || named > at)
		return true;
	named += sizeof(scope) - 1;
	return (strncmp(named, path, length) == 0 && named[length] == ' ') ||
	       strncmp(named, "ALL ", 4) == 0;
}

bool sudo_listing_has_option(const char *listing, const char *option, const char *path)
{
	size_t length = strlen(option);
	const char *commands = strstr(listing, " may run the following");
	bool set = false;
	for (const char *at = listing; (at = strstr(at, option)) != NULL; at += length) {
		if (commands != NULL && at > commands)
			break;
		bool whole = at > listing && strchr(" ,!\n", at[-1]) != NULL &&
			     strchr(" ,\n", at[length]) != NULL;
		if (whole && is_for(line_of(listing, at), at, path))
			set = at[-1] != '!';
	}
	return set;
}
