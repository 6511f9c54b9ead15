#include "config/check.h"

#include <stdbool.h>
#include <string.h>

static const struct {
	const char *name; /* "ms" is before "m", which it begins with */
	int64_t nanoseconds;
} UNITS[] = {
	{"ns", 1},	 {"us", 1000},	    {"\u00b5s", 1000},	{"\u03bcs", 1000},
	{"ms", 1000000}, {"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000},
};

/* Reads the unit at the beginning of *text, in nanoseconds, and moves *text after it; 0 if there is
 * none. */
static int64_t take_unit(const char **text)
{
	for (size_t i = 0; i < sizeof(UNITS) / sizeof(UNITS[0]); i++) {
		size_t length = strlen(UNITS[i].name);
		if (strncmp(*text, UNITS[i].name, length) == 0) {
			*text += length;
			return UNITS[i].nanoseconds;
		}
	}
	return 0;
}

static const char NO_DURATION[] = "must be a duration such as \"90s\", \"1m30s\" or \"500ms\"";
static const char LONG_DURATION[] = "must be at most a week (\"168h\")";
static const char FINE_DURATION[] =
	"must be a whole number of milliseconds, with at most six digits after the point";

/* Reads one `number unit`, moves *text past it, and adds it to *nanoseconds. */
static const char *take_term(const char **text, int64_t *nanoseconds)
{
	static const int64_t limit = DURATION_MAX_MS * 1000000;
	const char *at = *text;
	int64_t whole = 0, fraction = 0, scale = 1;
	size_t digits = 0;
	bool fine = false;

	for (; *at >= '0' && *at <= '9'; at++, digits++)
		whole = whole > limit ? whole : whole * 10 + (*at - '0');
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9'; at++, digits++) {
			/* Six digits of an hour still fit in 64 bits as nanoseconds. */
			if (scale == 1000000) {
				fine = fine || *at != '0';
				continue;
			}
			fraction = fraction * 10 + (*at - '0');
			scale *= 10;
		}
	}
	int64_t unit = digits > 0 ? take_unit(&at) : 0;
	if (unit == 0)
		return NO_DURATION;
	if (whole > limit / unit)
		return LONG_DURATION;
	if (fine || fraction * unit % scale != 0)
		return FINE_DURATION;
	*nanoseconds += whole * unit + fraction * unit / scale;
	*text = at;
	return *nanoseconds > limit ? LONG_DURATION : NULL;
}

const char *parse_duration(const char *text, int64_t *milliseconds)
{
	int64_t nanoseconds = 0;

	if (*text == '\0')
		return NO_DURATION;
	if (strcmp(text, "0") == 0)
		text = "";
	while (*text != '\0') {
		const char *fault = take_term(&text, &nanoseconds);
		if (fault != NULL)
			return fault;
	}
	if (nanoseconds % 1000000 != 0)
		return FINE_DURATION;
	*milliseconds = nanoseconds / 1000000;
	return NULL;
}
