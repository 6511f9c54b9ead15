/*
 * The output of `sudo -l`: the options in effect, then the commands that are allowed.
 */
#ifndef JACAMAR_CORE_DOCTOR_SUDO_LISTING_H
#define JACAMAR_CORE_DOCTOR_SUDO_LISTING_H

#include <stdbool.h>

/* Joins lines that sudo has folded, in place. Call it before the two functions below. */
void sudo_listing_unfold(char *listing);

/* True if the last line with exactly `command` asks for a password; false without such a line. */
bool sudo_listing_asks_password(const char *listing, const char *command);

/* True if the option is set for all commands, or for the program `path`. */
bool sudo_listing_has_option(const char *listing, const char *option, const char *path);

#endif
