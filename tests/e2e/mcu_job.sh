#!/bin/sh
# A search over two boards without an operating system, emulated: instructions as the
# objective, weights in the flash of the one whose RAM is small, what fits nowhere without that,
# and the same front when it is run again.
set -u
. tests/e2e/tap

for p in qemu-system-arm arm-none-eabi-gcc; do
	if ! command -v $p >/dev/null; then
		skip 'a search over two boards' "no $p"
		finish
		exit
	fi
done
job() { # NAME OBJECTIVES
	cat >"$DIR/$1.yaml" <<EOF
job: $1
data: builtin:home?n=600
space: home-mcu
objectives: [$2]
search: {initial: 6, batch: 2, population: 16, evolve: 4, refine: 4}
stop: {candidates: 8}
supernet: {epochs: 1}
final: {candidates: 1, epochs: 1, device_inputs: 10}
EOF
}

both='intent_acc, "instructions@worst(mps2-an386,netduinoplus2)"'
job first "$both"
job second "$both"
check 'a search over two boards' "$HAWSER" search "$DIR/first.yaml"
prints 'both answer the test inputs' '^checking answers: 2 of 2 test splits answered on mps2-an386, netduinoplus2' err
check 'its front' "$HAWSER" front first --json
prints 'instructions, emulated' '"provenance": "emulated"' out
cp "$DIR/out" "$DIR/first.json"
check 'a candidate of it' "$HAWSER" show "$(sed -n 's/.*"candidate": "\([0-9a-f]*\)".*/\1/p' "$DIR/out" | head -1)" --job first
prints 'counts, not times' 'instructions, emulated' out
check 'its state' "$HAWSER" status first --json
prints 'all fit the smaller board, with weights in flash' '"failures": [{][}]' out
check 'the same job, by another name' "$HAWSER" search "$DIR/second.yaml" --results "$DIR/again"
check 'its front too' "$HAWSER" front second --json --results "$DIR/again"
sed 's/second/first/g' "$DIR/out" >"$DIR/second.json"
same 'is the same' first.json second.json

# A decoder's next token, within a limit of RAM.
lm() { # NAME OBJECTIVE LIMIT
	cat >"$DIR/$1.yaml" <<EOF
job: $1
data: $DIR/plain.txt
space: lm-small
objectives: [cross_entropy, $2]
limits: ["$3"]
search: {initial: 4, batch: 2, population: 8, evolve: 2, refine: 2}
stop: {candidates: 4}
supernet: {epochs: 1}
final: {candidates: 1, epochs: 1, device_inputs: 2}
EOF
}
i=0
while [ $i -lt 300 ]; do
	echo "the lamp in room $((i % 7)) is on from $((i % 24)) hours on, for $((i * 13 % 60)) minutes"
	i=$((i + 1))
done >"$DIR/plain.txt"
lm tokens 'step_instructions@mps2-an386' 'peak_rss_bytes@mps2-an386<=100000'
check 'a search for decoders' "$HAWSER" search "$DIR/tokens.yaml"
prints 'the test inputs are answered' '^checking answers: [0-9]+ of [0-9]+ test splits answered on mps2-an386' err
check 'its front' "$HAWSER" front tokens --json
prints 'single tokens, emulated' '"step_instructions@mps2-an386": {"value": [0-9]+, .*"emulated"' out
check 'a candidate of it' "$HAWSER" show "$(sed -n 's/.*"candidate": "\([0-9a-f]*\)".*/\1/p' "$DIR/out" | head -1)" --job tokens
prints 'its RAM, with the stack' '^ +RAM [0-9]+ bytes: data, arena and state [0-9]+, stack [0-9]+ [(]measured on the emulated board[)]$' out
check 'a report' "$HAWSER" report tokens --out "$DIR/report"
prints 'names the stack' 'stack [0-9]+</span><span class="from">measured, emulated' report/index.html
check 'all with their RAM' "$HAWSER" front tokens --all --objectives 'peak_rss_bytes@mps2-an386,cross_entropy' --json
prints 'RAM, emulated' '"peak_rss_bytes@mps2-an386": {"value": [1-9][0-9]*, .*"emulated"' out

# That board without its flash.
mkdir -p "$XDG_CONFIG_HOME/hawser/devices"
sed '/^flash:/d' devices/profiles/netduinoplus2.yaml >"$XDG_CONFIG_HOME/hawser/devices/small.yaml"
job third 'intent_acc, instructions@small'
sed -i 's/candidates: 8/candidates: 6/' "$DIR/third.yaml"
check 'a search without flash for weights' "$HAWSER" search "$DIR/third.yaml"
check 'its state' "$HAWSER" status third --json
prints 'some do not fit' '"no-fit": [1-9]' out

job timed 'intent_acc, latency_us@mps2-an386'
exits 'a time of an emulated board' 2 "$HAWSER" search "$DIR/timed.yaml"
prints 'says what to use' 'use instructions@DEVICE' err
lm step_timed step_us@mps2-an386 'macs<=100000000'
exits 'a token of an emulated board' 2 "$HAWSER" search "$DIR/step_timed.yaml"
prints 'says what to use for it' 'use step_instructions@DEVICE' err
job encoder 'intent_acc, step_instructions@mps2-an386'
exits 'a token of an encoder' 2 "$HAWSER" search "$DIR/encoder.yaml"
prints 'says that it has none' "'step_instructions' is the next token of a decoder" err
job counted 'intent_acc, instructions@local'
exits 'a count of this machine' 2 "$HAWSER" search "$DIR/counted.yaml"
prints 'says what to use there' 'use latency_us@DEVICE' err
finish
