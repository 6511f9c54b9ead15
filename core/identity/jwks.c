#include "core/identity/jwks.h"

json_t *jwks_parse(const char *bytes, size_t size, struct error *err)
{
	json_error_t where;
	json_auto_t *set = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &where);
	if (set == NULL)
		error_set(err, ERROR_SYSTEM, "the key set is not JSON: %s at line %d", where.text,
			  where.line);
	else if (!json_is_array(json_object_get(set, "keys")))
		error_set(err, ERROR_SYSTEM, "the key set has no array \"keys\"");
	else
		return json_incref(set);
	return NULL;
}

int jwks_fetch(const struct server *server, int authorities, struct http_answer *answer,
	       struct error *err)
{
	/* GitLab's two addresses of the same set; the second is the older. */
	static const char *const paths[] = {"/oauth/discovery/keys", "/-/jwks", NULL};
	const struct http_request request = {
		.server = server->url, .paths = paths, .purpose = "the server's keys"};
	if (http_get(&request, authorities, answer, err) != 0)
		return -1;
	if (answer->status == 200)
		return 0;
	return error_set_key(
		err, answer->status == 404 ? "general.gitlab_server" : "", ERROR_SYSTEM,
		"%s%s answers with status %ld instead of the server's keys%s", server->url,
		paths[answer->path], answer->status,
		answer->status / 100 == 3 ? "; redirects are not followed"
		: answer->status == 404	  ? "; general.gitlab_server must be GitLab's own URL, "
					    "with a path only if GitLab has one"
					  : "");
}
