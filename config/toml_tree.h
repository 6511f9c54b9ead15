/*
 * What a TOML file has defined so far, so that nothing in it is defined twice.
 *
 * TOML's rules: a table is defined once, by its header or by dotted keys, and a key is set once. A
 * header may go through tables that only a longer header or a dotted key has named. This is
 * stricter in one thing: a dotted key may not add to a table that any header has named.
 */
#ifndef JACAMAR_CONFIG_TOML_TREE_H
#define JACAMAR_CONFIG_TOML_TREE_H

#include <stddef.h>

#include "config/toml_text.h"

/* These bound the time and memory that a file can take; no key of ours is nearly as long. */
#define TOML_DEPTH_MAX 16
#define TOML_NAME_MAX  255

/*
 * A dotted path. Its text is canonical: names of [A-Za-z0-9_-] are as in the file, all others are
 * in quotes and escaped. So equal texts are equal paths, and all are printable.
 */
struct toml_path {
	char *text; /* NULL where count is 0; the caller frees it */
	size_t ends[TOML_DEPTH_MAX];
	size_t count;
};

int toml_path_append(struct toml_path *path, const char *name, struct toml_cursor *cursor);
void toml_path_cut(struct toml_path *path, size_t count); /* to its first `count` names */

enum toml_node_kind {
	TOML_NODE_PASSED, /* a table that only the header of one of its sub-tables names */
	TOML_NODE_TABLE,
	TOML_NODE_ARRAY,  /* of tables; what is below is of its last element */
	TOML_NODE_DOTTED, /* a table that a dotted key has made */
	TOML_NODE_VALUE,
};

struct toml_node {
	char *path;
	enum toml_node_kind kind;
	size_t line;
	size_t section; /* of a dotted table: under which header */
};

struct toml_tree {
	struct toml_node *nodes;
	size_t count;
};

/*
 * Defines the table of a header, or an element of an array of tables, below which all names are
 * free again. Returns 0, or -1 with a finding if it may not be defined.
 */
int toml_tree_table(struct toml_tree *tree, const struct toml_path *path, bool is_element,
		    struct toml_cursor *cursor);

/*
 * Defines the key `path`, whose first `above` names are those of the header that it is below.
 * `section` is the number of that header. Returns like toml_tree_table.
 */
int toml_tree_key(struct toml_tree *tree, const struct toml_path *path, size_t above,
		  size_t section, size_t line, struct toml_cursor *cursor);

void toml_tree_free(struct toml_tree *tree);

#endif
