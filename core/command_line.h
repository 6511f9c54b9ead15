/*
 * What keeps the job's token out of command lines, which every user of a node can read: the shell
 * functions of command_line.bash, in the place of the commands that the runner's own scripts give
 * it to.
 */
#ifndef JACAMAR_CORE_COMMAND_LINE_H
#define JACAMAR_CORE_COMMAND_LINE_H

/* The lines of bash to go ahead of the runner's script of that sub-stage; "" where none are. */
const char *command_line_prelude(const char *substage);

#endif
