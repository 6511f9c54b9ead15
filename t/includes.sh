#!/bin/sh
# Each folder may include files of itself and of the folders above it in README's table, no others:
# so no two folders include each other. Prints the #include lines that break this rule.
cd "$(dirname "$0")/.." || exit 1
awk '
	# A row of the table: "| core/lib/ | ... |".
	FNR == NR {
		if (match($0, /^\| [a-z\/]+\/ /)) {
			folder = substr($0, 3, RLENGTH - 4)
			if (folder == "applets" || folder == "config" || folder ~ /^core/)
				place[folder] = ++count
		}
		next
	}
	FNR == 1 {
		own = FILENAME
		sub("/[^/]*$", "", own)
		if (!(own in place)) {
			print FILENAME ": the table of folders in README lacks " own "/"
			bad = 1
			nextfile
		}
	}
	/^#include "[a-z]+\// {
		other = $2
		gsub("\"", "", other)
		sub("/[^/]*$", "", other)
		if (!(other in place) || place[other] > place[own]) {
			print FILENAME ":" FNR ": " $0
			bad = 1
		}
	}
	END {
		if (bad)
			print "each folder may include only itself and the folders above it in README"
		exit bad
	}' README applets/*.[ch] config/*.[ch] core/*/*.[ch]
