#!/bin/sh
# Boards without an operating system, emulated: probed, answers checked there, instructions
# counted, the same ones every time; nothing of it stays behind.
set -u
. tests/e2e/tap

for p in qemu-system-arm arm-none-eabi-gcc; do
	if ! command -v $p >/dev/null; then
		skip 'an emulated board' "no $p"
		finish
		exit
	fi
done
boards="mps2-an385 mps2-an386 mps2-an500 mps2-an505 mps3-an547 netduinoplus2"
genome() { # BITS
	echo "enc;v=200;t=12;d=32;e=32;eb=$1;act=gelu;norm=ln;place=pre;pool=mean;abs=1;rel=0;conv=0;opt=O2;kern=ref;L=h2k2x16f48r0b$1"
}
count() {
	sed -n 's/.*"instructions": \([0-9]*\).*/\1/p' "$DIR/out"
}

measure() { # BITS BOARD OPTION...
	bits=$1 device=$2
	shift 2
	"$HAWSER" measure --genome "$(genome "$bits")" --task intent-slots:5:7 \
		--device "$device" --processes 2 "$@"
}
for board in $boards; do
	check "$board: device probe" "$HAWSER" device probe $board
	prints "$board: says what it is" "^board +$board\$" out
	prints "$board: that it counts" 'emulated: counts instructions' out
	check "$board: measure" measure 8 $board
	prints "$board: golden check" '^golden +outputs agree' out
	first=$(sed -n 's/^instructions \([0-9]*\) .*/\1/p' "$DIR/out")
	if grep -q latency "$DIR/out"; then not_ok "$board: no latency"; else ok "$board: no latency"; fi
	check "$board: measure as JSON" measure 8 $board --json
	n=$(count)
	if [ -n "$n" ] && [ "$n" = "$first" ]; then
		ok "$board: the same count"
	else
		not_ok "$board: the same count" "'$n' after '$first'"
	fi
done
board=mps2-an386
for bits in 32 4; do
	check "measure, $bits bits" measure $bits $board
	prints "golden check, $bits bits" '^golden +outputs agree' out
	prints "instructions, $bits bits" '^instructions [0-9]+ ' out
done
# A controller that is killed in the midst of an upload takes its emulator along.
sed "s/-M mps2-an386/-M mps2-an386 -name hawser-$$/" devices/profiles/$board.yaml >"$DIR/mine.yaml"
"$HAWSER" measure --genome "$(genome 32 | sed 's/v=200/v=4000/')" --task intent-slots:5:7 \
	--device "$DIR/mine.yaml" >"$DIR/out" 2>&1 &
pid=$!
emulators() {
	pgrep -f -c "^qemu-system-arm .*-name hawser-$$ "
}
wait_for() { # NAME TEST-EXPRESSION of the number of emulators
	tries=0
	while [ $tries -lt 50 ] && ! [ "$(emulators)" "$2" 0 ]; do
		sleep 0.2
		tries=$((tries + 1))
	done
	if [ "$(emulators)" "$2" 0 ]; then ok "$1"; else not_ok "$1"; fi
}
wait_for 'an emulator runs' -gt
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
wait_for 'and ends with its controller' -eq
finish
