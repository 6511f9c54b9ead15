# What a page of the manual tells its reader to do, from its source: lib.sh first, then this.
#
# In a display, a line that begins with `# ` or `$ ` is a command, of root's or of the service
# account's, and what follows up to the next is its output. A display behind `.Pa PATH :` is what
# that file holds.

page=$top/man/jacamar-deploy.7

# page_commands SECTION: its commands, one a line, prompts included.
page_commands() {
	page_displays "$1" | sed -n '/^[#$] /p'
}

# page_script SECTION N: its Nth command as a shell gets it, with the lines that continue it.
page_script() {
	page_displays "$1" | awk -v wanted="$2" '
		/^[#$] / {number++}
		number == wanted {sub(/^[#$] /, ""); print}'
}

# page_output COMMAND: what the page shows for it.
page_output() {
	page_displays | awk -v command="$1" '
		/^[#$] / || /^$/ {found = 0}
		found {print}
		substr($0, 3) == command && /^[#$] / {found = 1}'
}

# page_sections: those that have commands.
page_sections() {
	sed -n 's/^\.Sh //p' "$page" | while read -r section; do
		[ -z "$(page_commands "$section")" ] || echo "$section"
	done
}

# page_displays [SECTION]: all displays but those of files.
page_displays() {
	awk -v wanted="${1:-}" '
		/^\.Sh / {section = substr($0, 5)}
		/^\.Ed$/ {if (shown) print ""; shown = 0}
		shown {print}
		/^\.Bd -literal/ {shown = (wanted == "" || section == wanted) && before !~ /^\.Pa .* :$/}
		{before = $0}' "$page" | page_text
}

# page_file PATH: what it shall hold.
page_file() {
	awk -v wanted=".Pa $1 :" '
		/^\.Ed$/ {shown = 0}
		shown {print}
		/^\.Bd -literal/ {shown = before == wanted}
		{before = $0}' "$page" | page_text
}

# Backslashes, as mdoc has them.
page_text() { sed 's/\\e/\\/g'; }
