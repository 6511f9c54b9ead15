#include "config/toml_text.h"

#include <stdlib.h>
#include <string.h>

#include "core/lib/text.h"

/* Why TOML forbids the character at the beginning of `text`; NULL if it does not. */
static const char *character_fault(const char *text, size_t length)
{
	if (*text == '\0')
		return "a NUL byte";
	if (length == 0)
		return "text that is not UTF-8";
	if (*text == '\r')
		return "a carriage return without a line feed";
	if (((unsigned char)*text < 0x20 && *text != '\t' && *text != '\n') || *text == 0x7f)
		return "a control character";
	return NULL;
}

char *toml_text_clean(const char *text, size_t size, struct report *report)
{
	char *clean = malloc(size + 1);
	if (clean == NULL) {
		report->out_of_memory = true;
		return NULL;
	}

	static const char mark[] = "\xef\xbb\xbf";
	size_t i = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
	char *out = clean;
	size_t line = 1, reported = 0;
	while (i < size) {
		if (text[i] == '\r' && i + 1 < size && text[i + 1] == '\n')
			i++;
		uint32_t code;
		size_t length = text_character(text + i, size - i, &code);
		const char *fault = character_fault(text + i, length);
		if (fault != NULL) {
			if (reported != line)
				report_add(report, line, "%s (byte 0x%02x), which TOML forbids",
					   fault, (unsigned int)(unsigned char)text[i]);
			reported = line;
			*out++ = '?';
			i++;
			continue;
		}
		if (text[i] == '\n')
			line++;
		memcpy(out, text + i, length);
		out += length;
		i += length;
	}
	*out = '\0';
	return clean;
}

void toml_skip_blanks(struct toml_cursor *cursor)
{
	while (*cursor->at == ' ' || *cursor->at == '\t')
		cursor->at++;
}

void toml_skip_comment(struct toml_cursor *cursor)
{
	toml_skip_blanks(cursor);
	if (*cursor->at == '#')
		cursor->at += strcspn(cursor->at, "\n");
}

void toml_skip_lines(struct toml_cursor *cursor)
{
	toml_skip_comment(cursor);
	while (*cursor->at == '\n') {
		toml_next_line(cursor);
		toml_skip_comment(cursor);
	}
}

void toml_next_line(struct toml_cursor *cursor)
{
	cursor->at += strcspn(cursor->at, "\n");
	if (*cursor->at == '\n') {
		cursor->at++;
		cursor->line++;
	}
}

int toml_fail(struct toml_cursor *cursor, size_t line, const char *format, ...)
{
	if (report_has_line(cursor->report, line))
		return -1;
	va_list arguments;
	va_start(arguments, format);
	report_vadd(cursor->report, line, format, arguments);
	va_end(arguments);
	return -1;
}

int toml_no_memory(struct toml_cursor *cursor)
{
	cursor->report->out_of_memory = true;
	return -1;
}
