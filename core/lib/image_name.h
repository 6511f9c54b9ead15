/*
 * The names of container images: what `image:` of .gitlab-ci.yml may have, which the author of the
 * job chooses, and the entries of general.container.images.
 */
#ifndef JACAMAR_CORE_LIB_IMAGE_NAME_H
#define JACAMAR_CORE_LIB_IMAGE_NAME_H

#include <stdbool.h>

#define IMAGE_NAME_SIZE 512

/*
 * Writes the full name of an image to `full`: REGISTRY/PATH:TAG or REGISTRY/PATH@DIGEST. As with
 * Docker, the registry is docker.io and the tag is latest if the name has none, and a digest makes
 * a tag meaningless. With `any_source`, a name may also begin with docker:// (which is removed),
 * oras:// or library://, or be the absolute path of a file *.sif. False if it is not such a name.
 * The full name begins with a letter, a digit or a slash. It has no byte that is special for a
 * shell, or that separates the entries of a list of mounts.
 */
bool image_name_complete(const char *name, bool any_source, char full[IMAGE_NAME_SIZE]);

/*
 * True for an entry of the list: a prefix that ends with a slash (registry.example.com/group/), a
 * name with or without tag or digest, or a digest alone. It names its registry.
 */
bool image_name_is_entry(const char *entry);

/* True if the entry allows the image of that full name. Without a tag, it allows all tags. */
bool image_name_matches(const char *full, const char *entry);

#endif
