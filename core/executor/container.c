#include "core/executor/container.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/executor/login_shell.h"
#include "core/lib/string_list.h"
#include "core/lib/io.h"
#include "core/lib/text.h"
#include "core/process/subprocess.h"
#include "core/protocol/environment.h"

/*
 * Runs before a command of podman, whose path is $1. If a job was killed together with the
 * processes that watch its container (conmon), podman's records on this host are wrong. Then every
 * command fails with a message that names `podman system migrate`, which repairs the records. But
 * that command also stops every container in them: one of the user's own whose conmon was killed,
 * or one that another job has just started. So it is run only if no living process of the user is
 * in another user namespace, as those of containers are.
 */
#define PUT_RIGHT                                                                           \
	"case $(\"$1\" unshare true 2>&1 </dev/null) in *'system migrate'*) "               \
	"test \"$(readlink $(grep -Ls \"^State:.Z\" /proc/[0-9]*/status | "                 \
	"sed \"s,status$,ns/user,\") | sort -u)\" = \"$(readlink /proc/self/ns/user)\" && " \
	"\"$1\" system migrate >/dev/null 2>&1 </dev/null ;; esac; "

/* The other arguments are options of `podman run`, the image and the command. */
static const char RUN_PODMAN[] =
	PUT_RIGHT "podman=$1; shift; "
		  "exec \"$podman\" --cgroup-manager=cgroupfs run \"--umask=$(umask)\" \"$@\"";

/* How long the processes of the runtime may take to die, and podman to remove a container. */
#define KILL_MS	  5000
#define REMOVE_MS 30000
#define PAUSE_US  10000

/* `exit` keeps the shell from executing bash in its own place. */
static const char RUN_SCRIPT[] =
	"if command -v bash >/dev/null 2>&1; then bash \"$1\"; else sh \"$1\"; fi; exit $?";

/*
 * These options give the container no right that the job does not have on the host. No process gets
 * another uid of the user's range: so the files in the builds directory are the user's, and cleanup
 * can end the processes and remove the files. The network is the host's: jobs reach the
 * interconnect, license servers and file servers as on the host. Limits and cgroup stay those of
 * the job. Without a log driver, podman does not keep the job's output. With SELinux, the
 * directories keep their labels.
 */
static const char *const PODMAN_RUN[] = {
	"--rm",
	"--replace",
	"--pull=never",
	"--network=host",
	"--userns=keep-id",
	"--cap-drop=all",
	"--security-opt=no-new-privileges",
	"--security-opt=label=disable",
	"--ulimit=host",
	"--log-driver=none",
};

const char *container_program(const struct container_settings *settings)
{
	if (settings->path != NULL)
		return settings->path;
	return settings->runtime == CONTAINER_PODMAN ? "/usr/bin/podman" : "/usr/bin/apptainer";
}

/* Adds the word `start` + `text`; false without memory. */
static bool add(struct string_list *words, const char *start, const char *text)
{
	cleanup_free char *word = text_format("%s%s", start, text);
	return word != NULL && string_list_add(words, word);
}

/* Adds a shell that runs `command` with the words that are added after it. */
static bool add_shell(struct string_list *words, const char *command)
{
	return string_list_add(words, "/bin/sh") && string_list_add(words, "-c") &&
	       string_list_add(words, command) && string_list_add(words, "sh");
}

/* "/path" is two paths for podman; apptainer reads all forms of general.container.binds. */
static bool add_mount(struct string_list *words, const char *option, const char *bind)
{
	bool is_pair = strchr(bind, ':') != NULL;
	cleanup_free char *mount =
		text_format("%s%s%s", bind, is_pair ? "" : ":", is_pair ? "" : bind);
	return mount != NULL && add(words, option, mount);
}

/* Without the directory of the scripts, which apptainer mounts as the home. */
static bool add_mounts(struct string_list *words, const char *option, const struct state *state)
{
	const struct string_list *binds = &state->settings.general.container.binds;
	bool whole = add_mount(words, option, state->builds_dir) &&
		     add_mount(words, option, state->cache_dir);
	for (size_t i = 0; i < binds->count; i++)
		whole = whole && add_mount(words, option, binds->items[i]);
	return whole;
}

static bool add_podman(struct string_list *words, const struct state *state)
{
	/* A * stands for all variables with this prefix. */
	static const char *const of_schedulers[] = {"SLURM_*", "FLUX_*", "PBS_*", "LSB_*",
						    "COBALT_*"};
	size_t count = state->settings.general.executor != EXECUTOR_SHELL ? 5 : 0;
	bool whole = true;
	for (size_t i = 0; i < sizeof(PODMAN_RUN) / sizeof(PODMAN_RUN[0]); i++)
		whole = whole && string_list_add(words, PODMAN_RUN[i]);
	for (size_t i = 0; i < count; i++)
		whole = whole && add(words, "--env=", of_schedulers[i]);
	/* podman takes the cookie from its own environment: the value is on no command line. */
	whole = whole && add(words, "--name=jacamar-", state->reference) &&
		add(words, "--env=", ENVIRONMENT_COOKIE) &&
		add(words, "--env=HOME=", state->scripts_dir) &&
		add(words, "--workdir=", state->builds_dir) &&
		add_mount(words, "--volume=", state->scripts_dir) &&
		add_mounts(words, "--volume=", state);
	if (state->entrypoint != NULL)
		whole = whole && add(words, "--entrypoint=", state->entrypoint);
	return whole && add(words, "docker://", state->image);
}

