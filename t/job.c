/*
 * Makes and reads the JSON files of t/runner for the end-to-end tests, which do so thousands of
 * times: jq takes 20 ms to start.
 *
 *   job make TOKEN [PATH=TEXT | PATH:=JSON]...
 *                               a job, whose build_script is standard input, a line a command;
 *                               then these members are set, such as response.id:=7
 *   job command TOKEN [...]     likewise, but standard input is one command
 *   job response FILE           the job response of a job
 *   job exit FILE STAGE [SUBSTAGE]
 *                               how the last such call of a result ended: its exit code, signal N,
 *                               or null if there was none
 *   job uid FILE                the uid of the account in an answer of config
 *   job findings FILE           a report of doctor: the worst result, then a line a finding:
 *                               result, check, what and remedy (or null), with tabs between
 */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what)
{
	fprintf(stderr, "job: %s\n", what);
	return EXIT_FAILURE;
}

static int print(const json_t *value)
{
	if (value == NULL || json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0)
		return fail("no such value, or not UTF-8");
	putchar('\n');
	return fflush(stdout) == 0 ? EXIT_SUCCESS : fail("cannot write");
}

/* The lines of standard input, without their ends. */
static json_t *read_lines(void)
{
	json_t *lines = json_array();
	char *line = NULL;
	size_t room = 0;
	ssize_t size;
	while ((size = getline(&line, &room, stdin)) >= 0) {
		if (size > 0 && line[size - 1] == '\n')
			size--;
		if (json_array_append_new(lines, json_stringn(line, (size_t)size)) != 0)
			exit(fail("standard input is not UTF-8"));
	}
	free(line);
	return lines;
}

/* All of them as one command. */
static json_t *join(json_t *lines)
{
	json_t *all = json_string("");
	size_t i;
	json_t *line;
	json_array_foreach (lines, i, line) {
		json_t *longer = json_sprintf("%s%s%s", json_string_value(all), i > 0 ? "\n" : "",
					      json_string_value(line));
		json_decref(all);
		all = longer;
	}
	json_decref(lines);
	return json_pack("[o]", all);
}

/* PATH=TEXT or PATH:=JSON; the objects on the path exist or are made. */
static void set(json_t *job, char *setting)
{
	char *value = strchr(setting, '=');
	if (value == NULL || value == setting)
		exit(fail("a setting is PATH=TEXT or PATH:=JSON"));
	bool is_json = value[-1] == ':';
	value[is_json ? -1 : 0] = '\0';
	value++;
	char *name = setting;
	for (char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1) {
		*dot = '\0';
		json_t *inner = json_object_get(job, name);
		if (inner == NULL) {
			inner = json_object();
			json_object_set_new(job, name, inner);
		}
		job = inner;
	}
	json_t *changed = is_json ? json_loads(value, JSON_DECODE_ANY, NULL) : json_string(value);
	if (json_object_set_new(job, name, changed) != 0)
		exit(fail("a setting is not JSON, or has a member of what is no object"));
}

static int make(const char *token, json_t *script, char **settings)
{
	json_t *job = json_pack(
		"{s:{s:i, s:{s:i, s:s}, s:{s:s}, s:[{s:s, s:s, s:b}]}, s:{s:o}}", "response", "id",
		981625, "job_info", "project_id", 20, "name", "ci-job", "git_info", "repo_url",
		"https://gitlab-ci-token:job-secret@gitlab.example.com/group/project.git",
		"variables", "key", "SITE_ID_TOKEN", "value", token, "masked", 1, "scripts",
		"build_script", script);
	while (*settings != NULL)
		set(job, *settings++);
	int code = print(job);
	json_decref(job);
	return code;
}

static json_t *load(const char *path)
{
	json_error_t error;
	json_t *value = json_load_file(path, 0, &error);
	if (value == NULL)
		exit(fail(error.text));
	return value;
}

static int response(const char *path)
{
	json_t *job = load(path);
	int code = print(json_object_get(job, "response"));
	json_decref(job);
	return code;
}

static bool is(const json_t *call, const char *key, const char *expected)
{
	const char *value = json_string_value(json_object_get(call, key));
	return expected == NULL || (value != NULL && strcmp(value, expected) == 0);
}

static int exit_of(const char *path, const char *stage, const char *substage)
{
	json_t *result = load(path);
	const json_t *last = NULL;
	size_t i;
	json_t *call;
	json_array_foreach (json_object_get(result, "calls"), i, call)
		if (is(call, "stage", stage) && is(call, "substage", substage))
			last = call;
	const json_t *code = json_object_get(last, "exit");
	const json_t *number = json_object_get(last, "signal");
	if (json_is_integer(number))
		printf("signal %" JSON_INTEGER_FORMAT "\n", json_integer_value(number));
	else if (json_is_integer(code))
		printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(code));
	else
		puts("null");
	json_decref(result);
	return EXIT_SUCCESS;
}

static int uid(const char *path)
{
	json_t *answer = load(path);
	const char *text = json_string_value(
		json_object_get(json_object_get(answer, "job_env"), "JACAMAR_CI_STATE"));
	json_t *state = text != NULL ? json_loads(text, 0, NULL) : NULL;
	int code = print(json_object_get(json_object_get(state, "account"), "uid"));
	json_decref(state);
	json_decref(answer);
	return code;
}

static const char *text_of(const json_t *finding, const char *key)
{
	const char *text = json_string_value(json_object_get(finding, key));
	return text != NULL ? text : "null";
}

static int findings(const char *path)
{
	json_t *report = load(path);
	size_t i;
	json_t *finding;
	puts(text_of(report, "result"));
	json_array_foreach (json_object_get(report, "findings"), i, finding)
		printf("%s\t%s\t%s\t%s\n", text_of(finding, "result"), text_of(finding, "check"),
		       text_of(finding, "what"), text_of(finding, "remedy"));
	json_decref(report);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : fail("cannot write");
}

int main(int argc, char **argv)
{
	const char *verb = argc >= 3 ? argv[1] : "";
	if (strcmp(verb, "make") == 0)
		return make(argv[2], read_lines(), argv + 3);
	if (strcmp(verb, "command") == 0)
		return make(argv[2], join(read_lines()), argv + 3);
	if (argc == 3 && strcmp(verb, "response") == 0)
		return response(argv[2]);
	if ((argc == 4 || argc == 5) && strcmp(verb, "exit") == 0)
		return exit_of(argv[2], argv[3], argc == 5 && *argv[4] != '\0' ? argv[4] : NULL);
	if (argc == 3 && strcmp(verb, "uid") == 0)
		return uid(argv[2]);
	if (argc == 3 && strcmp(verb, "findings") == 0)
		return findings(argv[2]);
	return fail("make TOKEN [PATH=TEXT]..., command TOKEN [PATH=TEXT]..., response FILE, "
		    "exit FILE STAGE [SUBSTAGE], uid FILE, findings FILE");
}
