/*
 * The name and the version of the program. The Makefile reads the version from here.
 */
#ifndef JACAMAR_CORE_LIB_VERSION_H
#define JACAMAR_CORE_LIB_VERSION_H

#define JACAMAR_NAME	"jacamar-ci"
#define JACAMAR_VERSION "0.2.0"

#endif
