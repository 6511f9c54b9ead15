#include "config/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_vadd(struct report *report, size_t line, const char *format, va_list arguments)
{
	if (report->count == REPORT_MAX) {
		report->overflow = true;
		return;
	}
	char *text;
	if (vasprintf(&text, format, arguments) < 0) {
		report->out_of_memory = true;
		return;
	}
	size_t place = report->count++;
	for (; place > 0 && report->findings[place - 1].line > line; place--)
		report->findings[place] = report->findings[place - 1];
	report->findings[place] = (struct finding){.line = line, .text = text};
}

void report_add(struct report *report, size_t line, const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	report_vadd(report, line, format, arguments);
	va_end(arguments);
}

bool report_is_clean(const struct report *report)
{
	return report->count == 0 && !report->out_of_memory;
}

bool report_has_line(const struct report *report, size_t line)
{
	for (size_t i = 0; i < report->count; i++) {
		if (report->findings[i].line == line)
			return true;
	}
	return false;
}

char *report_text(const struct report *report)
{
	if (report->out_of_memory)
		return NULL;

	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	if (stream == NULL)
		return NULL;
	for (size_t i = 0; i < report->count; i++) {
		const struct finding *finding = &report->findings[i];
		fprintf(stream, "%s%s:%zu: %s", i > 0 ? "\n" : "", report->path, finding->line,
			finding->text);
	}
	if (report->overflow)
		fprintf(stream, "\n%s: there are more errors than these %d", report->path,
			REPORT_MAX);
	bool failed = ferror(stream) != 0;
	if (fclose(stream) != 0 || failed) {
		free(text);
		return NULL;
	}
	return text;
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < report->count; i++)
		free(report->findings[i].text);
	report->count = 0;
}

size_t report_escape(char *out, size_t room, const char *text, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	size_t taken = 0;

	for (; taken < size; taken++) {
		unsigned char byte = (unsigned char)text[taken];
		bool marked = byte == '"' || byte == '\\';
		bool hidden = byte < 0x20 || byte > 0x7e;
		size_t width = hidden ? 4 : marked ? 2 : 1;
		if (room <= width)
			break;
		room -= width;
		if (hidden) {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = digits[byte >> 4];
			*out++ = digits[byte & 0xf];
			continue;
		}
		if (marked)
			*out++ = '\\';
		*out++ = (char)byte;
	}
	*out = '\0';
	return taken;
}

struct excerpt report_excerpt(const char *text)
{
	struct excerpt excerpt;
	char escaped[sizeof(excerpt.text) - sizeof("\"...\"")];
	size_t size = strlen(text);
	size_t taken = report_escape(escaped, sizeof(escaped), text, size);

	snprintf(excerpt.text, sizeof(excerpt.text), "\"%s%s\"", escaped,
		 taken < size ? "..." : "");
	return excerpt;
}
