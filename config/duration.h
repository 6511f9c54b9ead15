/* Durations in jacamar-config.toml. */
#ifndef JACAMAR_CONFIG_DURATION_H
#define JACAMAR_CONFIG_DURATION_H

#include <stdint.h>

/* The longest duration: a week, which poll(2) can wait for. */
#define DURATION_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)

/*
 * Reads a duration as Go's time.ParseDuration does ("90s", "1m30s", "1.5h", "500ms", "0"). It must
 * not be negative, not be longer than a week, and be a whole number of milliseconds. Returns NULL,
 * or the rule that it breaks, as the checks of check.h do.
 */
const char *parse_duration(const char *text, int64_t *milliseconds);

#endif
