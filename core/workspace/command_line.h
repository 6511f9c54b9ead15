/*
 * Keeps the job's token out of command lines, which every user of a node can read: the shell
 * functions of command_line.bash replace the commands to which the runner's own scripts pass the
 * token.
 */
#ifndef JACAMAR_CORE_WORKSPACE_COMMAND_LINE_H
#define JACAMAR_CORE_WORKSPACE_COMMAND_LINE_H

/* The bash code to put before the runner's script of that sub-stage; "": none. */
const char *command_line_prelude(const char *substage);

#endif
