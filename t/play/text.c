#include "t/play/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(int code, const char *format, ...)
{
	va_list arguments;

	fputs("runner: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	exit(code);
}

void *resized(void *array, size_t count, size_t size)
{
	void *result = reallocarray(array, count, size);

	if (result == NULL)
		die(EXIT_FAILURE, "out of memory");
	return result;
}

char *copied(const char *string)
{
	size_t size = strlen(string) + 1;

	return memcpy(resized(NULL, size, 1), string, size);
}

char *formatted(const char *format, ...)
{
	va_list arguments;
	char *result;

	va_start(arguments, format);
	if (vasprintf(&result, format, arguments) < 0)
		die(EXIT_FAILURE, "out of memory");
	va_end(arguments);
	return result;
}

void strings_free(char **strings)
{
	for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
		free(strings[i]);
	free(strings);
}

void text_add(struct text *text, const void *bytes, size_t length)
{
	if (text->size - text->length <= length) {
		text->size = (text->length + length) * 2 + 64;
		text->data = resized(text->data, text->size, 1);
	}
	if (length > 0)
		memcpy(text->data + text->length, bytes, length);
	text->length += length;
	text->data[text->length] = '\0';
}

void text_string(struct text *text, const char *string)
{
	text_add(text, string, strlen(string));
}

void text_print(struct text *text, const char *format, ...)
{
	va_list arguments;
	char *line;

	va_start(arguments, format);
	if (vasprintf(&line, format, arguments) < 0)
		die(EXIT_FAILURE, "out of memory");
	va_end(arguments);
	text_string(text, line);
	free(line);
}

void text_free(struct text *text)
{
	free(text->data);
	*text = (struct text){NULL, 0, 0};
}

struct text text_of_file(const char *path)
{
	FILE *file = fopen(path, "rbe");
	struct text text = {NULL, 0, 0};
	char part[8192];
	size_t got;

	if (file == NULL)
		die(EXIT_USAGE, "%s: %s", path, strerror(errno));
	text_add(&text, "", 0);
	while ((got = fread(part, 1, sizeof(part), file)) > 0)
		text_add(&text, part, got);
	if (ferror(file))
		die(EXIT_USAGE, "%s: cannot read", path);
	fclose(file);
	return text;
}
