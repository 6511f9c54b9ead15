/*
 * The functions that come before the runner's scripts, with a real bash. Stand-ins for git and
 * gitlab-runner record their arguments: where the token is, and what is unchanged.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/workspace/script.h"
#include "t/unit/process.h"
#include "t/unit/scratch.h"
#include "t/unit/suites.h"

/* A call is one line of what is noted: each argument in brackets, HOME for the script's place. */
#define STAND_IN                                                       \
	"#!/bin/sh\n"                                                  \
	"{ printf %s \"${0##*/}\"; printf ' [%s]' \"$@\"; echo; } |\n" \
	"sed \"s|${NOTES%/*}/|HOME/|g\" >>\"$NOTES\"\n"                \
	"echo \"${CI_JOB_TOKEN-unset}\" >>\"$NOTES.tokens\"\n"         \
	"case \" $* \" in *\" ${READS:-nothing} \"*) cat ;; esac\n"    \
	"case \" $* \" in *\" ${FAILS:-nothing} \"*) exit 7 ;; esac\n"

#define TOKEN "glcbt-64_s3cret.x"
#define NAME  "https://gitlab-ci-token@host:8443"
#define URL   "https://gitlab-ci-token:" TOKEN "@host:8443"

/* The options for this call of git, and those that are stored. */
#define FOR_ONE "[-c] [include.path=HOME/jacamar-git.config]"
#define INCLUDE \
	"[--replace-all] [include.path] [HOME/jacamar-git.config] [/jacamar-git\\.config$]\n"
#define KEPT(options) "git " FOR_ONE " [config] " options INCLUDE

/* Git's options of two words. */
#define WORDS                                                                            \
	"[--git-dir] [g] [--work-tree] [w] [--namespace] [n] [--config-env] [a.b=HOME] " \
	"[--attr-source] [HEAD] "

#define HELPER                                                                                 \
	"helper = \"!f() { test \\\"$1\\\" = get || return 0; while read -r l; do case $l in " \
	"username=gitlab-ci-token) ;; username=*) return 0 ;; esac; done; "                    \
	"echo username=gitlab-ci-token; echo \\\"password=$CI_JOB_TOKEN\\\"; }; f\"\n"
#define SETTINGS(scheme, host)                                                    \
	"[credential \"" scheme "://" host "\"]\n" HELPER "[credential \"" scheme \
	"://gitlab-ci-token@" host "\"]\nhelper =\n" HELPER "[http \"" scheme     \
	"://gitlab-ci-token@" host "\"]\nemptyAuth = true\n"

static struct path home;
static char *variable; /* in the environment of bash; NULL: none */

struct outcome {
	int exit_code;
	char *output; /* with the errors */
	char *notes;
	char *tokens; /* CI_JOB_TOKEN as each of them had it */
};

static void setup(void)
{
	home = scratch_make();
	scratch_directory(path_of("%s/bin", home.text).text, 0700);
	scratch_write(path_of("%s/bin/git", home.text).text, STAND_IN, 0700);
	scratch_write(path_of("%s/bin/gitlab-runner", home.text).text, STAND_IN, 0700);
}

static char *read_made(const char *name)
{
	size_t size;
	struct path path = path_of("%s/%s", home.text, name);
	return access(path.text, F_OK) == 0 ? scratch_read(path.text, &size) : strdup("");
}

