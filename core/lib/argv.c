#include "core/lib/argv.h"

#include <stdlib.h>
#include <string.h>

#include "core/lib/io.h"

#define BLANKS " \t\n"

/* Copies the text after an opening quote, and moves *text past the closing quote. */
static const char *take_quoted(const char **text, char quote, char **out)
{
	const char *at = *text;
	for (; *at != quote; at++) {
		if (*at == '\0')
			return quote == '"' ? "a double quote is not closed"
					    : "a single quote is not closed";
		if (quote == '"' && *at == '\\' && at[1] != '\0' && strchr("$`\"\\\n", at[1]))
			if (*++at == '\n')
				continue;
		*(*out)++ = *at;
	}
	*text = at + 1;
	return NULL;
}

/* Copies one word to `out`, which has room for it, and moves *text past the word. */
static const char *take_word(const char **text, char *out)
{
	const char *at = *text;
	const char *fault = NULL;
	while (fault == NULL && *at != '\0' && strchr(BLANKS, *at) == NULL) {
		char byte = *at++;
		if (byte == '\'' || byte == '"')
			fault = take_quoted(&at, byte, &out);
		else if (byte == '\\' && *at == '\0')
			fault = "the last backslash has no character after it";
		else if (byte == '\\' && *at == '\n')
			at++;
		else if (byte == '\\')
			*out++ = *at++;
		else
			*out++ = byte;
	}
	*out = '\0';
	*text = at;
	return fault;
}

const char *argv_split(struct string_list *words, const char *text)
{
	cleanup_free char *word = malloc(strlen(text) + 1);
	if (word == NULL)
		return "out of memory";
	for (;;) {
		text += strspn(text, BLANKS);
		/* A backslash before a newline continues the line. */
		if (text[0] == '\\' && text[1] == '\n') {
			text += 2;
			continue;
		}
		if (*text == '\0')
			return NULL;
		const char *fault = take_word(&text, word);
		if (fault != NULL)
			return fault;
		if (!string_list_add(words, word))
			return "out of memory";
	}
}
