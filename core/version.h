#ifndef JACAMAR_CORE_VERSION_H
#define JACAMAR_CORE_VERSION_H

#define JACAMAR_NAME	"jacamar-ci"
#define JACAMAR_VERSION "0.1.0"

#endif
