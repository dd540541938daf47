# Reads C files named on the command line and prints "file:line: rule: text" for every
# breach. Needs `root` (the tree's folder with a '/' behind it, or empty).

BEGIN {
	host = "src/base src/model"
	# module -> modules, folders or single headers that it may include besides itself
	allow["src/base"] = ""
	allow["src/infer"] = ""
	allow["devices/proto"] = ""
	allow["src/model"] = "src/base"
	allow["search/space"] = host
	allow["search"] = host " search/space"
	allow["cost_models"] = host
	allow["src/codegen"] = host " src/infer devices/proto/crc32.h devices/proto/placed.h"
	allow["src/train"] = host " src/infer/tokenise.h src/infer/labels.h"
	allow["src/store"] = host
	allow["devices"] = host " devices/proto devices/sensors"
	# sensors and the simulated device live in the agent
	allow["devices/sensors"] = "devices/proto"
	allow["devices/sim"] = "devices/proto devices/agent"
	allow["devices/agent"] = "src/infer devices/proto devices/sensors devices/sim"
	allow["devices/boards"] = "src/infer devices/proto devices/agent"
	allow["src/measure"] = host " devices/device.h devices/sensors"
	allow["src/eval"] = host " src/infer devices/proto search/space search cost_models" \
		" src/codegen src/train src/store devices devices/sensors src/measure src/report"
	allow["src/report"] = host " src/store"
	allow["src/cli"] = "*"
	allow["tests"] = "*"

	# system header -> folders that may include it
	only["sqlite3.h"] = "src/store tests"
	only["cblas.h"] = "src/train cost_models tests"
	only["openblas_config.h"] = "src/train cost_models tests"
	only["libfyaml.h"] = "src/base"
	only["termios.h"] = "devices/transport devices/agent devices/boards tests"
	only["spawn.h"] = "devices/transport devices/agent devices/boards src/codegen tests"

	# folders that run on devices use none of these
	bare = "src/infer devices/proto devices/agent devices/boards devices/sensors devices/sim"
	n_host = split("sqlite3.h cblas.h libfyaml.h curl/curl.h jansson.h sodium.h", host_lib, " ")
	# and these two are freestanding
	freestanding = "src/infer devices/proto"

	# what has to hold on a machine whose wall clock is moved
	timeless = "devices src/measure src/infer search"
	wall_clock = "(^|[^A-Za-z0-9_])(CLOCK_REALTIME(_COARSE)?|gettimeofday|time[ \t]*\\(|clock_unix_s)"

	may_spawn = "devices/transport devices/agent devices/boards src/codegen tests"
	spawn = "(^|[^A-Za-z0-9_.>])(fork|vfork|popen|system|posix_spawnp?|execvp?e?|execlp?e?)" \
		"[ \t]*\\("
}

function below(path, folder)
{
	return path == folder || index(path, folder "/") == 1
}

function in_any(path, folders,   list, n, i)
{
	n = split(folders, list, " ")
	for (i = 1; i <= n; i++)
		if (list[i] == "*" || below(path, list[i]))
			return 1
	return 0
}

# The module with the longest name that holds the path.
function module_of(path,   m, best)
{
	best = ""
	for (m in allow)
		if (below(path, m) && length(m) > length(best))
			best = m
	return best
}

function breach(rule, text)
{
	print file ":" FNR ": " rule ": " text
}

# The target is allowed by the row that is its own module or the header itself: "devices"
# in a row does not open devices/agent.
function may_include(from, target,   list, n, i, m)
{
	m = module_of(target)
	if (m == from || allow[from] == "*")
		return 1
	n = split(allow[from], list, " ")
	for (i = 1; i <= n; i++)
		if (list[i] == m || (list[i] != module_of(list[i]) && below(target, list[i])))
			return 1
	return 0
}

function check_own_include(target)
{
	if (system("test -f '" root target "'") != 0)
		breach("include path", "\"" target "\" is not a file below the project's root")
	else if (module_of(target) == "tests" && module != "tests")
		breach("include table", "nobody includes tests (\"" target "\")")
	else if (module_of(target) == "src/cli" && module != "src/cli" && module != "tests")
		breach("include table", "nobody includes src/cli (\"" target "\")")
	else if (module != "" && !may_include(module, target))
		breach("include table", module " may not include \"" target "\"")
}

function check_system_include(target,   i)
{
	if ((target in only) && !in_any(file, only[target]))
		breach("library", "<" target "> belongs to " only[target])
	if (in_any(file, bare))
		for (i = 1; i <= n_host; i++)
			if (target == host_lib[i])
				breach("library", "<" target "> is a host library")
	if (in_any(file, freestanding) && (target == "stdio.h" || target == "stdlib.h"))
		breach("library", "<" target "> in a freestanding folder")
}

# The line without comments and without the insides of strings and characters.
function code_of(line,   out, i, c, quote)
{
	out = ""
	quote = ""
	for (i = 1; i <= length(line); i++) {
		c = substr(line, i, 1)
		if (in_comment) {
			if (c == "*" && substr(line, i + 1, 1) == "/") {
				in_comment = 0
				i++
			}
		} else if (quote != "") {
			if (c == "\\")
				i++
			else if (c == quote)
				quote = ""
		} else if (c == "\"" || c == "'") {
			quote = c
			out = out c
		} else if (c == "/" && substr(line, i + 1, 1) == "*") {
			in_comment = 1
			i++
		} else if (c == "/" && substr(line, i + 1, 1) == "/") {
			return out
		} else {
			out = out c
		}
	}
	return out
}

# After a file's last line: header guards.
function finish()
{
	if (file ~ /\.h$/ && guard == "")
		print file ":1: header guard: no '#ifndef HAWSER_..._H' and '#define' after it"
	else if (file ~ /\.h$/ && (guard in guards))
		print file ":1: header guard: " guard " is also that of " guards[guard]
	if (guard != "")
		guards[guard] = file
}

FNR == 1 {
	if (file != "")
		finish()
	file = substr(FILENAME, length(root) + 1)
	module = module_of(file)
	in_comment = 0
	guard = wanted = ""
	if (file ~ /\.h$/ && $0 !~ /^\/\*/)
		breach("header comment", "a header opens with a comment on its purpose")
}

/ \t/ && !/"[^"]* \t/ {
	breach("whitespace", "a space before a tab")
}
/^\t*        / {
	breach("whitespace", "indented with spaces, tabs are eight wide")
}
/[ \t]$/ {
	breach("whitespace", "blanks at the end of the line")
}
/\r$/ {
	breach("whitespace", "carriage return")
}

!in_comment && /^[ \t]*#[ \t]*include[ \t]*"/ {
	split($0, part, "\"")
	check_own_include(part[2])
}
!in_comment && /^[ \t]*#[ \t]*include[ \t]*</ {
	split($0, part, /[<>]/)
	check_system_include(part[2])
}
file ~ /\.h$/ && wanted == "" && /^#ifndef HAWSER_[A-Z0-9_]+_H$/ {
	wanted = $2
}
wanted != "" && $1 == "#define" && $2 == wanted {
	guard = wanted
}
{
	code = code_of($0)
	if (code ~ spawn && !in_any(file, may_spawn))
		breach("process", "starting programs belongs to " may_spawn)
	if (code ~ wall_clock && in_any(file, timeless))
		breach("clock", "the wall clock may jump: take a monotonic one")
}

END {
	if (file != "")
		finish()
}
