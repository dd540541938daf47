#!/bin/sh
# A small job from end to end on this machine: search, every way to look at it, an export
# that answers as the device did, training on shuffled labels, Ctrl-C and going on.
set -u
. tests/e2e/tap
pid=
trap 'kill ${pid:-} 2>/dev/null; rm -rf "$DIR"' EXIT

check 'the JSON checker compiles' "${CC:-gcc}" -std=c11 -O1 tests/e2e/json.c -ljansson -o "$DIR/json"
json() { # json FILE PATH
	"$DIR/json" "$2" <"$DIR/$1" 2>/dev/null
}
# is NAME TEST-EXPRESSION...
is() {
	name=$1
	shift
	if [ "$@" ]; then ok "$name"; else not_ok "$name" "$*"; fi
}
# holds NAME AWK-CONDITION
holds() {
	if awk "BEGIN { exit !($2) }"; then ok "$1"; else not_ok "$1" "$2"; fi
}
# reads_as_json NAME COMMAND...
reads_as_json() {
	name=$1
	shift
	check "$name" "$@"
	cp "$DIR/out" "$DIR/doc"
	check "$name is well formed" sh -c '"$1" <"$2"' sh "$DIR/json" "$DIR/doc"
}

tiny_space ref '[8, 4]'
job() { # job NAME N_CANDIDATES
	cat >"$DIR/$1.job.yaml" <<EOF
job: $1
data: "builtin:home?n=1200"
space: $DIR/tiny.yaml
seed: 3
objectives: [slot_f1, latency_us@local, flash_bytes@local]
search: {initial: 4, batch: 2, population: 16, evolve: 4, refine: 4}
stop: {candidates: $2}
supernet: {epochs: 8}
final: {candidates: 2, seeds: 1, epochs: 16}
measure: {min_processes: 3, max_processes: 6, precision: 0.05, samples: 20, warmup: 2}
EOF
}

# ---- search and look
job tiny 8
check 'the job ends' "$HAWSER" search "$DIR/tiny.job.yaml"
prints 'progress is told' '^generation [0-9]+: [0-9]+ candidates, hypervolume' err
prints 'the end is told' '^done: 8 candidates' err
reads_as_json 'status --json' "$HAWSER" status tiny --json
is 'the state is done' "$(json doc state)" = done
is 'every candidate counts' "$(json doc candidates)" -eq 8
is 'no candidate failed' "$(json doc 'failures.#')" -eq 0
measured=$(json doc measurements)
check 'the same job again has nothing to do' "$HAWSER" search "$DIR/tiny.job.yaml"
exits 'and builds, trains and measures nothing' 1 grep -Eq '^(measure|supernet|building)' "$DIR/err"
check 'status' "$HAWSER" status tiny --json
cp "$DIR/out" "$DIR/doc"
is 'nor was anything measured twice' "$(json doc measurements)" -eq "${measured:-0}"

