/*
 * What a process keeps mapped while all that it does is wait: a job may sleep for days, and a
 * login node have hundreds of them.
 */
#ifndef JACAMAR_CORE_RESIDENT_H
#define JACAMAR_CORE_RESIDENT_H

/*
 * Lets go of the large parts of code and constants, of the program and its libraries: the start has
 * used far more of them than the wait will. They are pages of files that nothing writes to, and
 * come back, from memory as a rule, when they are used again. Nothing that was written is touched.
 */
void resident_trim(void);

#endif
