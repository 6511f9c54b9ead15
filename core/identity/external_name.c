#include "core/identity/external_name.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/lib/text.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Long enough for "uid" and "cn". */
#define TYPE_SIZE 16

/* An object number must not begin or end with a dot, nor have two in a row. */
static bool has_whole_parts(const char *text, size_t length)
{
	return text[0] != '.' && text[length - 1] != '.' && memmem(text, length, "..", 2) == NULL;
}

/* Moves *at past "type=". `type` is "" for a type that is too long. */
static bool take_type(const char **at, char type[TYPE_SIZE])
{
	const char *from = *at;
	/* A name or an object number. */
	bool named = strchr(LETTERS, from[0]) != NULL && from[0] != '\0';
	size_t length = strspn(from, named ? LETTERS TEXT_DIGIT "-" : TEXT_DIGIT ".");
	if (length == 0 || from[length] != '=' || !has_whole_parts(from, length))
		return false;
	type[0] = '\0';
	if (length < TYPE_SIZE) {
		memcpy(type, from, length);
		type[length] = '\0';
	}
	*at = from + length + 1;
	return true;
}

static int hex_value(char digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *found = strchr(digits, tolower((unsigned char)digit));
	return digit != '\0' && found != NULL ? (int)(found - digits) : -1;
}

/* Reads what follows a backslash: a byte in hexadecimal, or a special character. */
static bool take_escaped(const char **at, char *byte)
{
	int high = hex_value((*at)[0]);
	int low = high >= 0 ? hex_value((*at)[1]) : -1;
	if (low >= 0) {
		*byte = (char)(high * 16 + low);
		*at += 2;
		return *byte != '\0';
	}
	*byte = **at;
	if (*byte == '\0' || strchr("\\\"+,;<> #=", *byte) == NULL)
		return false;
	*at += 1;
	return true;
}

static bool ends_value(char byte)
{
	return byte == '\0' || byte == ',' || byte == '+';
}

/* "#04024869": the value in BER, which is not decoded. */
static bool skip_hex_string(const char **at)
{
	size_t length = strspn(*at + 1, TEXT_DIGIT "abcdefABCDEF");
	*at += 1 + length;
	return length > 0 && length % 2 == 0 && ends_value(**at);
}

/*
 * Reads a value up to the ',' or '+' after it, or to the end. `value` is "" if the value is in BER,
 * or too long for an account's name.
 */
static bool take_value(const char **at, char value[ACCOUNT_NAME_SIZE])
{
	size_t used = 0;
	bool blank_last = false;
	value[0] = '\0';
	if (**at == '#')
		return skip_hex_string(at);
	if (**at == ' ')
		return false;
	while (!ends_value(**at)) {
		char byte = *(*at)++;
		bool escaped = byte == '\\';
		if (escaped ? !take_escaped(at, &byte) : strchr("\";<>", byte) != NULL)
			return false;
		blank_last = byte == ' ' && !escaped;
		if (used < ACCOUNT_NAME_SIZE)
			value[used] = byte;
		used += used < ACCOUNT_NAME_SIZE ? 1 : 0;
	}
	value[used < ACCOUNT_NAME_SIZE ? used : 0] = '\0';
	return !blank_last;
}

static bool is_uid(const char *type)
{
	return strcasecmp(type, "uid") == 0;
}

/* Checks the attributes after the first one; false if one is malformed or a uid. */
static bool check_rest(const char *at)
{
	char type[TYPE_SIZE];
	char value[ACCOUNT_NAME_SIZE];
	while (*at != '\0') {
		at++; /* past ',' or '+' */
		if (!take_type(&at, type) || is_uid(type) || !take_value(&at, value))
			return false;
	}
	return true;
}

static bool read_distinguished_name(const char *at, char name[ACCOUNT_NAME_SIZE])
{
	char type[TYPE_SIZE];
	return take_type(&at, type) && (is_uid(type) || strcasecmp(type, "cn") == 0) &&
	       take_value(&at, name) && *at != '+' && check_rest(at);
}

bool external_name_to_account(const char *extern_uid, char name[ACCOUNT_NAME_SIZE])
{
	/* Account names have no equals sign. */
	bool read = strchr(extern_uid, '=') != NULL
			    ? read_distinguished_name(extern_uid, name)
			    : text_copy(name, ACCOUNT_NAME_SIZE, extern_uid);
	if (read && account_name_is_valid(name))
		return true;
	name[0] = '\0';
	return false;
}