/* The words of the JSON array; an entrypoint of [""] is none. */
static bool add_entrypoint(struct string_list *words, const char *entrypoint)
{
	json_auto_t *list = json_loads(entrypoint, 0, NULL);
	size_t index;
	const json_t *word;
	bool whole = json_is_array(list);
	json_array_foreach (list, index, word) {
		const char *text = json_string_value(word);
		bool is_none = text != NULL && text[0] == '\0' && json_array_size(list) == 1;
		whole = whole && text != NULL && (is_none || string_list_add(words, text));
	}
	return whole;
}

/* The file that prepare makes of an image. */
static char *image_file(const struct state *state)
{
	return state->image[0] == '/' ? strdup(state->image)
				      : text_format("%s/image.sif", state->scripts_dir);
}

static bool add_apptainer(struct string_list *words, const struct state *state)
{
	cleanup_free char *image = image_file(state);
	return image != NULL && string_list_add(words, "exec") &&
	       add(words, "--home=", state->scripts_dir) &&
	       add(words, "--pwd=", state->builds_dir) && add_mounts(words, "--bind=", state) &&
	       string_list_add(words, image) &&
	       (state->entrypoint == NULL || add_entrypoint(words, state->entrypoint));
}

/* The words as one command for a shell, in new memory; frees them. */
static char *join(struct string_list *words, bool whole)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = whole ? open_memstream(&text, &size) : NULL;
	for (size_t i = 0; out != NULL && i < words->count; i++) {
		cleanup_free char *word = login_shell_quote(words->items[i]);
		whole = whole && word != NULL && fprintf(out, "%s%s", i > 0 ? " " : "", word) > 0;
	}
	string_list_free(words);
	if (out != NULL && fclose(out) == 0 && whole)
		return text;
	free(text);
	return NULL;
}

char *container_command(const struct state *state, const char *script)
{
	const struct container_settings *settings = &state->settings.general.container;
	bool by_podman = settings->runtime == CONTAINER_PODMAN;
	struct string_list words = {.count = 0};
	bool whole = (!by_podman || add_shell(&words, RUN_PODMAN)) &&
		     string_list_add(&words, container_program(settings)) &&
		     (by_podman ? add_podman : add_apptainer)(&words, state) &&
		     string_list_add(&words, "sh") && string_list_add(&words, "-c") &&
		     string_list_add(&words, RUN_SCRIPT) && string_list_add(&words, "sh") &&
		     string_list_add(&words, script);
	return join(&words, whole);
}

static bool add_podman_pull(struct string_list *words, const struct state *state,
			    const char *program)
{
	bool always = state->settings.general.container.pull == PULL_ALWAYS;
	const char *command = always ? PUT_RIGHT "exec \"$1\" pull \"docker://$2\""
				     : PUT_RIGHT "\"$1\" image exists \"$2\" || "
						 "exec \"$1\" pull \"docker://$2\"";
	return add_shell(words, command) && string_list_add(words, program) &&
	       string_list_add(words, state->image);
}

static bool add_apptainer_pull(struct string_list *words, const struct state *state,
			       const char *program)
{
	const char *scheme = strstr(state->image, "://") != NULL ? "" : "docker://";
	cleanup_free char *file = image_file(state);
	return file != NULL && string_list_add(words, program) && string_list_add(words, "pull") &&
	       string_list_add(words, "--force") && string_list_add(words, file) &&
	       add(words, scheme, state->image);
}

char *container_pull_command(const struct state *state)
{
	const struct container_settings *settings = &state->settings.general.container;
	bool by_podman = settings->runtime == CONTAINER_PODMAN;
	struct string_list words = {.count = 0};
	if (settings->pull == PULL_NEVER || state->image[0] == '/')
		return strdup("");
	bool whole = (by_podman ? add_podman_pull
				: add_apptainer_pull)(&words, state, container_program(settings));
	return join(&words, whole);
}

void container_end_helpers(const struct pid_list *others)
{
	(void)process_tree_kill_below(getpid(), others, KILL_MS);
}

/* 0 if `child` ends with 0 in time. */
static int wait_for(pid_t child)
{
	int64_t deadline = io_now_ms() + REMOVE_MS;
	int status = -1;
	while (!process_tree_reap(child, &status) && io_now_ms() < deadline)
		usleep(PAUSE_US);
	return status == 0 ? 0 : -1;
}

int container_remove(const struct state *state, struct error *err)
{
	static const char REMOVE[] = PUT_RIGHT "exec \"$1\" rm --force --ignore \"$2\"";
	const struct container_settings *settings = &state->settings.general.container;
	const struct pid_list none = {.count = 0};
	cleanup_free char *name = text_format("jacamar-%s", state->reference);
	char *const arguments[] = {
		"sh", "-c", (char *)REMOVE, "sh", (char *)container_program(settings), name, NULL};
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (state->image == NULL || settings->runtime != CONTAINER_PODMAN)
		return 0;
	if (name == NULL || null < 0)
		return error_set(err, ERROR_SYSTEM, "out of memory, or no /dev/null");
	const struct subprocess_program program = {
		.path = "/bin/sh",
		.arguments = arguments,
		.environment = environ,
		.input = null,
		.output = null,
		.errors = STDERR_FILENO,
		.other = -1,
	};
	if (process_tree_adopt_orphans(err) != 0)
		return -1;
	pid_t child = subprocess_spawn(&program, err);
	int result = child > 0 ? wait_for(child) : -1;
	container_end_helpers(&none);
	if (child > 0 && result != 0)
		error_set(err, ERROR_SYSTEM,
			  "the container jacamar-%s may be left; to remove it: podman rm --force "
			  "jacamar-%s",
			  state->reference, state->reference);
	return result;
}
