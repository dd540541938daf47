#!/bin/bash
# The same seed twice gives identical candidates, generated C and front (sim device); another seed
# does not. Two controllers on one database: the second is refused by name.
set -u
hawser=${HAWSER:-build/release/hawser}
dir=$(mktemp -d "${TMPDIR:-/tmp}/repeat.XXXXXX") || exit 1
trap 'kill ${pid:-} 2>/dev/null; rm -rf "$dir"' EXIT
n=0

verdict() {
	n=$((n + 1))
	[ "$1" -eq 0 ] && echo "ok $n - $2" || echo "not ok $n - $2"
}

echo "1..9"
for run in a b; do
	"$hawser" search sim --results "$dir/$run" >"$dir/$run.log" 2>&1
	verdict $? "run $run ends"
	"$hawser" front sim --all --csv --results "$dir/$run" >"$dir/$run.csv"
done
cmp "$dir/a.csv" "$dir/b.csv" && [ "$(wc -l <"$dir/a.csv")" -gt 20 ]
verdict $? "identical candidates and values"
c=$("$hawser" front sim --finalists --json --results "$dir/a" |
	sed -n 's/.*"candidate": "\([0-9a-f]*\)".*/\1/p' | head -1)
for run in a b; do
	"$hawser" export "${c:-none}" --job sim --results "$dir/$run" --out "$dir/$run.c" \
		>/dev/null 2>&1
done
diff -r "$dir/a.c" "$dir/b.c" >/dev/null && [ -s "$dir/a.c/model.c" ]
verdict $? "identical generated C"
sed 's/^seed: 1/seed: 2/' search/jobs/sim.yaml >"$dir/other.yaml"
"$hawser" search "$dir/other.yaml" --results "$dir/c" >"$dir/c.log" 2>&1
verdict $? "another seed runs"
"$hawser" front sim --all --csv --results "$dir/c" >"$dir/c.csv"
! cmp -s "$dir/a.csv" "$dir/c.csv"
verdict $? "another seed differs"

sed 's/^stop: .*/stop: {candidates: 0}/' search/jobs/sim.yaml >"$dir/long.yaml"
"$hawser" search "$dir/long.yaml" --results "$dir/d" >"$dir/d.log" 2>&1 &
pid=$!
for _ in $(seq 100); do
	[ -s "$dir/d/hawser.db.lock" ] && break
	sleep 0.1
done
"$hawser" search "$dir/long.yaml" --results "$dir/d" >/dev/null 2>"$dir/second"
code=$?
[ $code -eq 1 ] && grep -q "$pid" "$dir/second" && grep -q "$(hostname)" "$dir/second"
verdict $? "a second controller is refused with the holder's pid and host"
for _ in $(seq 300); do
	"$hawser" status sim --results "$dir/d" --json 2>/dev/null | grep -q '"generation": [1-9]' && break
	sleep 0.1
done
"$hawser" stop sim --results "$dir/d" >/dev/null 2>&1
verdict $? "hawser stop is accepted"
wait $pid && "$hawser" status sim --results "$dir/d" --json | grep -q '"stopped"'
verdict $? "the controller ends gracefully and says stopped"
