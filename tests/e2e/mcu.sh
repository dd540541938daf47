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
boards="mps2-an385 mps2-an386 mps2-an500 mps2-an505 mps3-an547 netduinoplus2 musca-b1"
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
features() { # BOARD
	case $1 in
	mps2-an385) echo none ;;
	mps2-an500) echo fpu double dsp ;;
	mps3-an547) echo fpu double dsp mve ;;
	*) echo fpu dsp ;;
	esac
}
pin() { # BOARD LEVEL: what the emulator logs
	case $1.$2 in
	netduinoplus2.1) echo 'GPIOA: .*write.*offset 0x018, value 0x00000400' ;;
	netduinoplus2.0) echo 'GPIOA: .*write.*offset 0x018, value 0x04000000' ;;
	*.1) echo 'gpio0*: .*write.*offset 0x004, value 0x00000004' ;;
	*.0) echo 'gpio0*: .*write.*offset 0x004, value 0x00000000' ;;
	esac
}
# The agent's sizes from the link: at most what tests/mcu/sizes says.
while read -r board code ram; do
	set -- $(arm-none-eabi-size "$(dirname "$HAWSER")/hawser-agent-$board.elf" | tail -1)
	if [ "$1" -gt 0 ] && [ $(($1 + $2)) -le "$code" ] && [ $(($2 + $3)) -le "$ram" ]; then
		ok "$board: the agent's size"
	else
		not_ok "$board: the agent's size" "code $(($1 + $2)) of $code, RAM $(($2 + $3)) of $ram"
	fi
done <<END
$(grep -v '^#' tests/mcu/sizes)
END
for board in $boards; do
	check "$board: device probe" "$HAWSER" device probe $board
	prints "$board: says what it is" "^board +$board\$" out
	prints "$board: that it counts" 'emulated: counts instructions' out
	prints "$board: what it can" "^features +$(features $board)\$" out
	prints "$board: its boots" '^boots +1, the last one because power was switched on$' out
	# The emulator tells of accesses to what it has not, as the pins are.
	sed "s#sleep=off#sleep=off -d unimp -D $DIR/pins#" devices/profiles/$board.yaml >"$DIR/$board.yaml"
	check "$board: measure" measure 8 "$DIR/$board.yaml"
	prints "$board: its stack" '^stack +[0-9]+ of 8192 bytes reserved, measured on the emulated board' out
	prints "$board: its RAM" '^RAM +[0-9]+ bytes: data [0-9]+, arena and state [0-9]+, stack [0-9]+$' out
	levels=$(sed -n "/$(pin $board 1)/s/.*/1/p; /$(pin $board 0)/s/.*/0/p" "$DIR/pins" | uniq | tr -d '\n')
	if [ "$levels" = 010101010 ]; then
		ok "$board: a pin is high once a process, while it is timed, after a pulse"
	else
		not_ok "$board: a pin is high once a process, while it is timed, after a pulse" "$levels"
	fi
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
# The boards whose core has DSP take its kernels.
check 'musca-b1: kernels for its core' "$HAWSER" measure --genome "$(genome 8 | sed 's/kern=ref/kern=opt/')" \
	--task intent-slots:5:7 --device musca-b1 --processes 2 --json
if [ "$(count)" -lt $((n / 2)) ]; then ok 'are quicker'; else not_ok 'are quicker' "$(count) after $n"; fi
exits 'tuning on an emulated board' 2 "$HAWSER" measure --genome "$(genome 8 | sed 's/kern=ref/kern=opt/')" \
	--task intent-slots:5:7 --device musca-b1 --tune
prints 'is refused' "device 'musca-b1' cannot tune: it is emulated and never timed" err
board=mps2-an386
for bits in 32 4; do
	check "measure, $bits bits" measure $bits $board
	prints "golden check, $bits bits" '^golden +outputs agree' out
	prints "instructions, $bits bits" '^instructions [0-9]+ ' out
