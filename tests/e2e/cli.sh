#!/bin/sh
# What every command line tool owes its user: help, exit codes, streams.
set -u
. tests/e2e/tap

commands='search status stop front show report export data space train measure device cost'

check 'no arguments: an overview' "$HAWSER"
for c in $commands; do
	prints "the overview lists $c" "^  $c +[^ ]" out
done
cp "$DIR/out" "$DIR/overview"
summaries=$(grep -Ec '^  [a-z]+ +[a-z].*[^.]$' "$DIR/overview")
check 'summaries are phrases in lower case, without a full stop' test "$summaries" -eq 13
check 'help: the same' "$HAWSER" help
same 'help equals the overview' out overview
check 'version' "$HAWSER" --version
prints 'version is told' '^hawser [0-9]+\.[0-9]+' out
prints 'the BLAS is told' '^BLAS: .' out

for c in $commands; do
	check "$c --help" "$HAWSER" "$c" --help
	cp "$DIR/out" "$DIR/help"
	prints "$c: usage" "^usage: hawser $c" help
	prints "$c: options" '^  --results DIR' help
	prints "$c: examples" '^  .*hawser' help
	if awk 'length > 100' "$DIR/help" | grep -q .; then
		not_ok "$c: help fits a terminal" "lines over 100 columns"
	else
		ok "$c: help fits a terminal"
	fi
	check "help $c" "$HAWSER" help "$c"
	same "help $c equals $c --help" out help
	exits "$c: unknown option" 2 "$HAWSER" "$c" --no-such-option
	prints "$c: unknown option is named" \
		"^hawser: $c: unknown option '--no-such-option'" err
done

exits 'unknown command' 2 "$HAWSER" serach
prints 'unknown command has a hint' "did you mean 'search'" err
exits 'unknown command without a near one' 2 "$HAWSER" qqqqqqqq
prints 'says where the commands are listed' "hawser help" err
exits 'help of an unknown command' 2 "$HAWSER" help qqqqqqqq
exits 'option before the command' 2 "$HAWSER" --results x space presets

# Options stand anywhere, with = or a blank, and end at --.
check 'option before the argument' "$HAWSER" space --seed 3 sample -n 4 home-small
cp "$DIR/out" "$DIR/a"
check 'option with =' "$HAWSER" space sample home-small --seed=3 -n4
same 'means the same' out a
check 'another seed' "$HAWSER" space sample home-small --seed=4 -n 4
cp "$DIR/out" "$DIR/b"
exits 'draws others' 1 cmp -s "$DIR/a" "$DIR/b"
exits '-- ends the options' 2 "$HAWSER" space show -- --seed
prints 'and takes the rest as names' "'--seed'" err
exits 'flag with a value' 2 "$HAWSER" space presets --help=x

# The results folder: the option goes before the variable.
exits 'status without a database' 2 "$HAWSER" status --results "$DIR/mine"
prints 'names the file of the option' "$DIR/mine/hawser.db" err
exits 'status without a database' 2 "$HAWSER" status
prints 'names the file of the variable' "$DIR/results/hawser.db" err

# Output that does not arrive is a failure.
if [ -e /dev/full ]; then
	"$HAWSER" space presets >/dev/full 2>"$DIR/err"
	[ $? -eq 1 ] && ok 'full disk: exit code 1' || not_ok 'full disk: exit code 1'
	prints 'full disk: is told' '^hawser: cannot write to the standard output' err
else
	skip 'full disk' 'no /dev/full here'
fi
"$HAWSER" space presets >&- 2>"$DIR/err"
[ $? -eq 1 ] && ok 'closed output: exit code 1' || not_ok 'closed output: exit code 1'
prints 'closed output: is told' '^hawser: cannot write to the standard output' err
{
	"$HAWSER" space sample home-small -n 100000 2>"$DIR/err"
	echo $? >"$DIR/code"
} | head -n 1 >"$DIR/line"
check 'closed pipe: ends' grep -qx 1 "$DIR/code"
prints 'closed pipe: the first line was whole' '^enc;.*L=h' line
check 'closed input' sh -c '"$1" space presets <&- >/dev/null' sh "$HAWSER"

# No escape sequences where nobody looks at a terminal, nor with NO_COLOR.
"$HAWSER" space show home-small >"$DIR/out" 2>&1
escape=$(printf '\033')
exits 'no escapes in a file' 1 grep -q "$escape" "$DIR/out"
if command -v script >/dev/null 2>&1; then
	NO_COLOR=1 TERM=xterm script -qec "'$HAWSER' space show home-small" /dev/null >"$DIR/tty" </dev/null
	exits 'no colours with NO_COLOR' 1 grep -q "$escape\[[0-9;]*m" "$DIR/tty"
else
	skip 'no colours with NO_COLOR' "no 'script' program here"
fi
finish
