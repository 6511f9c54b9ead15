#include "config/toml_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/lib/text.h"

int toml_path_append(struct toml_path *path, const char *name, struct toml_cursor *cursor)
{
	size_t size = strlen(name);
	char escaped[4 * TOML_NAME_MAX + 1];
	char *text = NULL;

	if (size > TOML_NAME_MAX)
		return toml_fail(cursor, cursor->line, "a name of more than %d bytes",
				 TOML_NAME_MAX);
	if (path->count == TOML_DEPTH_MAX)
		return toml_fail(cursor, cursor->line, "more than %d names joined by dots",
				 TOML_DEPTH_MAX);
	report_escape(escaped, sizeof(escaped), name, size);
	const char *quote = size > 0 && strspn(name, TEXT_WORD) == size ? "" : "\"";
	int length = asprintf(&text, "%s%s%s%s%s", path->count > 0 ? path->text : "",
			      path->count > 0 ? "." : "", quote, escaped, quote);
	if (length < 0)
		return toml_no_memory(cursor);
	free(path->text);
	path->text = text;
	path->ends[path->count++] = (size_t)length;
	return 0;
}

void toml_path_cut(struct toml_path *path, size_t count)
{
	path->count = count;
	if (path->text != NULL)
		path->text[count > 0 ? path->ends[count - 1] : 0] = '\0';
}

/* The node of the first `depth` names of `path`, or NULL. */
static struct toml_node *find_node(struct toml_tree *tree, const struct toml_path *path,
				   size_t depth)
{
	size_t size = path->ends[depth - 1];

	for (size_t i = 0; i < tree->count; i++) {
		const char *known = tree->nodes[i].path;
		if (strncmp(known, path->text, size) == 0 && known[size] == '\0')
			return &tree->nodes[i];
	}
	return NULL;
}

static int add_node(struct toml_tree *tree, const struct toml_path *path, size_t depth,
		    struct toml_node node, struct toml_cursor *cursor)
{
	/* Doubles its size at the powers of two. */
	if ((tree->count & (tree->count - 1)) == 0) {
		size_t room = tree->count > 0 ? 2 * tree->count : 1;
		struct toml_node *nodes = reallocarray(tree->nodes, room, sizeof(*nodes));
		if (nodes == NULL)
			return toml_no_memory(cursor);
		tree->nodes = nodes;
	}
	node.path = strndup(path->text, path->ends[depth - 1]);
	if (node.path == NULL)
		return toml_no_memory(cursor);
	tree->nodes[tree->count++] = node;
	return 0;
}

static int redefined(const struct toml_node *node, size_t line, struct toml_cursor *cursor)
{
	return toml_fail(cursor, line, "%s %.120s is defined already, on line %zu",
			 node->kind == TOML_NODE_VALUE ? "the key" : "the table", node->path,
			 node->line);
}

/* Goes through the tables above the path's last name, and defines those that are new as `above`. */
static int define_above(struct toml_tree *tree, const struct toml_path *path, size_t depth,
			struct toml_node above, struct toml_cursor *cursor)
{
	for (; depth < path->count; depth++) {
		const struct toml_node *node = find_node(tree, path, depth);
		if (node == NULL && add_node(tree, path, depth, above, cursor) != 0)
			return -1;
		bool fits = node == NULL ||
			    (above.kind == TOML_NODE_PASSED
				     ? node->kind != TOML_NODE_VALUE
				     : node->kind == above.kind && node->section == above.section);
		if (!fits)
			return redefined(node, above.line, cursor);
	}
	return 0;
}

/* What is below a new element of an array has not been defined yet. */
static void forget_below(struct toml_tree *tree, const struct toml_path *path)
{
	size_t size = strlen(path->text);
	size_t kept = 0;

	for (size_t i = 0; i < tree->count; i++) {
		char *known = tree->nodes[i].path;
		if (strncmp(known, path->text, size) == 0 && known[size] == '.')
			free(known);
		else
			tree->nodes[kept++] = tree->nodes[i];
	}
	tree->count = kept;
}

int toml_tree_table(struct toml_tree *tree, const struct toml_path *path, bool is_element,
		    struct toml_cursor *cursor)
{
	struct toml_node above = {.kind = TOML_NODE_PASSED, .line = cursor->line};
	struct toml_node table = {.kind = is_element ? TOML_NODE_ARRAY : TOML_NODE_TABLE,
				  .line = cursor->line};

	if (define_above(tree, path, 1, above, cursor) != 0)
		return -1;
	struct toml_node *node = find_node(tree, path, path->count);
	if (node == NULL)
		return add_node(tree, path, path->count, table, cursor);
	if (is_element && node->kind == TOML_NODE_ARRAY) {
		forget_below(tree, path);
		return 0;
	}
	if (is_element || node->kind != TOML_NODE_PASSED)
		return redefined(node, cursor->line, cursor);
	node->kind = table.kind;
	node->line = table.line;
	return 0;
}

int toml_tree_key(struct toml_tree *tree, const struct toml_path *path, size_t above,
		  size_t section, size_t line, struct toml_cursor *cursor)
{
	struct toml_node dotted = {.kind = TOML_NODE_DOTTED, .line = line, .section = section};
	struct toml_node value = {.kind = TOML_NODE_VALUE, .line = line};

	if (define_above(tree, path, above + 1, dotted, cursor) != 0)
		return -1;
	const struct toml_node *node = find_node(tree, path, path->count);
	return node != NULL ? redefined(node, line, cursor)
			    : add_node(tree, path, path->count, value, cursor);
}

void toml_tree_free(struct toml_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		free(tree->nodes[i].path);
	free(tree->nodes);
}