done
# What the core has not is not sent there; without an FPU, an answer is as right.
other() { # CFLAGS: the board's profile with the flags of another core
	sed "s/^cflags:.*/cflags: $1 -mthumb/" devices/profiles/$board.yaml >"$DIR/other.yaml"
}
other '-mcpu=cortex-m55 -mfloat-abi=hard'
exits 'a build for an M55' 2 measure 8 "$DIR/other.yaml"
prints 'is refused' "needs 'mve', which this cortex-m4 processor does not report: take '\\+mve', or what implies it, out of 'cflags'" err
other '-mcpu=cortex-m7 -mfpu=fpv5-d16 -mfloat-abi=hard'
exits 'a build for an M7' 2 measure 8 "$DIR/other.yaml"
prints 'is refused as well' "needs 'double'" err
other '-mcpu=cortex-m4 -mfloat-abi=soft'
check 'a build without FPU' measure 8 "$DIR/other.yaml"
# A decoder: whole inputs and single tokens, the same counts every time; what is kept of it.
decoder='dec;v=1000;t=64;d=64;e=64;eb=8;act=gelu;norm=rms;place=pre;pool=mean;abs=1;rel=0;conv=0;opt=O2;kern=opt;L=h2k2x32f128r0b8,h2k2x32f128r0b8'
decode() { # OPTION...
	"$HAWSER" measure --genome "$decoder" --device $board --tokens 16 "$@"
}
field() { # NAME: a number of JSON
	sed -n "s/.*\"$1\": \([0-9]*\).*/\1/p" "$DIR/out" | head -1
}
check 'a decoder' decode
prints 'its golden check' '^golden +outputs agree' out
prints 'its next token' '^next token +[0-9]+ instructions after 16$' out
check 'as JSON' decode --json
whole=$(field instructions) token=$(field step_instructions)
prints 'what was cached' '"cached": 16' out
prints 'the stack it has' '"stack_reserved_bytes": 8192' out
prints 'which is enough' '"stack_is_tight": false' out
stack=$(field stack_bytes)
check 'single tokens alone' decode --phase decode --json
if [ -n "$token" ] && [ "$token" -lt "$whole" ] && [ "$(field instructions)" = "$token" ]; then
	ok 'take as many'
else
	not_ok 'take as many' "'$(field instructions)', beside $whole '$token'"
fi
check 'what is kept' "$HAWSER" show "$(sed -n 's/.*"candidate": "\(.*\)".*/\1/p' "$DIR/out")" --json
prints 'its tokens, its stack' "\"step_instructions\": $token, \"stack_bytes\": $stack, \"stack_provenance\": \"emulated\"" out
check 'the last token that fits' "$HAWSER" measure --genome "$decoder" --device $board --phase decode
exits 'tokens of an encoder' 2 measure 8 $board --phase decode
prints 'says what to do' 'single tokens of a decoder, and this network is an encoder: leave it out' err
# The same emulator behind a port, as a real board would be, is timed.
qemu-system-arm -M $board -display none -nodefaults -serial pty \
	-kernel "$(dirname "$HAWSER")/hawser-agent-$board.elf" >"$DIR/port" 2>/dev/null &
