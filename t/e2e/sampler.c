/*
 * What any user of a node can do: reads the command line of every process, over and over, and notes
 * those that have one of the given words.
 *
 *   sampler WORDS FOUND ROUNDS
 *
 * WORDS has one word a line: here they would be in a command line themselves. ROUNDS counts how
 * often it has been through /proc; a process that waits for two more rounds has been looked at.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MOST   16
#define LONGEST_LIFE 900 /* seconds */

struct words {
	char *items[WORDS_MOST];
	size_t count;
};

static int read_words(const char *path, struct words *words)
{
	char line[256];
	FILE *file = fopen(path, "re");
	if (file == NULL)
		return -1;
	while (words->count < WORDS_MOST && fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		words->items[words->count++] = strdup(line);
	}
	fclose(file);
	return words->count > 0 ? 0 : -1;
}

static void look_at(const char *pid, const struct words *words, int found)
{
	static char line[256 * 1024];
	char path[64];
	snprintf(path, sizeof(path), "/proc/%.20s/cmdline", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t size = read(fd, line, sizeof(line) - 1);
	close(fd);
	for (size_t i = 0; size > 0 && i < words->count; i++) {
		if (memmem(line, (size_t)size, words->items[i], strlen(words->items[i])) == NULL)
			continue;
		for (ssize_t at = 0; at < size; at++)
			if (line[at] == '\0' || line[at] == '\n')
				line[at] = ' ';
		line[size] = '\n';
		(void)!write(found, line, (size_t)size + 1);
		return;
	}
}

int main(int argc, char **argv)
{
	struct words words = {.count = 0};
	if (argc != 4 || read_words(argv[1], &words) != 0)
		return 1;
	int found = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	int rounds = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (found < 0 || rounds < 0)
		return 1;
	alarm(LONGEST_LIFE);
	for (unsigned long round = 1;; round++) {
		DIR *processes = opendir("/proc");
		if (processes == NULL)
			return 1;
		for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
			if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
				look_at(entry->d_name, &words, found);
		closedir(processes);
		char text[32];
		int size = snprintf(text, sizeof(text), "%lu\n", round);
		(void)!pwrite(rounds, text, (size_t)size, 0);
		usleep(1000);
	}
}
