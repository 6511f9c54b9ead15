/*
 * libFuzzer: any bytes as a configuration file. Finds reads out of bounds, leaks and undefined
 * behaviour. Finds files that are neither accepted nor refused with a message, and settings whose
 * printed form is not a file with the same settings.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads the printed settings `text`, and prints them again. */
static char *show_again(const char *text)
{
	char *messages = NULL;
	struct settings *settings = settings_parse("f", text, strlen(text), &messages);
	char *shown = settings != NULL ? show_settings(settings) : NULL;

	if (shown == NULL)
		abort();
	settings_free(settings);
	return shown;
}

static void check_shown(const struct settings *settings)
{
	char *first = show_settings(settings);
	if (first == NULL)
		abort();
	/* From here on every key that has a value has its line, and it stays the same one. */
	char *second = show_again(first);
	char *third = show_again(second);

	if (strcmp(second, third) != 0)
		abort();
	free(first);
	free(second);
	free(third);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *messages = NULL;
	struct settings *settings = settings_parse("f", (const char *)data, size, &messages);

	if ((settings == NULL) == (messages == NULL))
		abort();
	if (settings != NULL)
		check_shown(settings);
	settings_free(settings);
	free(messages);
	return 0;
}
