#include "core/lib/text.h"

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

bool text_has_parent_component(const char *path)
{
	for (const char *at = strstr(path, ".."); at != NULL; at = strstr(at + 1, "..")) {
		if ((at == path || at[-1] == '/') && (at[2] == '/' || at[2] == '\0'))
			return true;
	}
	return false;
}

size_t text_character(const char *text, size_t size, uint32_t *code)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	if (size == 0 || (bytes[0] >= 0x80 && bytes[0] < 0xc0) || bytes[0] >= 0xf8)
		return 0;
	size_t more = bytes[0] < 0x80 ? 0 : bytes[0] < 0xe0 ? 1 : bytes[0] < 0xf0 ? 2 : 3;
	*code = more > 0 ? bytes[0] & (0x3fU >> more) : bytes[0];
	for (size_t i = 1; i <= more; i++) {
		if (i == size || (bytes[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (bytes[i] & 0x3f);
	}
	bool is_surrogate = *code >= 0xd800 && *code <= 0xdfff;
	return *code >= least[more] && *code <= 0x10ffff && !is_surrogate ? more + 1 : 0;
}

bool text_to_u64(const char *text, uint64_t *value)
{
	if (!text_is_made_of(text, TEXT_DIGIT, 20))
		return false;
	errno = 0;
	*value = strtoull(text, NULL, 10);
	return errno == 0;
}

void text_hex(const void *bytes, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *from = bytes;
	for (size_t i = 0; i < size; i++) {
		*out++ = digits[from[i] >> 4];
		*out++ = digits[from[i] & 15];
	}
	*out = '\0';
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