/* By the full path, as the runner does: the script's settings are beside it, wherever it goes. */
static void execute_bash(const void *argument)
{
	struct path path = path_of("PATH=%s/bin:/usr/bin:/bin", home.text);
	struct path notes = path_of("NOTES=%s/notes", home.text);
	struct path output = path_of("%s/output", home.text);
	char *const arguments[] = {(char *)"bash", (char *)argument, NULL};
	char *const environment[] = {path.text, notes.text, variable, NULL};
	int fd = open(output.text, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int empty = open("/dev/null", O_RDONLY);
	process_forget_check();
	if (chdir(home.text) != 0)
		abort();
	dup2(empty, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	execve("/bin/bash", arguments, environment);
	abort();
}

/* Runs `commands` as the runner has them in a script of get_sources. */
static struct outcome run_with(const char *token, const char *commands)
{
	struct outcome outcome;
	struct path script = path_of("%s/script", home.text);
	struct path notes = path_of("%s/notes", home.text);
	struct path tokens = path_of("%s/notes.tokens", home.text);
	char *text = text_format("%sset -o pipefail; set -o errexit; set -o nounset\n%s%s\n",
				 script_prelude("get_sources"), token, commands);
	unlink(script.text);
	unlink(notes.text);
	unlink(tokens.text);
	scratch_write(script.text, text, 0600);
	free(text);
	int status = process_run(execute_bash, script.text);
	ck_assert(WIFEXITED(status));
	outcome.exit_code = WEXITSTATUS(status);
	outcome.output = read_made("output");
	outcome.notes = read_made("notes");
	outcome.tokens = read_made("notes.tokens");
	return outcome;
}

static struct outcome run(const char *commands)
{
	return run_with("export CI_JOB_TOKEN=" TOKEN "\n", commands);
}

static void outcome_free(struct outcome *outcome)
{
	free(outcome->output);
	free(outcome->notes);
	free(outcome->tokens);
}

static void expect_notes(const char *commands, const char *notes)
{
	struct outcome outcome = run(commands);
	ck_assert_msg(strcmp(outcome.notes, notes) == 0, "%s\ngave\n%s%s", commands, outcome.notes,
		      outcome.output);
	ck_assert_int_eq(outcome.exit_code, 0);
	ck_assert_str_eq(outcome.output, "");
	outcome_free(&outcome);
}

static const struct {
	const char *name;
	bool has;
} SUBSTAGES[] = {
	{"get_sources", true},
	{"download_artifacts", true},
	{"upload_artifacts_on_success", true},
	{"upload_artifacts_on_failure", true},
	{"restore_cache", false},
	{"archive_cache", false},
	{"prepare_script", false},
	{"build_script", false},
	{"step_script", false},
	{"after_script", false},
	{"get_sources_", false},
	{"", false},
};

START_TEST(only_substages_with_a_token_have_a_prelude)
{
	ck_assert_int_eq(script_prelude(SUBSTAGES[_i].name)[0] != '\0', SUBSTAGES[_i].has);
}
END_TEST

/* The runner's own commands, of all its releases since 16, and what an author may add. */
static const struct {
	const char *command;
	const char *notes;
} CLOSED[] = {
	{"git remote add origin " URL "/group/project.git",
	 "git " FOR_ONE " [remote] [add] [origin] [" NAME "/group/project.git]\n" KEPT("")},
	{"git remote set-url origin " URL "/project.git",
	 "git " FOR_ONE " [remote] [set-url] [origin] [" NAME "/project.git]\n" KEPT("")},
	{"\"git\" \"config\" \"--file\" \"a b\" \"--replace-all\" \"url." URL "/p.git.insteadOf\" "
	 "\"https://host:8443/p.git\" '^h$'",
	 "git " FOR_ONE " [config] [--file] [a b] [--replace-all] [url." NAME "/p.git.insteadOf] "
	 "[https://host:8443/p.git] [^h$]\n" KEPT("[--file] [a b] ")},
	{"git config -f f url." URL ".insteadOf https://host",
	 "git " FOR_ONE " [config] [-f] [f] [url." NAME ".insteadOf] "
	 "[https://host]\n" KEPT("[-f] [f] ")},
	{"git config --global url." URL "/.insteadOf https://host/",
	 "git " FOR_ONE " [config] [--global] [url." NAME "/.insteadOf] "
	 "[https://host/]\n" KEPT("[--global] ")},
	{"$'git' -c $'http.userAgent=runner 18' clone --no-checkout " URL "/p.git dir --template t",
	 "git [-c] [http.userAgent=runner 18] " FOR_ONE " [clone] " FOR_ONE
	 " [--no-checkout] [" NAME "/p.git] [dir] [--template] [t]\n"},
	{"git -c url." URL ".insteadOf=https://host:8443 submodule foreach 'git lfs pull'",
	 "git [-c] [url." NAME ".insteadOf=https://host:8443] " FOR_ONE
	 " [submodule] [foreach] [git lfs pull]\n"},
	{"git clone --depth 1 -- " URL "/p.git dir",
	 "git " FOR_ONE " [clone] " FOR_ONE " [--depth] [1] [--] [" NAME "/p.git] [dir]\n"},
	{"git --git-dir g --work-tree w --namespace n --config-env a.b=HOME --attr-source HEAD "
	 "remote add x " URL "/p.git",
	 "git " WORDS FOR_ONE " [remote] [add] [x] [" NAME "/p.git]\n"
	 "git " WORDS FOR_ONE " [config] " INCLUDE},
	{"git --git-dir=g --bare remote add x " URL "/p.git",
	 "git [--git-dir=g] [--bare] " FOR_ONE " [remote] [add] [x] [" NAME "/p.git]\n"
	 "git [--git-dir=g] [--bare] " FOR_ONE " [config] " INCLUDE},
	{"git config --add --global url." URL "/.insteadOf x",
	 "git " FOR_ONE " [config] [--add] [--global] [url." NAME
	 "/.insteadOf] [x]\n" KEPT("[--global] ")},
	{"git config --replace-all --file f url." URL "/.insteadOf x",
	 "git " FOR_ONE " [config] [--replace-all] [--file] [f] [url." NAME
	 "/.insteadOf] [x]\n" KEPT("[--file] [f] ")},
	{"git config set url." URL "/.insteadOf x --file=f",
	 "git " FOR_ONE " [config] [set] [url." NAME
	 "/.insteadOf] [x] [--file=f]\n" KEPT("[--file=f] ")},
	{"git config --bool --worktree url." URL "/.x true",
	 "git " FOR_ONE " [config] [--bool] [--worktree] [url." NAME
	 "/.x] [true]\n" KEPT("[--worktree] ")},
	{"git config url." URL "/.insteadOf x",
	 "git " FOR_ONE " [config] [url." NAME "/.insteadOf] [x]\n"
	 "git " FOR_ONE " [rev-parse] [--git-dir]\n" KEPT("")},
	/* Outside of a repository. */
	{"FAILS=rev-parse git config --get-urlmatch http " URL "/",
	 "git " FOR_ONE " [config] [--get-urlmatch] [http] [" NAME "/]\n"
	 "git " FOR_ONE " [rev-parse] [--git-dir]\n"},
	{"FAILS=rev-parse git config --system url." URL "/.insteadOf x",
	 "git " FOR_ONE " [config] [--system] [url." NAME "/.insteadOf] [x]\n" KEPT("[--system] ")},
	{"git fetch " URL "/p.git main", "git " FOR_ONE " [fetch] [" NAME "/p.git] [main]\n"},
	{"git -C dir remote add x " URL "/p.git",
	 "git [-C] [dir] " FOR_ONE " [remote] [add] [x] [" NAME "/p.git]\n"
	 "git [-C] [dir] " FOR_ONE " [config] " INCLUDE},
	{"gitlab-runner artifacts-downloader --url https://host --token " TOKEN " --id 5",
	 "gitlab-runner [artifacts-downloader] [--url] [https://host] [--id] [5]\n"},
	{"\"gitlab-runner\" $'artifacts-uploader' --token " TOKEN
	 " --path --token --path 'a  b' ''",
	 "gitlab-runner [artifacts-uploader] [--path] [--token] [--path] [a  b] []\n"},
};

START_TEST(the_token_is_taken_out_and_nothing_else)
{
	expect_notes(CLOSED[_i].command, CLOSED[_i].notes);
	ck_assert_ptr_null(strstr(CLOSED[_i].notes, TOKEN));
}
END_TEST

/* One of a relative URL is on the remote's host, whatever host the command names. */
static const struct {
	const char *commands;
	const char *notes;
} SUBMODULES[] = {
	{"git submodule update --init", "git " FOR_ONE " [submodule] [update] [--init]\n"},
	{"git -c url." URL ".insteadOf=x submodule update",
	 "git [-c] [url." NAME ".insteadOf=x] " FOR_ONE " [submodule] [update]\n"},
};

START_TEST(submodules_keep_the_settings_too)
{
	cleanup_free char *commands =
		text_format("git remote add origin " URL "/p.git\necho then >>\"$NOTES\"\n%s",
			    SUBMODULES[_i].commands);
	struct outcome outcome = run(commands);
	const char *then = strstr(outcome.notes, "then\n");
	ck_assert_msg(outcome.exit_code == 0 && then != NULL, "%s", outcome.output);
	size_t length = strlen(SUBMODULES[_i].notes);
	ck_assert_int_eq(strncmp(then + 5, SUBMODULES[_i].notes, length), 0);
	const char *kept = strstr(then, FOR_ONE " [submodule] [--quiet] ");
	ck_assert_ptr_nonnull(kept);
	ck_assert_str_eq(kept, FOR_ONE " [submodule] [--quiet] [foreach] [--recursive] [git] "
				       "[config] " INCLUDE);
	outcome_free(&outcome);
}
END_TEST

START_TEST(the_settings_are_for_each_host_once)
{
	struct outcome outcome = run("umask 0\necho old >${0%/*}/jacamar-git.config\n"
				     "git fetch " URL "/a.git; git fetch " URL "/b.git\n"
				     "git fetch http://gitlab-ci-token:" TOKEN "@other/c.git\n"
				     "git -c url." URL ".insteadOf=x fetch");
	ck_assert_int_eq(outcome.exit_code, 0);
	char *settings = read_made("jacamar-git.config");
	ck_assert_msg(strcmp(settings, SETTINGS("https", "host:8443") SETTINGS("http", "other")) ==
			      0,
		      "%s", settings);
	free(settings);
	outcome_free(&outcome);
}
END_TEST

static const struct {
	const char *command;
	const char *notes;
} UNCHANGED[] = {
	{"git", "git []\n"},
	{"git fetch origin +refs/heads/*:refs/remotes/origin/*",
	 "git [fetch] [origin] [+refs/heads/*:refs/remotes/origin/*]\n"},
	{"git remote add origin git@host:p.git", "git [remote] [add] [origin] [git@host:p.git]\n"},
	{"git remote add origin " NAME "/p.git", "git [remote] [add] [origin] [" NAME "/p.git]\n"},
	{"git clone https://gitlab-ci-token:of-another@host/p.git",
	 "git [clone] [https://gitlab-ci-token:of-another@host/p.git]\n"},
	{"git clone https://somebody:" TOKEN "@host/p.git",
	 "git [clone] [https://somebody:" TOKEN "@host/p.git]\n"},
	{"git -c a=b -C '' clone 'https://gitlab-ci-token:no@host/p q.git' ''",
	 "git [-c] [a=b] [-C] [] [clone] [https://gitlab-ci-token:no@host/p q.git] []\n"},
	{"git -c", "git [-c]\n"},
	{"git submodule update --init", "git [submodule] [update] [--init]\n"},
	{"git commit -m 'x://gitlab-ci-token: y@z' -c",
	 "git [commit] [-m] [x://gitlab-ci-token: y@z] [-c]\n"},
	{"git commit -m x://gitlab-ci-token: y@z",
	 "git [commit] [-m] [x://gitlab-ci-token:] [y@z]\n"},
	{"gitlab-runner", "gitlab-runner []\n"},
	{"gitlab-runner --version", "gitlab-runner [--version]\n"},
	{"gitlab-runner artifacts-uploader --url x --id 5",
	 "gitlab-runner [artifacts-uploader] [--url] [x] [--id] [5]\n"},
	{"gitlab-runner artifacts-uploader --token",
	 "gitlab-runner [artifacts-uploader] [--token]\n"},
	{"gitlab-runner cache-archiver --file f --path --token --path 'a b'",
	 "gitlab-runner [cache-archiver] [--file] [f] [--path] [--token] [--path] [a b]\n"},
};

START_TEST(what_is_not_the_token_stays)
{
	expect_notes(UNCHANGED[_i].command, UNCHANGED[_i].notes);
}
END_TEST

START_TEST(the_token_goes_by_the_environment)
{
	struct outcome outcome =
		run("gitlab-runner artifacts-downloader --token a-dependency --id 5\n"
		    "gitlab-runner --version\n"
		    "git remote add origin " URL "/p.git");
	const char *others = TOKEN "\n" TOKEN "\n" TOKEN "\n";
	ck_assert_int_eq(strncmp(outcome.tokens, "a-dependency\n", 13), 0);
	ck_assert_str_eq(outcome.tokens + 13, others);
	outcome_free(&outcome);
}
END_TEST

/* An author may have set CI_JOB_TOKEN. Then git cannot log in, but nothing shows. */
START_TEST(the_runners_own_commands_are_closed_whatever_the_variable_says)
{
	static const char *const variables[] = {
		"", "export CI_JOB_TOKEN=\n", "export CI_JOB_TOKEN=other\n", "CI_JOB_TOKEN='*'\n"};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		struct outcome outcome = run_with(
			variables[i],
			"git clone https://gitlab-ci-token:my-own@host/tools.git\n"
			"git remote add origin " URL "/p.git || git remote set-url origin " URL
			"/p.git\n"
			"git -c url." URL ".insteadOf=https://host submodule update --init\n"
			"git fetch " URL "/p.git\n"
			"git remote set-url origin https://gitlab-ci-token:my-own@host/p.git");
		ck_assert_msg(outcome.exit_code == 0, "%s", outcome.output);
		ck_assert_ptr_null(strstr(outcome.notes, TOKEN));
		ck_assert_ptr_nonnull(
			strstr(outcome.notes,
			       "git [clone] [https://gitlab-ci-token:my-own@host/tools.git]\n"));
		ck_assert_ptr_nonnull(strstr(outcome.notes,
					     "git [remote] [set-url] [origin] "
					     "[https://gitlab-ci-token:my-own@host/p.git]\n"));
		outcome_free(&outcome);
	}
}
END_TEST

static const struct {
	const char *commands;
	int exit_code;
	const char *output;
} CODES[] = {
	{"FAILS=fetch git fetch; echo on", 7, ""},
	{"if FAILS=fetch git fetch; then echo yes; else echo \"no $?\"; fi", 0, "no 7\n"},
	{"export FAILS=remote; git remote add origin " URL "; echo on", 7, ""},
	{"export FAILS=remote; if ! git remote add origin " URL "; then echo no; fi", 0, "no\n"},
	/* If the settings cannot be stored, the command fails. */
	{"export FAILS=config; git remote add origin " URL "; echo on", 7, ""},
	{"git remote add origin " URL "; export FAILS=foreach; git submodule update; echo on", 7,
	 ""},
	{"export FAILS=update; if git -c url." URL ".insteadOf=x submodule update; then echo yes; "
	 "else echo \"no $?\"; fi",
	 0, "no 7\n"},
	{"FAILS=--id gitlab-runner artifacts-uploader --token x --id 5; echo on", 7, ""},
	{"if FAILS=--id gitlab-runner artifacts-uploader --token x --id 5; then echo yes; else "
	 "echo \"no $?\"; fi",
	 0, "no 7\n"},
	{"echo in | READS=credential git credential reject | cat", 0, "in\n"},
	{"echo in | READS=fetch git fetch " URL, 0, "in\n"},
	{"echo in | READS=--id gitlab-runner artifacts-uploader --token x --id 5", 0, "in\n"},
	{"current=$(READS=version git version </dev/null); echo \"<$current>\"", 0, "<>\n"},
	{": | eval $'if git remote add origin " URL
	 " >/dev/null 2>&1; then\\n  echo fresh\\nfi\\n'",
	 0, "fresh\n"},
};

START_TEST(results_and_input_pass_through)
{
	struct outcome outcome = run(CODES[_i].commands);
	ck_assert_msg(outcome.exit_code == CODES[_i].exit_code, "%s\ngave %d\n%s%s",
		      CODES[_i].commands, outcome.exit_code, outcome.output, outcome.notes);
	ck_assert_str_eq(outcome.output, CODES[_i].output);
	outcome_free(&outcome);
}
END_TEST

/* Each is a line of the script before the commands; what these print must stay the same. */
static const char *const HOSTILE[] = {
	"IFS=0123456789; export IFS",
	"IFS='/:@ '",
	"IFS=",
	"export POSIXLY_CORRECT=1",
	"set -o noglob",
	"shopt -s extglob nullglob nocasematch",
	"export word=x url=x options=x file=x left=x right=x",
	"cd /",
	"exec 2>/dev/null; set -x",
	"set +o errexit; set +o nounset",
};

START_TEST(nothing_of_the_scripts_own_changes_it)
{
	char *commands =
		text_format("%s\ngit -c a=1 remote add origin '" URL "/a b/*.git'\n"
			    "gitlab-runner artifacts-uploader --token " TOKEN " --path '*  ?'",
			    HOSTILE[_i]);
	expect_notes(commands,
		     "git [-c] [a=1] " FOR_ONE " [remote] [add] [origin] [" NAME "/a b/*.git]\n"
		     "git [-c] [a=1] " FOR_ONE " [config] " INCLUDE
		     "gitlab-runner [artifacts-uploader] [--path] [*  ?]\n");
	free(commands);
}
END_TEST

/* The second one is in the environment of the commands, too. */
static const struct {
	char *variable;
	const char *output;
} POSIX_MODES[] = {
	{"SHELLOPTS=posix", "posix\nnot exported\n"},
	{"POSIXLY_CORRECT=1", "posix\nexported\n"},
	{"OTHER=1", "not exported\n"},
};

START_TEST(posix_mode_is_what_it_was)
{
	variable = POSIX_MODES[_i].variable;
	struct outcome outcome = run(
		"gitlab-runner artifacts-uploader --token " TOKEN " x\n"
		"git fetch " URL "/p\n"
		"case :$SHELLOPTS: in *:posix:*) echo posix ;; esac\n"
		"if env | grep -q ^POSIXLY_CORRECT=; then echo exported; else echo not exported; "
		"fi");
	ck_assert_int_eq(outcome.exit_code, 0);
	ck_assert_str_eq(outcome.output, POSIX_MODES[_i].output);
	ck_assert_str_eq(outcome.notes, "gitlab-runner [artifacts-uploader] [x]\n"
					"git " FOR_ONE " [fetch] [" NAME "/p]\n");
	outcome_free(&outcome);
}
END_TEST

/* None is a token of GitLab's. Each must be treated as plain text, and not match another token. */
static const char *const TOKENS[] = {
	"*",   "[a-z]*", "?",  "$(touch made)", "`touch made`", "a b", "\\",
	"a'b", "a\"b",	 "-n", "%s&#",
};

START_TEST(a_token_is_only_text)
{
	cleanup_free char *quoted =
		strcmp(TOKENS[_i], "a'b") == 0 ? strdup("a\\'b") : text_format("'%s'", TOKENS[_i]);
	cleanup_free char *token =
		text_format("cd \"${NOTES%%/*}\"; export CI_JOB_TOKEN=%s\n", quoted);
	struct outcome outcome =
		run_with(token, "git fetch \"https://gitlab-ci-token:$CI_JOB_TOKEN@host:8443/p\"\n"
				"git fetch https://gitlab-ci-token:abc@host:8443/p\n"
				"gitlab-runner artifacts-uploader --token \"$CI_JOB_TOKEN\" x");
	ck_assert_msg(outcome.exit_code == 0, "%s", outcome.output);
	ck_assert_str_eq(outcome.notes, "git " FOR_ONE " [fetch] [" NAME "/p]\n"
					"git [fetch] [https://gitlab-ci-token:abc@host:8443/p]\n"
					"gitlab-runner [artifacts-uploader] [x]\n");
	ck_assert_int_eq(access(path_of("%s/made", home.text).text, F_OK), -1);
	outcome_free(&outcome);
}
END_TEST

/* CI_DEBUG_TRACE=true: the runner's script traces itself, and the trace shows its own lines alone.
 */
START_TEST(a_traced_script_shows_no_line_of_ours)
{
	struct outcome outcome =
		run("set -o xtrace\ngit remote add origin " URL "/a/b.git\n"
		    "git fetch origin\ngitlab-runner artifacts-downloader --token " TOKEN "\n");
	ck_assert_int_eq(outcome.exit_code, 0);
	ck_assert_msg(strstr(outcome.output, "+ git fetch origin\n") != NULL, "%s", outcome.output);
	ck_assert_msg(strstr(outcome.output, "_jacamar") == NULL, "%s", outcome.output);
	ck_assert_msg(strstr(outcome.output, "local -") == NULL, "%s", outcome.output);
	outcome_free(&outcome);
	/* What comes after a call is traced as before. */
	outcome = run("set -o xtrace\ngit fetch origin\n: behind\n");
	ck_assert_msg(strstr(outcome.output, "+ : behind\n") != NULL, "%s", outcome.output);
	outcome_free(&outcome);
}
END_TEST

Suite *command_line_suite(void)
{
	Suite *suite = suite_create("command_line");
	TCase *tcase = tcase_create("command_line");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, only_substages_with_a_token_have_a_prelude, 0, ROWS(SUBSTAGES));
	tcase_add_loop_test(tcase, the_token_is_taken_out_and_nothing_else, 0, ROWS(CLOSED));
	tcase_add_loop_test(tcase, submodules_keep_the_settings_too, 0, ROWS(SUBMODULES));
	tcase_add_test(tcase, the_settings_are_for_each_host_once);
	tcase_add_loop_test(tcase, what_is_not_the_token_stays, 0, ROWS(UNCHANGED));
	tcase_add_test(tcase, the_token_goes_by_the_environment);
	tcase_add_test(tcase, the_runners_own_commands_are_closed_whatever_the_variable_says);
	tcase_add_loop_test(tcase, results_and_input_pass_through, 0, ROWS(CODES));
	tcase_add_loop_test(tcase, nothing_of_the_scripts_own_changes_it, 0, ROWS(HOSTILE));
	tcase_add_loop_test(tcase, posix_mode_is_what_it_was, 0, ROWS(POSIX_MODES));
	tcase_add_loop_test(tcase, a_token_is_only_text, 0, ROWS(TOKENS));
	tcase_add_test(tcase, a_traced_script_shows_no_line_of_ours);
	suite_add_tcase(suite, tcase);
	return suite;
}
