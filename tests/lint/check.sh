#!/bin/sh
# tests/lint/check.sh [ROOT]: the house rules that a compiler does not check. Prints
# "file:line: rule: text" for every breach, then one TAP line a rule. README.md beside
# this file lists the rules.
set -u

root=${1:-.}
here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$root" || exit 1
export LC_ALL=C

warn_lines=500 fail_lines=800 readme_lines=60
work=$(mktemp -d "${TMPDIR:-/tmp}/hawser-lint.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# What belongs to the project: what git knows or would add; without git, what is there.
if [ -e .git ] && command -v git >/dev/null 2>&1; then
	git ls-files -co --exclude-standard
else
	find . -type f ! -path './.git/*' ! -path './build/*' ! -path './results/*' | sed 's|^\./||'
fi | sort -u | while IFS= read -r f; do [ -f "$f" ] && echo "$f"; done >"$work/files"
grep '\.[ch]$' "$work/files" >"$work/sources"
: >"$work/breaches"

[ -s "$work/sources" ] && xargs awk -v root= -f "$here/rules.awk" <"$work/sources" \
	>>"$work/breaches"

# Sizes.
while IFS= read -r f; do
	lines=$(wc -l <"$f")
	if [ "$lines" -gt "$fail_lines" ]; then
		echo "$f:$lines: file size: more than $fail_lines lines" >>"$work/breaches"
	elif [ "$lines" -gt "$warn_lines" ]; then
		echo "# warning: $f has $lines lines, plan a cut (over $warn_lines)"
	fi
done <"$work/sources"

while IFS= read -r f; do
	case $f in
	README.md | LICENSE | Makefile | .*) ;;
	src/* | search/* | cost_models/* | devices/* | results/* | tests/*) ;;
	*) echo "$f:1: top level: '${f%%/*}' is not one of ours" >>"$work/breaches" ;;
	esac
	case $f in
	*/README.md)
		lines=$(wc -l <"$f")
		[ "$lines" -le "$readme_lines" ] ||
			echo "$f:$lines: readme size: more than $readme_lines lines"
		;;
	esac >>"$work/breaches"
done <"$work/files"

# Paths of one machine. The pattern is written so that it does not find itself.
tr '\n' '\0' <"$work/files" |
	xargs -0 grep -InE '(^|[^A-Za-z0-9_.$}])/(work|roo[t]|home/[a-z]+)/' /dev/null |
	sed -n 's|^\([^:]*:[0-9]*\):.*|\1: machine path: a path of one machine|p' >>"$work/breaches"

cat "$work/breaches"
status=0
for rule in 'include table' 'include path' 'library' 'clock' 'process' 'header guard' \
	'header comment' 'whitespace' 'file size' 'readme size' 'top level' 'machine path'; do
	n=$(grep -c "^[^:]*:[0-9]*: $rule: " "$work/breaches")
	if [ "$n" -eq 0 ]; then
		echo "ok - $rule"
	else
		echo "not ok - $rule ($n)"
		status=1
	fi
done
exit $status
