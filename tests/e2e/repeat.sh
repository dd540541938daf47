#!/bin/bash
# The same seed twice gives identical candidates, generated C and front (sim device);
# another seed does not. Two controllers on one database: the second is refused by name.
set -u
. tests/e2e/tap
trap 'kill ${pid:-} 2>/dev/null; rm -rf "$DIR"' EXIT

front() { # front RUN [OPTION]
	"$HAWSER" front sim --csv --results "$DIR/$1" --all >"$DIR/$1.csv" 2>"$DIR/err"
}

for run in a b; do
	check "run $run ends" "$HAWSER" search sim --results "$DIR/$run"
	front $run
done
same 'identical candidates and values' a.csv b.csv
if [ "$(wc -l <"$DIR/a.csv")" -gt 20 ]; then
	ok 'and there are some'
else
	not_ok 'and there are some'
fi
# The first finalist's hash: column 1 where column 3 is 1.
candidate=$(awk -F , '$3 == 1 { print $1; exit }' "$DIR/a.csv")
for run in a b; do
	check "export of run $run" "$HAWSER" export "${candidate:-none}" --job sim \
		--results "$DIR/$run" --out "$DIR/$run.c"
done
check 'generated C is there' test -s "$DIR/a.c/model.c"
check 'identical generated C' diff -r "$DIR/a.c" "$DIR/b.c"
sed 's/^seed: 1/seed: 2/' search/jobs/sim.yaml >"$DIR/other.yaml"
check 'another seed runs' "$HAWSER" search "$DIR/other.yaml" --results "$DIR/c"
front c
exits 'another seed differs' 1 cmp "$DIR/a.csv" "$DIR/c.csv"

sed 's/^job: .*/job: brief/; s/^stop: .*/stop: {hours: 1e-9}/' search/jobs/sim.yaml >"$DIR/brief.yaml"
check 'a job may end by the hour' "$HAWSER" search "$DIR/brief.yaml" --results "$DIR/a" --no-final
prints 'and says so' "^done: .* ended by 'hours'" err

sed 's/^stop: .*/stop: {candidates: 0}/' search/jobs/sim.yaml >"$DIR/long.yaml"
"$HAWSER" search "$DIR/long.yaml" --results "$DIR/d" >"$DIR/d.log" 2>&1 &
pid=$!
status() {
	"$HAWSER" status sim --results "$DIR/d" --json 2>/dev/null
}
await 100 test -s "$DIR/d/hawser.db.lock"
exits 'a second controller is refused' 1 "$HAWSER" search "$DIR/long.yaml" --results "$DIR/d"
prints "with the holder's pid and host" "^hawser: .*$pid.*$(hostname)" err
generation() {
	status | grep -q '"generation": [1-9]'
}
await 600 generation
check 'hawser stop is accepted' "$HAWSER" stop sim --results "$DIR/d"
wait $pid
code=$?
if [ $code -eq 0 ]; then
	ok 'the controller ends gracefully'
else
	not_ok 'the controller ends gracefully' "exit code $code"
fi
pid=
status >"$DIR/out"
prints 'and says stopped' '"state": "stopped"' out
finish
