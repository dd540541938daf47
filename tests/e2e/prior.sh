#!/bin/bash
# What a model of one simulated device is worth on another: one three times slower in
# everything, and one that pays for other things.
set -u
. tests/e2e/tap
trap 'rm -rf "$DIR"' EXIT

export XDG_CONFIG_HOME=$DIR/config
profiles=$XDG_CONFIG_HOME/hawser/devices
mkdir -p "$profiles"
profile() { # profile NAME KEYS
	printf 'about: simulated\ndriver: sim\ntimeout_ms: 60000\nlaw: {seed: 1, sigma: 0.005, %s}\n' \
		"$2" >"$profiles/$1.yaml"
}
profile quick 'base_ns: 1000, op_ns: 40, mac_f32_ns: 0.2, mac_i8_ns: 0.1, mac_i4_ns: 0.15, attention_ns: 0.3, byte_ns: 0.01'
profile slow 'base_ns: 3000, op_ns: 120, mac_f32_ns: 0.6, mac_i8_ns: 0.3, mac_i4_ns: 0.45, attention_ns: 0.9, byte_ns: 0.03'
profile other 'base_ns: 50000, op_ns: 4000, mac_f32_ns: 0.01, mac_i8_ns: 0.3, mac_i4_ns: 0.01, attention_ns: 0.01, byte_ns: 0.5'
sed 's/^objectives: .*/objectives: [slot_f1, latency_us@quick, latency_us@slow, latency_us@other]/
	s/^stop: .*/stop: {candidates: 40}/' search/jobs/sim.yaml >"$DIR/sim.yaml"

# Column COLUMN of the line with ROWS own rows for DEVICE, from the last output.
cell() { # cell DEVICE ROWS COLUMN
	awk -v device="latency_us@$1" -v rows="$2" -v column="$3" '/@/ { on = $1 == device }
		on && $1 == rows { print $column; exit }' "$DIR/out"
}
below() { # below WHAT VALUE BOUND
	if awk -v v="$2" -v b="$3" 'BEGIN { exit !(v != "" && v + 0 < b + 0) }'; then
		ok "$1"
	else
		not_ok "$1" "'$2' is not below '$3'"
	fi
}

check 'a job on three devices' "$HAWSER" search "$DIR/sim.yaml" --results "$DIR" --no-final
exits 'an unknown prior is refused' 2 "$HAWSER" cost score sim --prior nothing --results "$DIR"
prints 'by name' "^hawser: cost score: no prior 'nothing'" err
exits 'a prior needs a job' 2 "$HAWSER" cost score --csv x --target y --prior auto
check 'cost score --prior --json' "$HAWSER" cost score sim --prior quick --json --results "$DIR"
prints 'names the prior' '"prior": "latency_us@quick"' out
check 'cost score --prior' "$HAWSER" cost score sim --prior quick --results "$DIR"
prints 'the prior is labelled' 'latency_us@slow \(simulated, .*prior quick -> slow' out
below 'five rows correct a scaled copy' "$(cell slow 5 5)" 5
prints 'says that the prior knows these networks' '40 of the rows are of networks that the prior has seen' out
below 'better than a model of its own' "$(cell slow 5 6)" "$(cell slow 5 4)"
below 'an unrelated prior does hardly any harm with five' "$(cell other 5 6)" "$(awk -v m="$(cell other 5 3)" 'BEGIN { print 1.25 * m }')"
below 'an unrelated prior is dropped when there are 20 rows' "$(cell other 20 8)" 50

# ---- a job begins with what others measured before it
second() { # second NAME STOP
	sed "s/^job: .*/job: $1/; s/^objectives: .*/objectives: [slot_f1, latency_us@later]/
		s/^search: .*/search: {initial: 4, batch: 2, population: 16, evolve: 4}/
		s/^stop: .*/stop: {candidates: $2}/" search/jobs/sim.yaml >"$DIR/$1-$2.yaml"
}
front() { # front RESULTS JOB: without the hashes of builds
	"$HAWSER" front "$2" --csv --all --results "$DIR/$1" >"$DIR/$1.csv" 2>"$DIR/err"
}
profile later 'base_ns: 2000, op_ns: 80, mac_f32_ns: 0.4, mac_i8_ns: 0.2, mac_i4_ns: 0.3, attention_ns: 0.6, byte_ns: 0.02'
# Measurements of the second in which a job begins are no prior.
next_second() {
	[ "$(date +%s)" -gt "$second" ]
}
second=$(date +%s)
await 30 next_second
for copy in one two; do
	mkdir "$DIR/$copy"
	cp -r "$DIR/hawser.db" "$DIR/supernets" "$DIR/$copy"
done
second fresh 8
second fresh 14
check 'another job' "$HAWSER" search "$DIR/fresh-14.yaml" --results "$DIR/one" --no-final
prints 'tells its prior' '^prior for latency_us@later: .* of 40 rows from (quick|slow|other)$' err
prints 'labels its model while rows are few' '^generation 0: 4 candidates, .*, cost model (macs and )?prior of [a-z]+, 4 rows$' err
prints 'and its own when there are enough' '^generation [1-9].*cost model ((macs and )?prior of [a-z]+, [0-9]+ rows(, ratio)?|[a-z]+) off by' err
check 'the same job, cut' "$HAWSER" search "$DIR/fresh-8.yaml" --results "$DIR/two" --no-final
check 'and resumed' "$HAWSER" search "$DIR/fresh-14.yaml" --results "$DIR/two" --no-final
front one fresh
front two fresh
same 'is the same to the byte' one.csv two.csv
check 'a job alone in its database' "$HAWSER" search "$DIR/fresh-8.yaml" --results "$DIR/alone" --no-final
if grep -q '^prior' "$DIR/err"; then not_ok 'has no prior'; else ok 'has no prior'; fi
finish
