#!/bin/sh
# Tuning on this machine: winners are timed once and kept, builds use them, and a search that
# tunes goes on after kill -9 with the same builds and without timing anything twice.
set -u
. tests/e2e/tap
pid=
trap 'kill -9 ${pid:-} 2>/dev/null; rm -rf "$DIR"' EXIT

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

g='enc;v=300;t=24;d=32;e=32;eb=8;act=gelu;norm=ln;place=pre;pool=mean;abs=0;rel=8;conv=3;opt=O2;kern=opt;L=h2k2x16f64r0b8,h2k2x16f48r0b32'
check 'measure without tuning' "$HAWSER" measure --genome "$g" --processes 2 --json
cp "$DIR/out" "$DIR/untuned"
is 'says nothing of it' "$(grep -c tuning "$DIR/untuned")" -eq 0
check 'measure --tune' "$HAWSER" measure --genome "$g" --processes 2 --tune
prints 'says what it timed' '^tuning +[0-9]+ products, [0-9]+ timed now' out
n=$(sed -n 's/^tuning *\([0-9]*\) products.*/\1/p' "$DIR/out")
if [ "${n:-0}" -eq 0 ]; then
	skip 'the winners' "this machine's kernels have no competing schedules"
	finish
	exit
fi
prints 'a line for each shape' '^  linear_i8 24x32x[0-9]+ .* (even|full|rows|low) ' out
prints 'on standard error too' '^tune: done' err
check 'measure --tune again' "$HAWSER" measure --genome "$g" --processes 2 --tune --json
cp "$DIR/out" "$DIR/tuned"
is 'times nothing' "$(json tuned tuning.timed_now)" -eq 0
is 'nor says so' "$(grep -c '^tune' "$DIR/err")" -eq 0
is 'and gives the same winners' "$(json tuned 'tuning.products.#')" -eq "$n"
check 'measure uses what is known' "$HAWSER" measure --genome "$g" --processes 2 --json
cp "$DIR/out" "$DIR/after"
is 'without being asked' "$(json after 'tuning.products.#')" -eq "$n"
is 'in the same build' "$(json after build)" = "$(json tuned build)"
exits 'a simulated device cannot be tuned' 2 "$HAWSER" measure --genome "$g" --device sim --tune
prints 'and says why' 'nothing is compiled' err
tuner=$(for d in "$HAWSER_RESULTS"/builds/builds/*/; do [ -f "$d/model.c" ] || echo "${d}image"; done | head -n 1)
exits 'the tuner refuses half a request' 66 sh -c 'printf HIT1 | "$1" eval' sh "${tuner:-none}"
exits 'and a shape that cannot be' 66 sh -c \
	'printf "HIT1\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\7\2\1\0\0\0\1\0\0\0\1\0\0\0" | "$1" eval' \
	sh "${tuner:-none}"

# ---- a search that tunes
tiny_space opt '[32, 8, 4]'
cat >"$DIR/job.yaml" <<END
job: tuned
data: "builtin:home?n=800"
space: $DIR/tiny.yaml
seed: 3
tune: yes
objectives: [slot_f1, latency_us@local]
search: {initial: 4, batch: 2, population: 16, evolve: 4, refine: 4}
stop: {candidates: 8}
supernet: {epochs: 2}
final: {candidates: 0}
measure: {min_processes: 2, max_processes: 2, precision: 0.5, samples: 5, warmup: 1}
END
measured() { # at least N
	"$HAWSER" status tuned --json >"$DIR/doc" 2>/dev/null
	[ "$(json doc measurements)" -ge "$1" ] 2>/dev/null
}
"$HAWSER" search "$DIR/job.yaml" >"$DIR/log" 2>&1 &
pid=$!
await 1200 measured 2
kill -9 $pid
wait $pid 2>/dev/null
pid=
is 'it tunes before it measures' "$(grep -c '^tune' "$DIR/log")" -ge 1
"$HAWSER" front tuned --all --csv 2>/dev/null | sort >"$DIR/before"
check 'the job goes on after kill -9' "$HAWSER" search "$DIR/job.yaml"
"$HAWSER" front tuned --all --csv 2>/dev/null | cut -d , -f 1 | sort >"$DIR/ended"
sed 1d "$DIR/before" | cut -d , -f 1 | sort | comm -23 - "$DIR/ended" >"$DIR/lost"
is 'loses nothing' "$(wc -l <"$DIR/lost")" -eq 0
measured 0
first=$(json doc measurements)
check 'the same job again' "$HAWSER" search "$DIR/job.yaml"
exits 'tunes, builds and measures nothing' 1 grep -Eq '^(tune|measure|building)' "$DIR/err"
measured 0
is 'nor took anything twice' "$(json doc measurements)" -eq "${first:-0}"
exits 'a word that is none is refused' 2 sh -c 'sed "s/^tune: .*/tune: maybe/" "$2" >"$2.bad" && "$1" search "$2.bad"' \
	sh "$HAWSER" "$DIR/job.yaml"
prints 'with its line' "'tune' is 'maybe', yes or no" err
finish
