/*
 * What `sudo -l` prints: options that are in force, then the commands that are allowed.
 */
#ifndef JACAMAR_CORE_DOCTOR_SUDO_LISTING_H
#define JACAMAR_CORE_DOCTOR_SUDO_LISTING_H

#include <stdbool.h>

/* Joins lines that sudo has folded, in place. The two below want that. */
void sudo_listing_unfold(char *listing);

/* True where the last line that has exactly `command` asks for a password; false without any. */
bool sudo_listing_asks_password(const char *listing, const char *command);

/* True where the option is set for all commands, or for the program `path`. */
bool sudo_listing_has_option(const char *listing, const char *option, const char *path);

#endif
