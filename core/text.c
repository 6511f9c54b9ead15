#include "core/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_printable_byte(char c)
{
	return c >= 0x20 && c < 0x7f;
}

void text_make_printable(char *text)
{
	for (; *text != '\0'; text++)
		if (!is_printable_byte(*text))
			*text = '?';
}

bool text_is_printable(const char *text)
{
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++)
		if (!is_printable_byte(*text))
			return false;
	return true;
}

bool text_is_made_of(const char *text, const char *set, size_t most)
{
	size_t length = strnlen(text, most + 1);
	return length >= 1 && length <= most && strspn(text, set) == length;
}

bool text_is_component(const char *text, size_t most)
{
	return text[0] != '.' && text_is_made_of(text, TEXT_WORD ".", most);
}

bool text_to_u64(const char *text, uint64_t *value)
{
	if (!text_is_made_of(text, TEXT_DIGIT, 20))
		return false;
	errno = 0;
	*value = strtoull(text, NULL, 10);
	return errno == 0;
}

bool text_copy(char *out, size_t size, const char *text)
{
	size_t length = strlen(text);
	out[0] = '\0';
	if (length >= size)
		return false;
	memcpy(out, text, length + 1);
	return true;
}

char *text_format(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}
