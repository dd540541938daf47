#!/bin/bash
# One job on several devices at once: the same answers however their threads interleave.
set -u
. tests/e2e/tap
trap 'rm -rf "$DIR"' EXIT

law() { # law NAME KEYS: a simulated device, by path
	echo "driver: sim
law: {base_ns: 2000, op_ns: 100, mac_f32_ns: 0.02, sigma: 0.01, process_sigma: 0.003, sleep: 0, $2}" >"$DIR/$1.yaml"
}
law slow 'seed: 3, mac_i8_ns: 0.02'
law fast 'seed: 4, mac_i8_ns: 0.005'
law small 'seed: 5, mac_i8_ns: 0.01, ram_bytes: 40000'
cat >"$DIR/job.yaml" <<E2
job: fleet
data: builtin:home
space: home-small
objectives: [slot_f1, latency_us@$DIR/slow.yaml, latency_us@$DIR/fast.yaml]
limits: ["latency_us@$DIR/small.yaml<=50"]
stop: {candidates: 20}
supernet: {epochs: 1}
final: {candidates: 2, seeds: 1, epochs: 1}
E2
front() { # front RUN
	"$HAWSER" front fleet --csv --all --results "$DIR/$1" >"$DIR/$1.csv" 2>"$DIR/err"
}
for run in a b; do
	check "run $run ends" "$HAWSER" search "$DIR/job.yaml" --results "$DIR/$run"
	front $run
done
same 'identical candidates and values' a.csv b.csv
finish