check 'front as a table' "$HAWSER" front tiny
prints 'the baseline is beside it' '^baseline \(linear, TF-IDF\): slot_f1 [0-9.]+' out
prints 'measured values are marked so' '[0-9]\] m[? ]' out
check 'front as CSV' "$HAWSER" front tiny --csv
cp "$DIR/out" "$DIR/front.csv"
is 'lines have equally many fields' "$(sed 's,"[^"]*",text,g' "$DIR/front.csv" | awk -F , '{ print NF }' | sort -u | wc -l)" -eq 1
reads_as_json 'front --json' "$HAWSER" front tiny --json
cp "$DIR/doc" "$DIR/front.json"
is 'JSON has as many points as CSV' "$(json front.json 'points.#')" -eq $(($(wc -l <"$DIR/front.csv") - 1))
is 'the objectives are named' "$(json front.json objectives.1.name)" = latency_us@local
is 'and their direction' "$(json front.json objectives.1.direction)" = minimise
is 'latency is measured' "$(json front.json points.0.values.latency_us@local.provenance)" = measured
is 'the same candidate first' "$(json front.json points.0.candidate)" = "$(sed -n 2p "$DIR/front.csv" | cut -d , -f 1)"
latency=$(json front.json points.0.values.latency_us@local.value)
lo=$(json front.json points.0.values.latency_us@local.lo)
hi=$(json front.json points.0.values.latency_us@local.hi)
holds 'the interval holds the value' "${lo:-1} <= ${latency:-0} && ${latency:-0} <= ${hi:-0} && ${lo:-0} > 0"
check 'all candidates' "$HAWSER" front tiny --all --csv
cp "$DIR/out" "$DIR/all.csv"
is 'are eight' "$(wc -l <"$DIR/all.csv")" -eq 9

limit=$(awk "BEGIN { printf \"%.6g\", 1.001 * ${latency:-0} }")
check '--where' "$HAWSER" front tiny --all --csv --where "latency_us@local<=$limit"
within=$(awk -F , -v l="$limit" '
	NR == 1 { for (i = 1; i <= NF; i++) if ($i == "latency_us@local") c = i }
	NR > 1 && $c + 0 <= l + 0 { n++ }
	END { print n + 0 }' "$DIR/all.csv")
is 'keeps what is within the limit' "$(sed 1d "$DIR/out" | wc -l)" -eq "$within"
is 'and leaves out what is not' "$within" -lt 8
check '--best accuracy' "$HAWSER" front tiny --best accuracy --csv
is 'is one' "$(sed 1d "$DIR/out" | wc -l)" -eq 1
is 'and the best' "$(sed 1d "$DIR/out" | cut -d , -f 4)" = \
	"$(sed 1d "$DIR/front.csv" | cut -d , -f 4 | sort -g | tail -n 1)"

check 'report' "$HAWSER" report tiny --out "$DIR/report"
page=$DIR/report/index.html
prints 'says where it lies' "^$page\$" out
check 'the page is there' test -s "$page"
is 'with its plots inside' "$(grep -c '<svg' "$page")" -ge 4
exits 'it loads nothing' 1 grep -Eiq '(src|href)="?[a-z]+://|url\(["'\'']?[a-z]+://|@import|<script|<link|<iframe' "$page"
check 'front.csv is beside it' cmp "$DIR/report/front.csv" "$DIR/front.csv"
reads_as_json 'cost score --json' "$HAWSER" cost score tiny --json
check 'cost score' "$HAWSER" cost score tiny
prints 'latency is scored' '^latency_us@local \(measured, n = 8' out
prints 'beside the baselines' '^. macs .* baseline' out

# ---- a finalist: what was stored of it, and what its export answers
finalist=$(awk -F , '$3 == 1 { print $1 }' "$DIR/front.csv" | tail -n 1)
check 'show' "$HAWSER" show "${finalist:-none}"
prints 'tells its quality on the device' 'test +intent_acc +device .*, on local$' out
reads_as_json 'show --json' "$HAWSER" show "${finalist:-none}" --json
stored=$(sed -n 's/.*"split": "test", "metric": "intent_acc", "method": "device", "value": \([0-9.]*\).*/\1/p' "$DIR/doc")
check 'export' "$HAWSER" export "${finalist:-none}" --format c --out "$DIR/model"
sed -n 's/^    \(cc .*\)/\1/p' "$DIR/model/README.md" | head -n 1 >"$DIR/compile"
check 'compiles with the command in its README' sh -c 'cd "$1" && . ../compile && test -x model' sh "$DIR/model"
check 'without a warning' test ! -s "$DIR/err"
check 'data import' "$HAWSER" data import 'builtin:home?n=1200' "$DIR/home"
check 'answers text typed at it' sh -c '"$1/model/model" <"$1/home/test/seq.in"' sh "$DIR"
sed -n 's/^\([^ ].*\) ([0-9.]* %)$/\1/p' "$DIR/out" >"$DIR/answers"
is 'one answer to a line' "$(wc -l <"$DIR/answers")" -eq "$(wc -l <"$DIR/home/test/label")"
typed=$(paste "$DIR/answers" "$DIR/home/test/label" | awk -F '\t' '$1 == $2 { n++ } END { print 100 * n / NR }')
holds 'as often right as on the device' "${stored:-200} - ${typed:-0} <= 1 && ${typed:-0} - ${stored:-0} <= 1"
holds 'and not by chance' "${typed:-0} > 20"

# ---- labels that mean nothing teach nothing (23 intents: 4.3 % by chance)
g='enc;v=300;t=32;d=48;e=48;eb=8;act=relu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=ref;L=h2k2x16f96r0b8'
reads_as_json 'training' "$HAWSER" train --data 'builtin:home?n=2000' --genome "$g" --epochs 12 --json
holds 'learns intents' "$(json doc test.quantised.intent_acc) > 35"
holds 'and slots' "$(json doc test.quantised.slot_f1) > 20"
reads_as_json 'training on shuffled labels' "$HAWSER" train --data 'builtin:home?n=2000' \
	--genome "$g" --epochs 12 --json --shuffle-labels
holds 'falls to chance' "$(json doc test.quantised.intent_acc) < 9"
holds 'and finds no slots' "$(json doc test.quantised.slot_f1) < 3"

# ---- one network, without a job
reads_as_json 'measure' "$HAWSER" measure --genome "$g" --processes 3 --json
is 'its outputs agree' "$(json doc verdict)" = ok
holds 'it takes time' "$(json doc latency_us) > 0"
reads_as_json 'what it kept' "$HAWSER" status measure --json
is 'is done' "$(json doc state)" = done
check 'front without a name' "$HAWSER" front --csv
same 'is still that of the job' out front.csv

# ---- Ctrl-C, and going on
job long 0
state() {
	"$HAWSER" status long --json 2>/dev/null >"$DIR/doc"
	json doc state
}
generations() { # at least N
	state >"$DIR/state"
	[ "$(json doc 'generations.#')" -ge "$1" ] 2>/dev/null
}
start() {
	"$HAWSER" search "$DIR/long.job.yaml" >"$DIR/out" 2>"$DIR/err" &
	pid=$!
}
stop_gracefully() { # NAME
	kill -INT $pid
	wait $pid
	is "$1" $? -eq 0
	pid=
}
start
await 300 generations 2
stop_gracefully 'Ctrl-C ends the search gracefully'
is 'the state is stopped' "$(state)" = stopped
"$HAWSER" front long --all --csv | cut -d , -f 1 | sort >"$DIR/first"
n=$(json doc 'generations.#')
is 'generations were finished' "$n" -ge 2
start
await 300 generations $((n + 1))
is 'the same command goes on' "$(state)" = running
stop_gracefully 'and is stopped again'
"$HAWSER" front long --all --csv | cut -d , -f 1 | sort >"$DIR/second"
is 'nothing that was found is lost' "$(comm -23 "$DIR/first" "$DIR/second" | wc -l)" -eq 0
is 'and more is found' "$(wc -l <"$DIR/second")" -gt "$(wc -l <"$DIR/first")"
finish