emulator=$!
await 50 grep -q 'redirected to' "$DIR/port"
sed "s#^emulator:.*#port: $(sed -n 's/.*redirected to \([^ ]*\) .*/\1/p' "$DIR/port")#" devices/profiles/$board.yaml >"$DIR/port.yaml"
check 'a decoder behind a port' "$HAWSER" measure --genome "$decoder" --device "$DIR/port.yaml" --tokens 16 --processes 2 --json
cp "$DIR/out" "$DIR/timed"
exits 'tuning behind a port' 2 "$HAWSER" measure --genome "$decoder" --device "$DIR/port.yaml" --tune
prints 'has no tuner' "cannot tune: there is no tuner for boards" err
cp "$DIR/timed" "$DIR/out"
prints 'a time of inputs' '"latency_us": [0-9.]+' out
prints 'a time of tokens' '"step_us": [0-9.]+' out
prints 'after as many' '"cached": 16' out
prints 'its stack' '"stack_bytes": [0-9]+' out
kill $emulator
wait $emulator 2>/dev/null
# The same harness with less stack than it uses but for 5 %.
mkdir "$DIR/home"
cp -r src devices search "$DIR/home"
sed -i "s/define STACK_BYTES 8192/define STACK_BYTES $((stack * 102 / 100 / 4 * 4))/" "$DIR/home/devices/boards/mcu/main.c"
check 'a payload with little stack' env HAWSER_HOME="$DIR/home" "$HAWSER" measure --genome "$decoder" --device $board --tokens 16
prints 'is warned of' '^warning +that stack is in the last 5 % of what is reserved: enlarge' out
# Weights of 320 KB beside 112 KB of RAM: in flash, and refused where the profile names none.
large() { # DEVICE
	"$HAWSER" measure --genome "$(genome 8 | sed 's/v=200/v=4000/; s/d=32;e=32/d=64;e=64/')" \
		--task intent-slots:5:7 --device "$1" --processes 2
}
board=netduinoplus2
check "$board: device probe, with flash" "$HAWSER" device probe $board
prints 'its flash' '^flash +983040 bytes for weights from 0x08010000 on, written by: probe$' out
check 'weights in flash' large $board
prints 'where they are' '^placed +2[0-9]{5} bytes of weights and vocabulary in the board' out
prints 'their answers agree' '^golden +outputs agree' out
prints 'their instructions' '^instructions [0-9]+ ' out
sed 's#write: probe#write: "false {file} {address}"#' devices/profiles/$board.yaml >"$DIR/broken.yaml"
exits 'a command that fails' 3 large "$DIR/broken.yaml"
prints 'is the device'"'"'s fault' "device '.*broken.yaml' failed: device-lost [(].* its flash is not written" err
sed '/^flash:/d' devices/profiles/$board.yaml >"$DIR/small.yaml"
exits 'the same without flash' 2 large "$DIR/small.yaml"
prints 'what was looked at' "window for both has 114688 and its profile names no 'flash'" err
# The command that writes the flash is interrupted with the program.
sed "s#write: probe#write: ': {file} {address}; sleep 600 \& echo \$! >$DIR/command; wait'#" devices/profiles/$board.yaml >"$DIR/slow.yaml"
"$HAWSER" measure --genome "$(genome 8 | sed 's/v=200/v=4000/; s/d=32;e=32/d=64;e=64/')" \
	--task intent-slots:5:7 --device "$DIR/slow.yaml" >"$DIR/out" 2>"$DIR/err" &
interrupts 'Ctrl-C while flash is written' 1 $!
prints 'says so' '^hawser: measuring was interrupted$' err
board=mps2-an386
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
# So does one whose run takes minutes, with Ctrl-C.
sed 's/^flash_bytes:.*/flash_bytes: 0/; s/^ram_bytes:.*/ram_bytes: 0/' "$DIR/mine.yaml" >"$DIR/long.yaml"
"$HAWSER" measure --genome "$(genome 32 | sed 's/t=12;d=32;e=32/t=128;d=256;e=256/; s/x16f48/x64f1024/')" \
	--task intent-slots:5:7 --device "$DIR/long.yaml" >"$DIR/out" 2>"$DIR/err" &
pid=$!
wait_for 'a long run begins' -gt
sleep 4
kill -INT $pid
await 60 eval '! kill -0 $pid 2>/dev/null'
check 'Ctrl-C ends it at once' eval '! kill -0 $pid 2>/dev/null'
kill -9 $pid 2>/dev/null
wait $pid 2>/dev/null
wait_for 'with its emulator' -eq
finish
