#include "core/lib/image_name.h"

#include <stdio.h>
#include <string.h>

#include "core/lib/text.h"

#define LETTERS_SMALL "abcdefghijklmnopqrstuvwxyz"
#define ALPHANUMERIC  "ABCDEFGHIJKLMNOPQRSTUVWXYZ" LETTERS_SMALL TEXT_DIGIT

/* The parts of a name, as pointers into a copy of it. */
struct parts {
	const char *scheme; /* "", "oras://" or "library://" */
	const char *path;   /* with the registry, if the name has it */
	const char *tag;    /* NULL: none */
	const char *digest; /* NULL: none */
};

static bool is_digest(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && strlen(text + 7) == 64 &&
	       text_is_made_of(text + 7, TEXT_DIGIT "abcdef", 64);
}

static bool is_tag(const char *text)
{
	return text[0] != '.' && text[0] != '-' && text_is_made_of(text, TEXT_WORD ".", 128);
}

/* True for `length` bytes of `set`, of which the first and the last are letters or digits. */
static bool is_word(const char *text, size_t length, const char *set)
{
	return length > 0 && strspn(text, set) >= length && strchr(ALPHANUMERIC, text[0]) != NULL &&
	       strchr(ALPHANUMERIC, text[length - 1]) != NULL;
}

/* As for Docker, the first part of a path is a registry if it cannot be anything else. */
static size_t registry_length(const char *path)
{
	size_t length = strcspn(path, "/");
	size_t host = strcspn(path, "/:");
	size_t port = host < length ? length - host - 1 : 0;
	bool has_dot = memchr(path, '.', host) != NULL;
	bool is_local = host == strlen("localhost") && strncmp(path, "localhost", host) == 0;
	if (path[length] != '/' || !is_word(path, host, ALPHANUMERIC "-.") ||
	    (!has_dot && !is_local && host == length))
		return 0;
	/* A colon without a port, or something else after it, is not a part of a path either. */
	return host == length || (port > 0 && port <= 5 &&
				  strspn(path + host + 1, TEXT_DIGIT) == port)
		       ? length
		       : 0;
}

/* True if all parts of the path, from its first byte to its end, are valid. */
static bool is_path(const char *path)
{
	for (;; path++) {
		size_t length = strcspn(path, "/");
		if (!is_word(path, length, LETTERS_SMALL TEXT_DIGIT "._-"))
			return false;
		path += length;
		if (*path == '\0')
			return true;
	}
}

static bool is_file(const char *path)
{
	size_t length = strlen(path);
	return text_is_made_of(path, TEXT_WORD "/.+", IMAGE_NAME_SIZE - 1) && length > 5 &&
	       strcmp(path + length - 4, ".sif") == 0 && !text_has_parent_component(path);
}

/* Splits a name into scheme (if it may have one), path, tag and digest. */
static void take_apart(char *name, bool any_source, struct parts *parts)
{
	static const char *const schemes[] = {"oras://", "library://"};
	*parts = (struct parts){.scheme = ""};
	if (any_source && strncmp(name, "docker://", 9) == 0)
		name += 9;
	else
		for (size_t i = 0; any_source && i < 2; i++)
			if (strncmp(name, schemes[i], strlen(schemes[i])) == 0) {
				parts->scheme = schemes[i];
				name += strlen(schemes[i]);
			}
	parts->path = name;
	char *at = strchr(name, '@');
	if (at != NULL) {
		*at = '\0';
		parts->digest = at + 1;
	}
	char *slash = strrchr(name, '/');
	char *colon = strchr(slash != NULL ? slash : name, ':');
	if (colon != NULL) {
		*colon = '\0';
		parts->tag = colon + 1;
	}
}

bool image_name_complete(const char *name, bool any_source, char full[IMAGE_NAME_SIZE])
{
	char copy[IMAGE_NAME_SIZE];
	struct parts parts;
	full[0] = '\0';
	if (any_source && name[0] == '/')
		return is_file(name) && text_copy(full, IMAGE_NAME_SIZE, name);
	if (!text_copy(copy, sizeof(copy), name))
		return false;
	take_apart(copy, any_source, &parts);
	size_t registry = registry_length(parts.path);
	const char *path = parts.path + registry + (registry > 0 ? 1 : 0);
	bool of_docker = parts.scheme[0] == '\0';
	bool of_hub = of_docker && (registry == 0 || (registry == strlen("docker.io") &&
						      strncmp(parts.path, "docker.io/", 10) == 0));
	/* For a library, @sha256:... would be a part of the name and a tag. */
	bool has_digests = strcmp(parts.scheme, "library://") != 0;
	if (!is_path(path) || (parts.tag != NULL && !is_tag(parts.tag)) ||
	    (parts.digest != NULL && !(has_digests && is_digest(parts.digest))))
		return false;
	int size = snprintf(full, IMAGE_NAME_SIZE, "%s%.*s%s%s%s%s%s", parts.scheme,
			    of_hub ? 0 : (int)(path - parts.path), parts.path,
			    of_hub ? "docker.io/" : "",
			    of_hub && strchr(path, '/') == NULL ? "library/" : "", path,
			    parts.digest != NULL ? "@" : ":",
			    parts.digest != NULL ? parts.digest
			    : parts.tag != NULL	 ? parts.tag
						 : "latest");
	return size < IMAGE_NAME_SIZE;
}

bool image_name_is_entry(const char *entry)
{
	char name[IMAGE_NAME_SIZE];
	char full[IMAGE_NAME_SIZE];
	size_t length = strlen(entry);
	bool is_prefix = length > 0 && entry[length - 1] == '/';
	int size = snprintf(name, sizeof(name), "%s%s", entry, is_prefix ? "x.sif" : "");
	if (is_digest(entry))
		return true;
	/*
	 * If the entry does not name its registry, image_name_complete() has added one at the
	 * beginning.
	 */
	return size < (int)sizeof(name) && image_name_complete(name, true, full) &&
	       strncmp(full, entry, length) == 0 &&
	       (is_prefix || full[length] == ':' || full[length] == '\0');
}

bool image_name_matches(const char *full, const char *entry)
{
	size_t length = strlen(entry);
	const char *digest = strchr(full, '@');
	if (is_digest(entry))
		return digest != NULL && strcmp(digest + 1, entry) == 0;
	/* After a name without a tag, only a tag or a digest may follow: no path has ':' or '@'. */
	return length > 0 && strncmp(full, entry, length) == 0 &&
	       (entry[length - 1] == '/' || strchr(":@", full[length]) != NULL);
}
