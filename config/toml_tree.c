#include "config/toml_tree.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	const char *quote = size > 0 && strspn(name, TOML_BARE) == size ? "" : "\"";
	int length = asprintf(&text, "%s%s%s%s%s", path->count > 0 ? path->text : "",
			      path->count > 0 ? "." : "", quote, escaped, quote);
	if (length < 0)
		return toml_no_memory(cursor);
	free(path->text);
	path->text = text;
	path->ends[path->count++] = (size_t)length;
	return 0;
}

int toml_path_copy(struct toml_path *copy, const struct toml_path *path, struct toml_cursor *cursor)
{
	*copy = *path;
	if (path->count == 0)
		return 0;
	copy->text = strdup(path->text);
	if (copy->text != NULL)
		return 0;
	copy->count = 0;
	return toml_no_memory(cursor);
}

void toml_path_free(struct toml_path *path)
{
	free(path->text);
	*path = (struct toml_path){0};
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
	/* Grows at the powers of two. */
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

int toml_tree_table(struct toml_tree *tree, const struct toml_path *path,
		    struct toml_cursor *cursor)
{
	size_t line = cursor->line;

	for (size_t depth = 1; depth < path->count; depth++) {
		const struct toml_node *node = find_node(tree, path, depth);
		struct toml_node passed = {.kind = TOML_NODE_PASSED, .line = line};
		if (node == NULL && add_node(tree, path, depth, passed, cursor) != 0)
			return -1;
		if (node != NULL && node->kind == TOML_NODE_VALUE)
			return redefined(node, line, cursor);
	}

	struct toml_node *node = find_node(tree, path, path->count);
	struct toml_node table = {.kind = TOML_NODE_TABLE, .line = line};
	if (node == NULL)
		return add_node(tree, path, path->count, table, cursor);
	if (node->kind != TOML_NODE_PASSED)
		return redefined(node, line, cursor);
	node->kind = TOML_NODE_TABLE;
	node->line = line;
	return 0;
}

int toml_tree_key(struct toml_tree *tree, const struct toml_path *path, size_t above,
		  size_t section, size_t line, struct toml_cursor *cursor)
{
	for (size_t depth = above + 1; depth < path->count; depth++) {
		const struct toml_node *node = find_node(tree, path, depth);
		struct toml_node dotted = {
			.kind = TOML_NODE_DOTTED, .line = line, .section = section};
		if (node == NULL && add_node(tree, path, depth, dotted, cursor) != 0)
			return -1;
		if (node != NULL && (node->kind != TOML_NODE_DOTTED || node->section != section))
			return redefined(node, line, cursor);
	}

	const struct toml_node *node = find_node(tree, path, path->count);
	struct toml_node value = {.kind = TOML_NODE_VALUE, .line = line};
	if (node != NULL)
		return redefined(node, line, cursor);
	return add_node(tree, path, path->count, value, cursor);
}

void toml_tree_free(struct toml_tree *tree)
{
	for (size_t i = 0; i < tree->count; i++)
		free(tree->nodes[i].path);
	free(tree->nodes);
	*tree = (struct toml_tree){0};
}
